"""Reads the first sheet of a spreadsheet of Excel or LibreOffice as a table, through the package fastexcel."""

import importlib
import zipfile
from pathlib import Path
from typing import Any

import polars as pl

from mmsrarec.core.terminal import one_line
from mmsrarec.data.importers.source import Frame
from mmsrarec.errors import DataError, MissingDependencyError

ENDINGS = (".xlsx", ".xlsm", ".xlsb", ".xls", ".ods")
LINE = "line of the sheet"
OLE = b"\xd0\xcf\x11\xe0"
MAX_UNPACKED_BYTES = 1 << 30
"""A spreadsheet is read whole; its million lines unpack to less."""


def is_spreadsheet(path: Path) -> bool:
    """Whether a file is a spreadsheet, by its content: an archive that lists its parts, or an old file of Office."""
    with path.open("rb") as file:
        start = file.read(4)
    if start == OLE:
        return True
    if start != b"PK\x03\x04":
        return False
    try:
        with zipfile.ZipFile(path) as archive:
            names = set(archive.namelist())
            ods = "mimetype" in names and b"opendocument.spreadsheet" in archive.read("mimetype")[:100]
            return ods or any(name.startswith("xl/workbook.") for name in names)
    except (zipfile.BadZipFile, OSError, NotImplementedError, RuntimeError):
        return False


def read_spreadsheet(path: Path) -> Frame:
    """Open the first sheet that has rows. Every value is text; a date is ISO 8601, and 7.0 is 7, as Excel shows it.

    Args:
        path: The file.

    Returns:
        The table; its first row names the columns.

    Raises:
        MissingDependencyError: fastexcel is not installed.
        DataError: The file cannot be read, or it holds no table.
    """
    try:
        fastexcel: Any = importlib.import_module("fastexcel")
    except ImportError:
        raise MissingDependencyError(
            f"{path} is a spreadsheet: pip install 'mmsrarec[excel]', or save it as CSV"
        ) from None
    _check_size(path)
    try:
        book = fastexcel.read_excel(path)
        for name in book.sheet_names:
            sheet = book.load_sheet(name, dtypes="string", header_row=0)
            if sheet.height:
                return Frame(f"{path.name}, sheet {name}", _rows(sheet).lazy(), first_line=None, line_column=LINE)
    except Exception as error:  # damaged files make the reader raise nearly anything
        why = one_line(str(error).partition("\n")[0])[:120]
        raise DataError(f"{path} is a spreadsheet that cannot be read ({why}): save it as CSV") from None
    raise DataError(f"{path} has no sheet with rows below a line of names")


def _rows(sheet: Any) -> pl.DataFrame:
    """A sheet as text, with the number of each line, and without lines that are empty."""
    rows: pl.DataFrame = sheet.to_polars()
    rows = rows.with_columns(pl.all().cast(pl.String))
    return rows.with_row_index(LINE, offset=2).filter(pl.any_horizontal(pl.exclude(LINE).is_not_null()))


def _check_size(path: Path) -> None:
    """Raise DataError for an archive that unpacks to far more than a spreadsheet does."""
    if not zipfile.is_zipfile(path):
        return
    with zipfile.ZipFile(path) as archive:
        size = sum(entry.file_size for entry in archive.infolist())
    if size > MAX_UNPACKED_BYTES:
        raise DataError(f"{path} unpacks to {size >> 20} MiB, which no spreadsheet does: save it as CSV")
