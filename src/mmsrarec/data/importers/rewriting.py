"""Changes the rows of a table while they are read: an id looked up, a title without its year, a picture by its name."""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import chain
from typing import TypeAlias

import polars as pl

from mmsrarec.data.importers.catalogue.items import records_of
from mmsrarec.data.importers.source import Batch, Batches, Record, Records, Table
from mmsrarec.data.reading.line_faults import Fault

Change: TypeAlias = Callable[[Record], Record]
"""A row's new content. It raises Fault for a row that is to be set aside."""


@dataclass(frozen=True)
class _ChangedRows:
    """The rows of a table, changed anew in each iteration."""

    table: Table
    change: Change

    def __iter__(self) -> Iterator[tuple[int, Record | Fault]]:
        for line, record in records_of(self.table):
            try:
                yield line, record if isinstance(record, Fault) else self.change(record)
            except Fault as reason:
                yield line, reason
            except KeyError as missing:  # the format's own column, which this file lacks
                yield line, Fault(f"no {missing.args[0]}")


def with_changed_rows(table: Table, change: Change, columns: tuple[str, ...] = ()) -> Records:
    """A table whose rows are changed one by one: for items.

    Args:
        table: The table.
        change: The function that changes a row.
        columns: The names of the columns afterwards, where they are known.
    """
    return Records(table.file, _ChangedRows(table, change), columns)


def with_changed_batches(
    table: Batches, change: Callable[[pl.DataFrame], pl.DataFrame], columns: Mapping[str, str]
) -> Batches:
    """A table whose batches are changed: for interactions, of which there may be millions.

    Args:
        table: The table.
        change: The function that changes a batch. It keeps its rows.
        columns: Column afterwards -> the column that it comes from.
    """

    def read(wanted: Collection[str]) -> Iterator[Batch]:
        names = [column for column in columns if column in wanted]
        for batch in table.read([columns[name] for name in names]):
            yield batch._replace(rows=change(batch.rows).select(names))

    return replace(table, columns=tuple(columns), read=read)


def one_after_the_other(tables: list[Batches]) -> Batches:
    """Several files with the same columns as one table; the numbers of lines count on from file to file."""

    def read(wanted: Collection[str]) -> Iterator[Batch]:
        before = 0
        for table in tables:
            last = before
            for batch in table.read(wanted):
                lines = batch.lines + before
                last = max([last, *lines.tail(1).to_list(), *(row.line + before for row in batch.set_aside)])
                yield batch._replace(lines=lines)
            before = last

    notes = chain.from_iterable(table.notes for table in tables)
    columns = tuple(dict.fromkeys(chain.from_iterable(table.columns for table in tables)))
    return Batches(" + ".join(table.file for table in tables), columns, read, tuple(dict.fromkeys(notes)))
