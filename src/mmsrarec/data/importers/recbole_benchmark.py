"""RecBole's benchmark form for sequences: each row holds what a user consumed before, and the item that came next.

The rows of one user overlap. Put together in the order of their length they give the user's sequence once.
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from mmsrarec.data.importers.sequence_rows import Sequence, sequence_table
from mmsrarec.data.importers.source import Batches
from mmsrarec.data.reading.files import Lines, text_lines
from mmsrarec.data.reading.line_faults import Fault

LIST_ENDING = "_list"


def benchmark_table(paths: list[Path], columns: tuple[str, str, str]) -> Batches:
    """The table of interactions of files in the benchmark form.

    Args:
        paths: The files, training first.
        columns: The columns of the user, of the list of earlier items, and of the next item.
    """
    return sequence_table(" + ".join(path.name for path in paths), partial(_sequences, paths, columns), columns[::2])


def _sequences(paths: list[Path], columns: tuple[str, str, str]) -> Iterator[Sequence | tuple[int, Fault]]:
    """The sequence of each user."""
    rows: dict[str, dict[tuple[str, ...], int]] = {}  # user -> items up to the next one -> line
    for path in paths:
        names: list[str] = []
        for number, line in text_lines(Lines(path)):
            fields = [] if line is None else line.split("\t")
            if number == 1:
                names = [field.rpartition(":")[0] for field in fields]
                continue
            if len(fields) != len(names):
                yield number, Fault(f"{len(fields)} fields where the header of {path.name} has {len(names)}")
                continue
            row = dict(zip(names, fields, strict=True))
            user, earlier, item = (row[column] for column in columns)
            rows.setdefault(user, {}).setdefault((*earlier.split(), item), number)
    for user, parts in rows.items():
        items: list[str] = []
        for part in sorted(parts, key=len):
            if not _extend(items, list(part)):
                yield parts[part], Fault(f"user {user!r}: the list does not go on from the user's other rows")
        yield Sequence(min(parts.values()), user, items)


def _extend(items: list[str], part: list[str]) -> bool:
    """Extend a sequence by a row: items before, which may be cut at the front, and the next item."""
    earlier = part[:-1]
    if not items or (len(part) > len(items) and part[: len(items)] == items):
        items[:] = part
    elif earlier and items[-len(earlier) :] == earlier:
        items.append(part[-1])
    else:
        return any(items[start : start + len(part)] == part for start in range(len(items)))
    return True
