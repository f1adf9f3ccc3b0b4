"""Turns sequences, a user and items in time order, into rows: a row for each item, all on the line of its sequence."""

from collections.abc import Callable, Collection, Iterable, Iterator
from typing import NamedTuple

import polars as pl

from mmsrarec.data.importers.source import Batch, Batches, SetAside
from mmsrarec.data.reading.line_faults import Fault

BATCH_ROWS = 100_000


class Sequence(NamedTuple):
    """A user's items.

    Attributes:
        line: The number of the line.
        user_id: The user.
        item_ids: The items, oldest first.
    """

    line: int
    user_id: str
    item_ids: list[str]


def sequence_table(
    file: str,
    sequences: Callable[[], Iterable[Sequence | tuple[int, Fault]]],
    columns: tuple[str, ...] = ("user_id", "item_id"),
) -> Batches:
    """The table of interactions of a file of sequences.

    Args:
        file: The name of the file.
        sequences: Reads the file from its start: a sequence, or the number of a faulty line and the reason.
        columns: The columns of the user and of the item.
    """

    def read(_: Collection[str]) -> Iterator[Batch]:
        users: list[str] = []
        items: list[str] = []
        lines: list[int] = []
        faults: list[SetAside] = []
        for sequence in sequences():
            if not isinstance(sequence, Sequence):
                faults.append(SetAside(file, sequence[0], str(sequence[1]), sequence[1].kind))
                continue
            users += [sequence.user_id] * len(sequence.item_ids)
            lines += [sequence.line] * len(sequence.item_ids)
            items += sequence.item_ids
            if len(users) >= BATCH_ROWS:
                yield _batch({columns[0]: users, columns[1]: items}, lines, faults)
                users, items, lines, faults = [], [], [], []
        yield _batch({columns[0]: users, columns[1]: items}, lines, faults)

    return Batches(file, columns, read)


def _batch(columns: dict[str, list[str]], lines: list[int], faults: list[SetAside]) -> Batch:
    """Rows as a batch."""
    rows = pl.DataFrame(columns, schema=dict.fromkeys(columns, pl.String))
    return Batch(rows, pl.Series("line", lines, dtype=pl.Int64), tuple(faults))
