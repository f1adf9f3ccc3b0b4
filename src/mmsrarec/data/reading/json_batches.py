"""Reads a log whose lines are objects: blocks of plain JSON quickly by Polars, all others line by line.

A block is read quickly if Polars finds one object on each of its lines, no key stands more often than lines, no line
is too long, and no text holds half a character. Every other block is read by the rules of `json_lines`. Both ways give
the same texts.
"""

import io
import json
from collections.abc import Collection, Iterator
from pathlib import Path

import polars as pl

from mmsrarec.data.importers.source import Batch, Batches, Record, SetAside
from mmsrarec.data.reading.delimited import blocks
from mmsrarec.data.reading.encodings import likely
from mmsrarec.data.reading.json_lines import MAX_LINE_CHARACTERS, parsed
from mmsrarec.data.reading.line_faults import Fault
from mmsrarec.errors import DataError

MAX_WHOLE = 1e15
"""Larger numbers with a fraction are written with an exponent."""


def json_batches(
    path: Path, *, encoding: str | None = None, literals: bool = False, required: Collection[str] = ()
) -> Batches:
    """Open a log with an object on each line. Every value becomes text; lists and objects become JSON.

    Args:
        path: The file, packed or plain.
        encoding: The encoding; None stands for UTF-8, or what a byte order mark says.
        literals: Whether lines that are no JSON may be Python literals, as {'asin': 'B01'}.
        required: Keys without which a line is faulty, unless one before it says nothing.

    Returns:
        The table; its columns are the keys in the first 16 MB. Reading it sets faulty lines aside.

    Raises:
        DataError: The file cannot be read, or its first 16 MB hold no object.
    """
    path = Path(path)
    columns = _columns(next(blocks(path, encoding))[0], literals)
    if not columns:
        what = "an object, as JSON or as a Python literal" if literals else "a JSON object"
        raise DataError(f"{path} holds no rows: each line must be {what}")

    def read(wanted: Collection[str]) -> Iterator[Batch]:
        names = [name for name in columns if name in wanted]
        first = 1
        for data, final in blocks(path, encoding):
            whole = not data or data.endswith(b"\n")
            batch = _quick(data, names, first, required) or _exact(path.name, data, names, first, literals, required)
            first += data.count(b"\n") + (not whole)
            yield batch._replace(whole=whole or not final)

    return Batches(path.name, columns, read)


def _columns(block: bytes, literals: bool) -> tuple[str, ...]:
    """The keys in a block, in the order of their appearance."""
    try:
        return tuple(pl.read_ndjson(io.BytesIO(block), infer_schema_length=None).columns)
    except Exception:  # whatever Polars does not read, the exact way may
        names: dict[str, None] = {}
        for line in block.split(b"\n"):
            try:
                names.update(dict.fromkeys(parsed(line, literals)))
            except Fault:
                continue
        return tuple(names)


def _quick(data: bytes, names: list[str], first: int, required: Collection[str]) -> Batch | None:
    """The rows of a block as Polars reads them; None where the exact way could read them otherwise."""
    sizes = [len(line) for line in data.split(b"\n")]
    lines = len(sizes) - (not sizes[-1])
    if not lines or not names or max(sizes) > MAX_LINE_CHARACTERS:
        return None
    counts = {name: data.count(json.dumps(name).encode() + b":") for name in {*names, *required}}
    if max(counts.values()) > lines or any(counts[name] != lines for name in required):
        return None
    try:
        rows = pl.read_ndjson(io.BytesIO(data), schema=dict.fromkeys(names, pl.String))
    except Exception:  # Polars raises more than its own errors
        return None
    if len(rows) != lines:
        return None
    if b"\\u" in data and any(rows[name].str.contains("\0", literal=True).any() for name in names):
        return None
    number = pl.int_range(first, first + lines, dtype=pl.Int64, eager=True).alias("line")
    return Batch(rows.with_columns(pl.all().fill_null("")), number)


def _exact(file: str, data: bytes, names: list[str], first: int, literals: bool, required: Collection[str]) -> Batch:
    """The rows of a block, line by line."""
    rows: list[list[str]] = []
    numbers: list[int] = []
    faults: list[SetAside] = []
    lines = data.split(b"\n")
    if not lines[-1]:
        lines.pop()
    for number, line in enumerate(lines, start=first):
        try:
            record = parsed(line, literals, "" if line.isascii() else f"not UTF-8, {likely(line)}")
            _check_keys(record, required)
            rows.append([_text(record.get(name)) for name in names])
            numbers.append(number)
        except Fault as fault:
            faults.append(SetAside(file, number, str(fault), fault.kind))
    table = pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String), orient="row")
    return Batch(table, pl.Series("line", numbers, dtype=pl.Int64), tuple(faults))


def _check_keys(record: Record, required: Collection[str]) -> None:
    """Raise Fault where a key is missing; a row without a user is a guest's, whatever else it lacks."""
    for name in required:
        if name not in record:
            raise Fault(f"no {name}")
        if record[name] in (None, ""):
            return


def _text(value: object) -> str:
    """A value as Polars writes it."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode() if not value.isprintable() else value
    if isinstance(value, float) and value.is_integer() and abs(value) < MAX_WHOLE:
        return f"{value:.0f}"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, bool | list | dict) else str(value)
