"""Reads interactions.csv as a table: quickly where no line is in doubt, else line by line by the rules of `parsing`."""

import codecs
import io
from pathlib import Path

import polars as pl

from mmsrarec.data.reading.files import CHUNK_BYTES, Lines, packing
from mmsrarec.data.reading.line_faults import Fault, check_id
from mmsrarec.data.reading.parsing import COLUMNS, TIMESTAMP, read_header, scan_rows
from mmsrarec.errors import DataError

ADVICE = "mend or remove the line, or let mmsrarec import set it aside"


def read_log(path: Path) -> pl.DataFrame:
    """Read a log.

    Args:
        path: The file, packed or plain.

    Returns:
        Columns user_id and item_id as text, and timestamp as int64. Row k stands on line k + 2 of the file.

    Raises:
        MmsrarecError: A line is faulty (the first one is named), or there are no interactions.
    """
    rows = _read_quickly(path)
    if rows is None:
        rows = _read_exactly(path)
    if not len(rows):
        raise DataError(f"{path} holds no interactions")
    return rows


def _read_quickly(path: Path) -> pl.DataFrame | None:
    """The log as polars reads it; None where a line is faulty or `parsing` could read it in another way."""
    names = read_header(iter(Lines(path)), path)
    content = None if packing(path) is None else _content(path)
    counts = _ByteCounts.of(path if content is None else content)
    if content is None and counts.bare_returns:
        content = _content(path)
        counts = _ByteCounts.of(content)
    if not counts.utf8:
        return None
    columns = None if counts.quotes else list(COLUMNS)
    try:
        source = path if content is None else content
        rows = pl.read_csv(source, infer_schema=False, columns=columns, encoding="utf8")
    except Exception:  # polars raises more than its own errors
        return None
    if len(rows) + 1 != counts.lines:
        return None
    if counts.quotes:
        has_quote = rows.select(pl.any_horizontal(pl.all().str.contains('"', literal=True).fill_null(True)).any())
        if has_quote.item():
            return None
    elif counts.commas != (len(names) - 1) * counts.lines:
        return None
    rows = rows.select(COLUMNS)
    if any(rows.null_count().row(0)) or not rows["timestamp"].str.contains(f"^{TIMESTAMP}$").all():
        return None
    try:
        for column in ("user_id", "item_id"):
            for name in rows[column].unique():
                check_id(name, column)
    except Fault:
        return None
    rows = rows.with_columns(pl.col("timestamp").cast(pl.Int64, strict=False))
    return None if rows["timestamp"].null_count() else rows


def _read_exactly(path: Path) -> pl.DataFrame:
    """The log as `parsing` reads it, line by line. Raises MmsrarecError for the first faulty line."""
    columns: dict[str, list[str]] = {name: [] for name in COLUMNS}
    for number, row in scan_rows(Lines(path)):
        if isinstance(row, Fault):
            raise DataError(f"{path}, line {number}: {row}; {ADVICE}")
        for name, values in columns.items():
            values.append(row[name])
    return pl.DataFrame(columns | {"timestamp": list(map(int, columns["timestamp"]))}, schema=_SCHEMA)


_SCHEMA = {"user_id": pl.String, "item_id": pl.String, "timestamp": pl.Int64}


def _content(path: Path) -> io.BytesIO:
    """The file unpacked, with a line feed behind every line."""
    content = io.BytesIO()
    content.writelines(line + b"\n" for line in Lines(path))
    content.seek(0)
    return content


class _ByteCounts:
    """Counts over all bytes of a file, which show whether it can be read quickly."""

    def __init__(self) -> None:
        self.lines = self.commas = self.quotes = 0
        self.bare_returns, self.utf8 = False, True

    @classmethod
    def of(cls, source: Path | io.BytesIO) -> "_ByteCounts":
        """The counts of a file, or of a buffer, which is then read from its start again."""
        counts = cls()
        if isinstance(source, io.BytesIO):
            counts._add(source)
            source.seek(0)
            return counts
        with source.open("rb") as file:
            counts._add(file)
            return counts

    def _add(self, file: io.BufferedIOBase | io.BytesIO) -> None:
        """Count the bytes of a file."""
        decoder, before, returns, pairs = codecs.getincrementaldecoder("utf-8")(), b"\n", 0, 0
        try:
            while chunk := file.read(CHUNK_BYTES):
                decoder.decode(chunk)
                self.lines += chunk.count(b"\n")
                self.commas += chunk.count(b",")
                self.quotes += chunk.count(b'"')
                if (new_returns := chunk.count(b"\r")) or before == b"\r":
                    returns, pairs = returns + new_returns, pairs + (before + chunk).count(b"\r\n")
                before = chunk[-1:]
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            self.utf8 = False
        self.lines += before != b"\n"
        self.bare_returns = returns != pairs
