"""Reads interactions.csv whole: quickly where nothing is in doubt, else line by line by the rules of `rows`."""

import codecs
import io
from pathlib import Path

import polars as pl

from mmsrarec.data.reading.files import CHUNK, Lines, packing
from mmsrarec.data.reading.line_faults import Fault, check_id
from mmsrarec.data.reading.parsing import COLUMNS, TIMESTAMP, read_header, scan_rows
from mmsrarec.errors import DataError

ADVICE = "mend or remove the line, or let mmsrarec import set it aside"


def read_log(path: Path) -> pl.DataFrame:
    """user_id and item_id as text, timestamp as a whole number. Row k stands on line k + 2 of the file.

    Raises MmsrarecError for the first line that the import would set aside.
    """
    rows = _quickly(path)
    if rows is None:
        rows = _exactly(path)
    if not len(rows):
        raise DataError(f"{path} holds no interactions")
    return rows


def _quickly(path: Path) -> pl.DataFrame | None:
    """None where any line could mean something else to `rows`, or is faulty: then the slow way says what and where."""
    names = read_header(iter(Lines(path)), path)
    content = None if packing(path) is None else _content(path)
    facts = _Facts.of(path if content is None else content)
    if content is None and facts.lone_returns:
        content = _content(path)
        facts = _Facts.of(content)
    if not facts.utf8:
        return None
    columns = None if facts.quotes else list(COLUMNS)
    try:
        source = path if content is None else content
        rows = pl.read_csv(source, infer_schema=False, columns=columns, encoding="utf8")
    except Exception:  # also what polars does not mean to raise
        return None
    if len(rows) + 1 != facts.lines:
        return None
    if facts.quotes:
        has_quote = rows.select(pl.any_horizontal(pl.all().str.contains('"', literal=True).fill_null(True)).any())
        if has_quote.item():
            return None
    elif facts.commas != (len(names) - 1) * facts.lines:
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


def _exactly(path: Path) -> pl.DataFrame:
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


class _Facts:
    """What a glance at all bytes tells."""

    def __init__(self) -> None:
        self.lines = self.commas = self.quotes = 0
        self.lone_returns, self.utf8 = False, True

    @classmethod
    def of(cls, source: Path | io.BytesIO) -> "_Facts":
        if isinstance(source, io.BytesIO):
            found = cls()
            found._look(source)
            source.seek(0)
            return found
        with source.open("rb") as file:
            found = cls()
            found._look(file)
            return found

    def _look(self, file: io.BufferedIOBase | io.BytesIO) -> None:
        decoder, before, returns, pairs = codecs.getincrementaldecoder("utf-8")(), b"\n", 0, 0
        try:
            while chunk := file.read(CHUNK):
                decoder.decode(chunk)
                self.lines += chunk.count(b"\n")
                self.commas += chunk.count(b",")
                self.quotes += chunk.count(b'"')
                if (found := chunk.count(b"\r")) or before == b"\r":
                    returns, pairs = returns + found, pairs + (before + chunk).count(b"\r\n")
                before = chunk[-1:]
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            self.utf8 = False
        self.lines += before != b"\n"
        self.lone_returns = returns != pairs
