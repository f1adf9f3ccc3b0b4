"""Imports logs without times, one line for each user: "user item item ...", oldest first (MicroLens, S3-Rec).

The temporal leakage rule needs times, so the log gets steps, aligned at each user's end: the last interaction of every
user has the same timestamp, the one before it one less, and so on, down to 1 for the longest sequence. A query may use
only interactions strictly earlier than itself. With these steps it never uses a held-out last interaction, and a test
query uses the training interactions of all tested users. Steps do not say which user came first: an earlier step of
another user may in truth be later. Figures that depend on recency are therefore higher than with real times.
"""

import csv
from pathlib import Path

import numpy as np

from mmsrarec.core.artefacts import file_hash
from mmsrarec.data.dataset import Dataset, Item, make_interactions
from mmsrarec.data.folder import writing_data
from mmsrarec.data.importers.import_report import Rejects, Report, write_import
from mmsrarec.data.kcore import Core, drop_unused, in_core
from mmsrarec.data.reading.cleaning import clean
from mmsrarec.data.reading.files import Lines, text_lines
from mmsrarec.data.reading.line_faults import Fault, check_id, is_null
from mmsrarec.data.reading.parsing import csv_fields
from mmsrarec.errors import DataError

TIMES = "steps, aligned at each user's end: the source has no times"
"""What import.json says of the times."""
TITLES = ["item", "title"]
"""The columns of a file of titles."""


def import_sequences(
    source: Path, out: Path, titles: Path | None = None, max_rejects: float = 0.01, core: Core | None = None
) -> Report:
    """Import a log of sequences and a file of titles, and write a data folder: all or nothing.

    A line of the log is a user, then items, parted by blanks or tabs. Faulty lines are set aside in rejects.csv.

    Args:
        source: The log.
        out: The data folder to write.
        titles: A CSV file with the columns item and title.
        max_rejects: The share of the lines of each file, in [0, 1], that may be faulty.
        core: The least numbers of interactions of a user and of an item (see `kcore`), applied before steps are
            counted; None keeps all.

    Returns:
        The counts of the import, as in import.json. Items with a title stand first, in the order of their file, then
        those of the log, with empty titles.

    Raises:
        DataError: Too many lines are faulty, something is missing, or `out` holds something else.
    """
    paths = [Path(path) for path in (source, titles) if path is not None]
    for path in paths:
        if not path.is_file():
            raise DataError(f"{path} is not a file: name a log of lines `user item item ...`, and a CSV of titles")
    report, rejects = Report(times=TIMES, unit="steps"), Rejects()
    items = {} if titles is None else _read_titles(paths[1], max_rejects, report, rejects)
    sequences = _read_log(paths[0], max_rejects, rejects)
    for sequence in sequences.values():
        for item_id in sequence:
            items.setdefault(item_id, Item(item_id))
    dataset = _to_dataset(paths[0].stem, items, sequences, core)
    content = [file_hash(path) for path in paths]
    with writing_data(out, "import sequences", "steps", source=content, max_rejects=max_rejects, core=core) as new:
        write_import(dataset, new, report, rejects)
    return report


def _to_dataset(name: str, items: dict[str, Item], sequences: dict[str, list[str]], core: Core | None) -> Dataset:
    """The data set of sequences (user id -> item ids), with steps as times."""
    codes = {item_id: code for code, item_id in enumerate(items)}
    user = np.repeat(np.arange(len(sequences)), [len(sequence) for sequence in sequences.values()])
    item = np.array([codes[item_id] for sequence in sequences.values() for item_id in sequence])
    if core is not None:
        keep = in_core(user, item, core)
        user, item = user[keep], item[keep]
    lengths = np.bincount(user)
    n_later = np.cumsum(lengths)[user] - 1 - np.arange(len(user))  # interactions of the user after this one
    interactions = make_interactions(user, item, lengths.max() - n_later, len(sequences), len(items))
    dataset = Dataset(name, tuple(items.values()), tuple(sequences), interactions, times="steps")
    return dataset if core is None else drop_unused(dataset)


def _read_log(path: Path, share: float, rejects: Rejects) -> dict[str, list[str]]:
    """User id -> item ids, oldest first. A user's second line is faulty, because nothing says which came first."""
    sequences: dict[str, list[str]] = {}
    first_lines: dict[str, int] = {}
    number = 0
    for number, line in text_lines(Lines(path)):
        try:
            user_id, sequence = _sequence(line)
        except Fault as reason:
            rejects.add(path, number, reason)
            continue
        if user_id in sequences:
            rejects.add(path, number, f"user {user_id!r} again, first on line {first_lines[user_id]}")
            continue
        for item_id in filter(is_null, sequence):
            rejects.add(path, number, Fault(f"item {item_id!r} of the sequence names nothing", "null_items"))
        if item_ids := [item_id for item_id in sequence if not is_null(item_id)]:
            sequences[user_id], first_lines[user_id] = item_ids, number
    rejects.check(path, number, share)
    rejects.check_left(path, len(sequences), "interactions")
    return sequences


def _read_titles(path: Path, share: float, report: Report, rejects: Rejects) -> dict[str, Item]:
    """Item id -> the item, for every line of the file of titles."""
    items: dict[str, Item] = {}
    lines = text_lines(Lines(path))
    _, header = next(lines, (0, ""))
    if header is None or next(csv.reader([header]), None) != TITLES:
        raise DataError(f"{path}: the first line must name the columns {','.join(TITLES)}")
    number = 1
    for number, line in lines:
        try:
            item = _titled(line)
        except Fault as reason:
            rejects.add(path, number, reason)
            continue
        if items.get(item.item_id) == item:
            report.duplicates += 1
        elif item.item_id in items:
            rejects.add(path, number, f"item {item.item_id!r} again, with another title")
        else:
            items[item.item_id] = item
    rejects.check(path, number - 1, share)
    return items


def _sequence(line: str | None) -> tuple[str, list[str]]:
    """The user and the items of one line of a log. Raises Fault."""
    if line is None:
        raise Fault("not UTF-8")
    if "\0" in line:
        raise Fault("holds a zero byte")
    user_id, *sequence = line.split() or [""]
    if not sequence:
        raise Fault(f"user {user_id!r} has no items")
    check_id(user_id, "user_id")
    return user_id, sequence


def _titled(line: str | None) -> Item:
    """The item of one line of titles. Raises Fault."""
    if line is None:
        raise Fault("not UTF-8")
    try:
        fields = csv_fields(line)
    except csv.Error as error:
        raise Fault(f"not CSV ({error})") from None
    if len(fields) != len(TITLES):
        raise Fault(f"{len(fields)} fields where the header has {len(TITLES)}")
    item_id, title = fields
    if is_null(item_id):
        check_id(item_id, "item_id")
    if item_id.split() != [item_id]:
        raise Fault(f"item {item_id!r} is empty or holds blanks")
    return Item(item_id, clean(title))
