"""Reads tables with separators: well-formed lines quickly by Polars, all others one by one, so that none is lost.

A line is well-formed if it is UTF-8, has as many separators as the header, and no quotation mark. Every other line is
read exactly; it may go on for several lines within quotation marks. What is wrong is set aside with file and line.
"""

import csv
import io
from collections.abc import Collection, Iterator
from functools import cached_property
from pathlib import Path
from typing import IO

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mmsrarec.core.terminal import one_line
from mmsrarec.data.importers.source import Batch, Batches, SetAside
from mmsrarec.data.reading.encodings import is_utf8, likely
from mmsrarec.data.reading.files import encoding_of, open_bytes, with_line_feeds
from mmsrarec.data.reading.line_faults import Fault
from mmsrarec.data.reading.separators import in_words, sniffed
from mmsrarec.errors import DataError

BLOCK_BYTES = 16 << 20
MAX_RECORD_LINES = 500
"""A record may go on for so many lines within quotation marks."""
MAX_FIELD_CHARACTERS = 1 << 20
SAMPLE_LINES = 50
FIELD = b"\x1f"
"""Stands for a separator of several characters while Polars reads."""


def read_delimited(
    path: Path,
    *,
    separator: str | None = None,
    names: tuple[str, ...] | None = None,
    encoding: str | None = None,
    quotes: bool = True,
) -> Batches:
    """Open a table of text with separators, packed or plain.

    Args:
        path: The file.
        separator: What parts the columns, of any length; None finds it out.
        names: The names of the columns of a file without a header; None takes them from the first line.
        encoding: The encoding; None stands for UTF-8, or what a byte order mark says.
        quotes: Whether a field may stand in quotation marks, as in CSV.

    Returns:
        The table. Reading it sets faulty lines aside.

    Raises:
        DataError: The file cannot be read, is empty, or names a column twice.
    """
    table = _Delimited(Path(path), separator, names, encoding, quotes)
    notes: list[str] = []
    if separator is None and table.separator != ",":
        notes.append(f"{path.name}: the columns are parted by {in_words(table.separator)}")
    if (used := encoding_of(path, encoding)) is not None:
        notes.append(f"{path.name}: read as {used}")
    return Batches(path.name, table.columns, table.read, tuple(notes))


def blocks(path: Path, encoding: str | None = None) -> Iterator[tuple[bytes, bool]]:
    """The content of a file in large parts of whole lines, with line feeds as ends.

    Yields:
        Some lines, and whether they are the last. A last line without an end has none here either.
    """
    with open_bytes(path, encoding) as file:
        rest, mark = b"", b"\xef\xbb\xbf"
        while data := _filled(file, rest):
            data = data.removeprefix(mark)
            mark = b""
            held = len(data) - len(data.rstrip(b"\r"))  # a line feed may follow
            lines = with_line_feeds(data[: len(data) - held])
            end = lines.rfind(b"\n") + 1
            rest = lines[end:] + data[len(data) - held :]
            if end:
                yield lines[:end], False
        yield with_line_feeds(rest), True


def _filled(file: IO[bytes], rest: bytes) -> bytes:
    """The rest and the next bytes of a file, BLOCK_BYTES or more where there are so many; b"" at its end."""
    parts = [rest]
    size = 0
    while size < BLOCK_BYTES and (data := file.read(BLOCK_BYTES)):
        parts.append(data)
        size += len(data)
    return b"".join(parts) if size else b""


class _Delimited:
    """A table of text with separators."""

    def __init__(
        self, path: Path, separator: str | None, names: tuple[str, ...] | None, encoding: str | None, quotes: bool
    ):
        self.path, self.encoding, self.quotes = path, encoding, quotes
        block = next(blocks(path, encoding))[0]
        sample = block.split(b"\n", SAMPLE_LINES)[:SAMPLE_LINES]
        text = [line.decode("utf-8", "replace") for line in sample]
        self.separator = separator or sniffed(text)
        if not self.separator or any(sign in self.separator for sign in '\n\r"'):
            raise DataError(f"{path}: columns cannot be parted by {self.separator!r}")
        self.header_lines = 0
        if names is None:
            names = self._header(sample)
        self.columns = names

    def _header(self, lines: list[bytes]) -> tuple[str, ...]:
        """The names of the columns; the lines of the header are counted."""
        if not any(lines):
            raise DataError(f"{self.path} is empty: the first line must name the columns")
        try:
            fields, self.header_lines = self.record(lines, 0, None)
        except Fault as fault:
            raise DataError(f"{self.path}: the first line must name the columns, and it is {fault}") from None
        if fields is None:
            raise DataError(f"{self.path}: the first line must name the columns, and its quotation mark never closes")
        if not fields:
            raise DataError(f"{self.path}: the first line is empty, and it must name the columns")
        names = [name.strip() or f"column_{number}" for number, name in enumerate(fields, start=1)]
        for name in names:
            if names.count(name) > 1:
                raise DataError(f"{self.path}: the first line names the column {one_line(name)!r} twice: rename one")
        return tuple(names)

    def read(self, columns: Collection[str]) -> Iterator[Batch]:
        """The table in parts, with the named columns."""
        wanted = [number for number, name in enumerate(self.columns) if name in columns]
        first, rest, to_skip = 1, b"", self.header_lines
        for block, final in blocks(self.path, self.encoding):
            whole = not final or not block or block.endswith(b"\n")
            data = rest + block
            if to_skip:
                data, first = _without_lines(data, to_skip), to_skip + 1
                to_skip = 0
            if final and data and not data.endswith(b"\n"):
                data += b"\n"
            part = _Block(self, data, first, wanted, final)
            batch = part.batch()
            rest, first = data[part.used :], first + part.used_lines
            yield batch._replace(whole=whole)

    def record(self, lines: list[bytes], index: int, used: "_Block | None") -> tuple[list[str] | None, int]:
        """The fields of the record that starts at a line, and how many lines it has; None: it needs more lines."""
        text = self.decoded(lines[index])
        count = 1
        if not self.quotes or '"' not in text:
            return text.split(self.separator) if text else [], count
        spaced = self.separator in (", ", "; ")
        if len(self.separator) > 1 and not spaced:
            return text.split(self.separator), count
        while True:
            try:
                reader = csv.reader(
                    io.StringIO(text, newline=""), delimiter=self.separator[0], skipinitialspace=spaced, strict=True
                )
                return next(reader), count
            except csv.Error as error:
                reason = f"not CSV ({error})"
                if self.separator == "\t":  # most programs that write tabs write no quotation marks around fields
                    return lines[index].decode().split("\t"), 1
                if "unexpected end" not in reason:
                    raise Fault(reason) from None
            parts = [text]
            quotes = text.count('"')
            while index + count < len(lines) and count < MAX_RECORD_LINES:
                more = self.decoded(lines[index + count])
                parts.append(more)
                count += 1
                quotes += more.count('"')
                if '"' in more and quotes % 2 == 0:
                    break
            else:
                if used is not None and not used.final and count < MAX_RECORD_LINES:
                    return None, count
                raise Fault(reason)
            text = "\n".join(parts)

    def decoded(self, line: bytes) -> str:
        """A line as text. Raises Fault."""
        if len(line) > MAX_FIELD_CHARACTERS:
            raise Fault(f"longer than {MAX_FIELD_CHARACTERS} bytes")
        try:
            text = line.decode("utf-8")
        except UnicodeDecodeError:
            raise Fault(self.not_decoded) from None
        if "\0" in text:
            raise Fault("holds a zero byte")
        return text

    @cached_property
    def not_decoded(self) -> str:
        """Why a line cannot be decoded, with the likely encoding of the file."""
        if self.encoding is not None:
            return f"not {self.encoding}"
        for block, _ in blocks(self.path):
            try:
                block.decode("utf-8")
            except UnicodeDecodeError as error:
                start = block.rfind(b"\n", 0, error.start) + 1
                return f"not UTF-8, {likely(block[start:])}"
        return "not UTF-8"


class _Block:
    """Some whole lines of a table.

    Attributes:
        used: The number of bytes that became rows or were set aside; a record may go on in the next block.
        used_lines: The number of these lines.
    """

    def __init__(self, table: _Delimited, data: bytes, first: int, wanted: list[int], final: bool):
        self.table, self.first, self.wanted, self.final = table, first, wanted, final
        self.original = data
        separator = table.separator.encode()
        self.data = data.replace(separator, FIELD) if len(separator) > 1 else data
        self.separator = FIELD if len(separator) > 1 else separator
        self.codes = np.frombuffer(self.data, dtype=np.uint8)
        self.ends = np.flatnonzero(self.codes == 10)
        self.used, self.used_lines = len(data), len(self.ends)

    def batch(self) -> Batch:
        """The rows of the block."""
        good = self._well_formed()
        exact: list[list[str]] = []
        numbers: list[int] = []
        set_aside: list[SetAside] = []
        lines: list[bytes] = []
        below = 0
        n_columns = len(self.table.columns)
        for index in np.flatnonzero(~good).tolist():
            if index < below:
                continue
            lines = lines or self.original.split(b"\n")[:-1]
            try:
                fields, count = self.table.record(lines, index, self)
                if fields is None:
                    self._stop_at(index, lines)
                    good[index:] = False
                    break
                if len(fields) != n_columns:
                    raise Fault(f"{len(fields)} fields where the header has {n_columns}")
            except Fault as fault:
                set_aside.append(SetAside(self.table.path.name, self.first + index, str(fault), fault.kind))
                continue
            good[index + 1 : index + count] = False
            below = index + count
            exact.append([fields[number] for number in self.wanted])
            numbers.append(self.first + index)
        return self._joined(good, exact, numbers, tuple(set_aside))

    def _well_formed(self) -> NDArray[np.bool_]:
        """(n,) bool, whether a line can be read quickly."""
        separators = np.flatnonzero(self.codes == self.separator[0])
        counts = np.diff(np.searchsorted(separators, self.ends), prepend=0)
        good = counts == len(self.table.columns) - 1
        good &= np.diff(self.ends, prepend=-1) > 1  # an empty line
        odd = [b"\0"] + ([b'"'] if self.table.quotes else [])
        for sign in odd:
            if sign in self.data:
                good[np.searchsorted(self.ends, np.flatnonzero(self.codes == sign[0]))] = False
        if self.separator == FIELD and FIELD in self.original:
            places = np.flatnonzero(np.frombuffer(self.original, dtype=np.uint8) == FIELD[0])
            ends = np.flatnonzero(np.frombuffer(self.original, dtype=np.uint8) == 10)
            good[np.searchsorted(ends, places)] = False
        if self.table.separator in (", ", "; "):  # a separator without its blank
            bare = np.searchsorted(self.ends, np.flatnonzero(self.codes == ord(self.table.separator[0])))
            good[bare] = False
        if not self.data.isascii():
            try:
                self.data.decode("utf-8")
            except UnicodeDecodeError:
                for index in np.unique(np.searchsorted(self.ends, np.flatnonzero(self.codes >= 128))).tolist():
                    good[index] &= is_utf8(self.data[self.ends[index - 1] + 1 if index else 0 : self.ends[index]])
        return good

    def _stop_at(self, index: int, lines: list[bytes]) -> None:
        """Leave the lines from one on to the next block."""
        self.used = sum(len(line) + 1 for line in lines[:index])
        self.used_lines = index

    def _joined(
        self, good: NDArray[np.bool_], exact: list[list[str]], numbers: list[int], set_aside: tuple[SetAside, ...]
    ) -> Batch:
        """The rows that were read quickly and those that were read exactly, in the order of their lines."""
        names = [self.table.columns[number] for number in self.wanted]
        quick_lines = np.flatnonzero(good) + self.first
        rows = self._quick(good, names)
        lines = pl.Series("line", quick_lines, dtype=pl.Int64)
        if exact:
            columns = [list(column) for column in zip(*exact, strict=True)] or [[] for _ in names]
            slow = pl.DataFrame(dict(zip(names, columns, strict=True)), schema=dict.fromkeys(names, pl.String))
            lines = pl.concat([lines, pl.Series("line", numbers, dtype=pl.Int64)])
            order = lines.arg_sort()
            rows, lines = pl.concat([rows, slow])[order], lines[order]
        return Batch(rows, lines, set_aside)

    def _quick(self, good: NDArray[np.bool_], names: list[str]) -> pl.DataFrame:
        """The well-formed lines as Polars reads them."""
        schema = dict.fromkeys(names, pl.String)
        if not good.any() or not names:
            return pl.DataFrame(schema=schema)
        data = self.data
        if not good.all():
            lengths = np.diff(self.ends, prepend=-1)
            data = self.codes[: len(self.data)][np.repeat(good, lengths)].tobytes()
        rows = pl.read_csv(
            io.BytesIO(data),
            has_header=False,
            separator=self.separator.decode(),
            quote_char=None,
            infer_schema=False,
            columns=self.wanted,
        )
        if rows.height != int(good.sum()):
            raise DataError(f"{self.table.path}: {rows.height} rows in {int(good.sum())} lines from {self.first} on")
        rows.columns = names
        return rows.with_columns(pl.all().fill_null(""))


def _without_lines(data: bytes, count: int) -> bytes:
    """The data without its first lines."""
    at = 0
    for _ in range(count):
        at = data.find(b"\n", at) + 1
        if not at:
            return b""
    return data[at:]
