"""What tests of formats share: a source that is opened as the command line opens it, and the rows of its tables."""

from pathlib import Path

from mmsrarec.data.importers.catalogue.items import records_of
from mmsrarec.data.importers.formats import format_of
from mmsrarec.data.importers.source import ReadOptions, Record, Source, Table
from mmsrarec.data.reading.line_faults import Fault


def opened(name: str, place: Path | str, **options: object) -> Source:
    """A source whose format is recognised, and is the one that is named."""
    chosen = format_of("auto", str(place))
    assert chosen.name == name
    return chosen.read(str(place), ReadOptions(**options))  # type: ignore[arg-type]


def records(table: Table | None) -> list[Record]:
    """The rows that can be read; each reading of a table gives the same."""
    assert table is not None
    rows = [row for _, row in records_of(table) if not isinstance(row, Fault)]
    assert rows == [row for _, row in records_of(table) if not isinstance(row, Fault)]
    return rows


def faults(table: Table) -> list[tuple[int, str]]:
    return [(line, str(row)) for line, row in records_of(table) if isinstance(row, Fault)]


def values(table: Table | None, *columns: str) -> list[tuple[object, ...]]:
    """Some columns of the rows that can be read."""
    return [tuple(row.get(column) for column in columns) for row in records(table)]
