"""Opens a table whatever its format: the content of the file decides, not its name."""

from pathlib import Path

import polars as pl

from mmsrarec.core.terminal import one_line
from mmsrarec.data.importers.source import Frame, Table
from mmsrarec.data.reading.delimited import read_delimited
from mmsrarec.data.reading.files import open_bytes, with_line_feeds
from mmsrarec.data.reading.json_lines import json_array, json_lines
from mmsrarec.data.reading.spreadsheets import is_spreadsheet, read_spreadsheet
from mmsrarec.errors import DataError

PARQUET = b"PAR1"
START_BYTES = 1 << 16


def read_table(
    path: Path, *, encoding: str | None = None, separator: str | None = None, names: tuple[str, ...] | None = None
) -> Table:
    """Open a table: CSV, TSV and other separators, JSON lines, a JSON array, Parquet, or a sheet of Excel.

    Args:
        path: The file.
        encoding: The encoding of a text file; None stands for UTF-8, or what a byte order mark says.
        separator: What parts the columns of a text file; None finds it out.
        names: The names of the columns of a text file without a header; None takes them from the first line.

    Returns:
        The table, with the column names of the file.

    Raises:
        DataError: The file cannot be read, or it is no table.
    """
    path = Path(path)
    if _starts_with(path, PARQUET):
        return parquet(path)
    if is_spreadsheet(path):
        return read_spreadsheet(path)
    with open_bytes(path, encoding) as file:
        start = file.read(START_BYTES).removeprefix(b"\xef\xbb\xbf").lstrip()
    if start.startswith(b"[") and not separator:
        return json_array(path, encoding=encoding)
    if start.startswith(b"{") and not separator:
        first, _, second = with_line_feeds(start).partition(b"\n")
        one_a_line = first.rstrip().endswith(b"}") or second.startswith(b"{") or len(first) == START_BYTES
        return json_lines(path, encoding=encoding) if one_a_line else json_array(path, encoding=encoding)
    return read_delimited(path, encoding=encoding, separator=separator, names=names)


def parquet(path: Path) -> Frame:
    """Open a Parquet file. The line of a row is its number, from 1.

    Raises:
        DataError: It is damaged.
    """
    try:
        rows = pl.scan_parquet(path)
        names = rows.collect_schema().names()
        rows.head(1).collect()
    except Exception as error:  # damaged files make the reader raise nearly anything
        why = one_line(error).partition(". ")[0][:80]
        raise DataError(f"{path} is a Parquet file that cannot be read ({why}): export it again") from None
    if not names:
        raise DataError(f"{path} has no columns")
    return Frame(path.name, rows, first_line=1)


def _starts_with(path: Path, magic: bytes) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(magic)) == magic
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror})") from None
