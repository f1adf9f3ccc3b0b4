"""Logs without times: a line a user, `user item item ...`, oldest first; or a line a pair, as SASRec publishes data.

The temporal leakage rule needs times, so the log gets steps, aligned at each user's end: the last interaction of every
user has the same timestamp, the one before it one less, and so on, down to 1 for the longest sequence. A query may use
only interactions strictly earlier than itself. With these steps it never uses a held-out last interaction, and a test
query uses the training interactions of all tested users. Steps do not say which user came first: an earlier step of
another user may in truth be later. Figures that depend on recency are therefore higher than with real times.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from mmsrarec.core.terminal import one_line
from mmsrarec.data.importers.column_names import INTERACTION_NAMES, folded
from mmsrarec.data.importers.sequence_rows import Sequence, sequence_table
from mmsrarec.data.importers.source import Batches, Format, ReadOptions, Source
from mmsrarec.data.reading.files import Lines, text_lines
from mmsrarec.data.reading.line_faults import Fault, check_id, is_null
from mmsrarec.data.reading.tables_by_content import read_table
from mmsrarec.errors import DataError

SAMPLE_LINES = 1000
EARLIEST, LATEST = 631_152_000, 4_102_444_800
"""Seconds of 1990 and of 2100: a column of such numbers is one of times."""
NAMES = {name for names in INTERACTION_NAMES.values() for name in names} | {"useridtoken", "itemidlist", "sequence"}


@dataclass(frozen=True)
class _Layout:
    """What the first lines of a file look like.

    Attributes:
        pairs: Whether each line is a pair of a user and an item, and a user's lines are together.
        numbers: A sentence on it, for the report; "" for the usual layout.
    """

    pairs: bool
    note: str = ""


def recognises(place: str) -> bool:
    """Whether a file holds lines `user item item ...` of different lengths, or pairs, without a header."""
    path = Path(place)
    try:
        if not path.is_file() or path.suffix.lower() in (".csv", ".json", ".jsonl", ".parquet", ".inter"):
            return False
        _layout(path, _sample(path, None))
    except (OSError, DataError, ValueError):
        return False
    return all("," not in line and "::" not in line and len(line.split()) > 1 for line in _sample(path, None)[:50])


def read(place: str, options: ReadOptions) -> Source:
    """Open a log of sequences, and a table of items if one is named.

    Raises:
        DataError: The file is missing, or looks like a table.
    """
    path = Path(place)
    for one in (path, options.items):
        if one is not None and not one.is_file():
            raise DataError(
                f"{one_line(one)} is not a file: name a log of lines `user item item ...`, and by --titles a table of "
                "items"
            )
    layout = _layout(path, _sample(path, options.encoding))
    table = _pairs(path, options.encoding) if layout.pairs else _sequences(path, options.encoding)
    items = None if options.items is None else read_table(options.items, encoding=options.encoding)
    return Source(
        name=path.name.partition(".")[0],
        interactions=table,
        items=items,
        order="ends",
        time="steps",
        exact_repeats="keep",
        unknown_items="add",
        notes=(layout.note,) if layout.note else (),
        files=tuple(one for one in (path, options.items) if one is not None),
    )


FORMAT = Format(
    "sequences",
    "a file of lines `user item item ...`, oldest first, or of pairs `user item`; it has no times",
    recognises,
    read,
    frozenset({"items", "encoding"}),
)


def _sample(path: Path, encoding: str | None) -> list[str]:
    """The first lines."""
    return [line for _, line in islice(text_lines(Lines(path, encoding)), SAMPLE_LINES) if line is not None]


def _layout(path: Path, lines: list[str]) -> _Layout:
    """What a file looks like. Raises DataError for one that is a table."""
    rows = [line.split() for line in lines if line.strip()]
    if not rows:
        return _Layout(False)
    header = rows[0]
    if any(":" in word for word in header) and all(word.count(":") == 1 for word in header) and len(rows) > 1:
        if not any(":" in word for row in rows[1:] for word in row):
            raise DataError(_a_table(path, f"its first line names columns ({one_line(' '.join(header))[:60]})"))
    elif sum(folded(word) in NAMES for word in header) > 1:
        raise DataError(_a_table(path, f"its first line names columns ({one_line(' '.join(header))[:60]})"))
    lengths = Counter(map(len, rows))
    if len(lengths) > 1 or 1 in lengths:
        return _Layout(False)
    width = len(rows[0])
    if width > 2 and all(_is_time(row[-1]) for row in rows):
        raise DataError(_a_table(path, f"each line has {width} columns, of which the last holds times ({rows[0][-1]})"))
    users = [row[0] for row in rows]
    if width == 2 and len(set(users)) < len(users):
        starts = [user for user, before in zip(users, [None, *users[:-1]], strict=True) if user != before]
        if len(starts) == len(set(starts)):
            note = f"{path.name}: a line is a pair of user and item, and a user's lines are in the order of time"
            return _Layout(True, note)
    return _Layout(False)


def _a_table(path: Path, why: str) -> str:
    return f"{path} is a table, no log of sequences: {why}; import it with mmsrarec import tables or auto"


def _is_time(word: str) -> bool:
    """Whether a word is a number of seconds or of a part of a second between 1990 and 2100."""
    if not word.isascii() or not word.isdigit():
        return False
    return any(EARLIEST <= int(word) // scale < LATEST for scale in (1, 10**3, 10**6, 10**9))


def _sequences(path: Path, encoding: str | None) -> Batches:
    """The table of a file with a line a user. A user's second line is faulty, as nothing says which came first."""

    def rows() -> Iterator[Sequence | tuple[int, Fault]]:
        first_lines: dict[str, int] = {}
        for number, line in text_lines(Lines(path, encoding)):
            try:
                user_id, sequence = _words(line)
                if user_id in first_lines:
                    raise Fault(f"user {user_id!r} again, first on line {first_lines[user_id]}")
            except Fault as fault:
                yield number, fault
                continue
            for item_id in filter(is_null, sequence):
                yield number, Fault(f"item {item_id!r} of the sequence names nothing", "null_items")
            if item_ids := [item_id for item_id in sequence if not is_null(item_id)]:
                first_lines[user_id] = number
                yield Sequence(number, user_id, item_ids)

    return sequence_table(path.name, rows)


def _pairs(path: Path, encoding: str | None) -> Batches:
    """The table of a file with a line a pair. A user whose lines are not together is faulty from there on."""

    def rows() -> Iterator[Sequence | tuple[int, Fault]]:
        last_lines: dict[str, int] = {}
        before: str | None = None
        for number, line in text_lines(Lines(path, encoding)):
            try:
                user_id, sequence = _words(line)
                if len(sequence) != 1:
                    raise Fault(f"{len(sequence) + 1} fields where the other lines have 2")
                if user_id != before and user_id in last_lines:
                    raise Fault(f"user {user_id!r} again, before on line {last_lines[user_id]}: lines are not in order")
            except Fault as fault:
                yield number, fault
                continue
            before, last_lines[user_id] = user_id, number
            if is_null(sequence[0]):
                yield number, Fault(f"item {sequence[0]!r} names nothing", "null_items")
            else:
                yield Sequence(number, user_id, sequence)

    return sequence_table(path.name, rows)


def _words(line: str | None) -> tuple[str, list[str]]:
    """The user and the items of a line. Raises Fault."""
    if line is None:
        raise Fault("not UTF-8")
    if "\0" in line:
        raise Fault("holds a zero byte")
    user_id, *sequence = line.split() or [""]
    if not sequence:
        raise Fault(f"user {user_id!r} has no items")
    check_id(user_id, "user_id")
    return user_id, sequence
