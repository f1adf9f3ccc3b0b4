"""Reads tables whose lines are objects: JSON lines, Python literals, or one JSON array of objects."""

import ast
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from mmsrarec.data.importers.source import Record, Records
from mmsrarec.data.reading.encodings import is_utf8, likely
from mmsrarec.data.reading.files import Lines, open_bytes
from mmsrarec.data.reading.line_faults import Fault
from mmsrarec.errors import DataError

MAX_LINE_CHARACTERS = 1 << 20
"""A longer line is faulty; items have a few thousand characters."""
MAX_KEPT = 1000
"""So many bytes of a faulty line are handed on, in which an id may be found."""
MAX_ARRAY_BYTES = 1 << 30
"""An array must be read whole."""


def json_lines(path: Path, *, encoding: str | None = None, literals: bool = False) -> Records:
    """Open a file with an object on each line.

    Args:
        path: The file, packed or plain.
        encoding: The encoding; None stands for UTF-8, or what a byte order mark says.
        literals: Whether lines that are no JSON may be Python literals, as {'asin': 'B01'}.

    Returns:
        The records; reading them tells each faulty line.
    """
    return Records(path.name, _Lines(path, encoding, literals))


def json_array(path: Path, *, encoding: str | None = None) -> Records:
    """Open a file that is one JSON array of objects. The line of a record is its place in the array, from 1.

    Raises:
        DataError: It is no such file.
    """
    with open_bytes(path, encoding) as file:
        parts, size = list[bytes](), 0
        while data := file.read(1 << 20):
            parts.append(data)
            size += len(data)
            if size > MAX_ARRAY_BYTES:
                raise DataError(f"{path} is one JSON array of more than 1 GiB: save one object a line instead")
    try:
        value: object = _JSON.decode(b"".join(parts).decode("utf-8").removeprefix("\ufeff"))
    except UnicodeDecodeError:
        raise DataError(f"{path} is not UTF-8, {likely(b''.join(parts))}") from None
    except (ValueError, RecursionError) as error:
        why = f"column {error.colno} of line {error.lineno}" if isinstance(error, json.JSONDecodeError) else error
        raise DataError(f"{path} begins like JSON and is not one whole value ({why}): save it again") from None
    rows = cast(list[object], value) if isinstance(value, list) else [value]
    return Records(path.name, _Array(rows))


def parsed(line: bytes, literals: bool = False, not_decoded: str = "not UTF-8") -> Record:
    """The object of one line.

    Args:
        line: The line, without its end.
        literals: Whether it may be a Python literal.
        not_decoded: The reason where it is not UTF-8.

    Raises:
        Fault: It holds no object, or an object with a key twice.
    """
    if len(line) > MAX_LINE_CHARACTERS:
        raise Fault(f"longer than {MAX_LINE_CHARACTERS} bytes")
    try:
        text = line.decode("utf-8").removeprefix("\ufeff").strip()
    except UnicodeDecodeError:
        raise Fault(not_decoded) from None
    if "\0" in text:
        raise Fault("holds a zero byte")
    what = "neither a JSON object nor a Python literal" if literals else "not one whole JSON object"
    try:
        value: object = _literal(text) if literals and '"' not in text[:3] else _JSON.decode(text)
    except Fault:
        raise
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
        raise Fault(what) from None
    if not isinstance(value, dict):
        raise Fault("not an object" if literals else "not a JSON object")
    return cast(dict[str, Any], value)


def _literal(text: str) -> object:
    value: object = ast.literal_eval(text)
    if isinstance(value, dict):
        return {str(name): part for name, part in cast(dict[object, object], value).items()}
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    if len(record) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise Fault(f"{twice[:30]!a} stands twice in one object")
    return record


_JSON = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=lambda name: None)
"""NaN and Infinity, which are not JSON and which Python writes, count as missing."""


@dataclass(frozen=True)
class _Lines:
    """The records of a file with an object on each line."""

    path: Path
    encoding: str | None
    literals: bool

    def __iter__(self) -> Iterator[tuple[int, Record | Fault]]:
        not_decoded = "" if self.encoding is None else f"not {self.encoding}"
        for number, line in enumerate(Lines(self.path, self.encoding), start=1):
            try:
                if not not_decoded and not line.isascii() and not is_utf8(line):
                    not_decoded = f"not UTF-8, {likely(line)}"
                yield number, parsed(line, self.literals, not_decoded)
            except Fault as fault:
                yield number, Fault(str(fault), fault.kind, line[:MAX_KEPT].decode("utf-8", "replace"))


@dataclass(frozen=True)
class _Array:
    """The records of an array."""

    rows: list[object]

    def __iter__(self) -> Iterator[tuple[int, Record | Fault]]:
        for number, row in enumerate(self.rows, start=1):
            yield number, cast(Record, row) if isinstance(row, dict) else Fault("not a JSON object")
