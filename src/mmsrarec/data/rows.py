"""Reads items and interactions one line at a time, so that a fault stays within its line."""

import csv
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from mmsrarec.data.dataset import IntArray, Item
from mmsrarec.errors import MmsrarecError

COLUMNS = ("user_id", "item_id", "timestamp")

# Today is about 1.8e9 seconds. Below the first bound a number counts as seconds (until the year 5138), below the
# second as milliseconds (from 1973 on), below the third as microseconds.
_UNITS = (("seconds", 1, 10**11), ("milliseconds", 10**3, 10**14), ("microseconds", 10**6, 10**17))


def parse_item(line: bytes) -> Item:
    """One line of items.jsonl. A "year" joins the title, where a language model can read it. Other keys, such as tags
    (made by users, so they may leak what is to be predicted), are ignored. Raises ValueError with the reason."""
    try:
        record = json.loads(line.decode("utf-8").removeprefix("\ufeff"), parse_constant=_refuse_constant)
    except UnicodeDecodeError:
        raise ValueError("not UTF-8") from None
    except (json.JSONDecodeError, RecursionError):
        raise ValueError("not one whole JSON object") from None
    if not isinstance(record, dict):
        raise ValueError("not a JSON object")
    item_id = record.get("item_id")
    if isinstance(item_id, int) and not isinstance(item_id, bool):
        item_id = str(item_id)
    if not isinstance(item_id, str) or not item_id or set(item_id) & set("\r\n\0"):
        raise ValueError("item_id is not a non-empty string of one line")
    title, text, image = (_text(record, key) for key in ("title", "description", "image"))
    categories = record.get("categories") or []
    if not isinstance(categories, list) or not all(isinstance(name, str) for name in categories):
        raise ValueError("categories is not a list of strings")
    year = record.get("year")
    if year and not title.endswith(f"({year})"):
        title = f"{title} ({year})".strip()
    return Item(item_id, title, text, tuple(categories), image or None)


def scan_rows(path: Path) -> Iterator[tuple[int, dict[str, str] | str]]:
    """(line number, the row by column name, or the reason why it is none) for each line below the header.

    Slow and exact, one line at a time, so that a fault stays within its line. Raises MmsrarecError without the header.
    """
    with path.open("rb") as file:
        header = file.readline().removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace").rstrip("\r\n")
        names = next(csv.reader([header]), [])
        missing = [name for name in COLUMNS if name not in names]
        if missing:
            raise MmsrarecError(f"{path}: the first line must name the columns {','.join(COLUMNS)}; no {missing[0]}")
        for number, line in enumerate(file, start=2):
            yield number, _parse_row(line, names)


def text_lines(file: Iterable[bytes]) -> Iterator[tuple[int, str | None]]:
    """(number from 1, the line without its end, or None where it is not UTF-8) of a file open for bytes."""
    for number, line in enumerate(file, start=1):
        try:
            yield number, line.decode("utf-8").removeprefix("\ufeff" if number == 1 else "").rstrip("\r\n")
        except UnicodeDecodeError:
            yield number, None


def to_seconds(raw: IntArray, where: str) -> IntArray:
    """Timestamps (n,) in seconds, milliseconds or microseconds, told apart by their magnitude, as seconds (n,) int64.
    Raises MmsrarecError where units are mixed or unknown; `where` names the file for the message."""
    unit = np.searchsorted([bound for _, _, bound in _UNITS], np.abs(raw), side="right")
    found, counts = np.unique(unit, return_counts=True)
    if len(found) > 1 or (len(found) and found[0] == len(_UNITS)):
        names = [name for name, _, _ in _UNITS] + ["something larger than microseconds"]
        mix = ", ".join(f"{count} look like {names[u]}" for u, count in zip(found, counts, strict=True))
        raise MmsrarecError(f"{where}: of the timestamps {mix}; bring all of them to seconds")
    return raw // (_UNITS[found[0]][1] if len(found) else 1)


def _parse_row(line: bytes, names: list[str]) -> dict[str, str] | str:
    try:
        fields = next(csv.reader([line.decode("utf-8").rstrip("\r\n")], strict=True), [])
    except UnicodeDecodeError:
        return "not UTF-8"
    except csv.Error as error:
        return f"not CSV ({error})"
    if len(fields) != len(names):
        return f"{len(fields)} fields where the header has {len(names)}"
    row = dict(zip(names, fields, strict=True))
    if not row["user_id"] or not row["item_id"]:
        return "user_id or item_id is empty"
    if not row["timestamp"].removeprefix("-").isdecimal() or len(row["timestamp"]) > 18:
        return f"timestamp {row['timestamp'][:20]!r} is not a whole number"
    return row


def _text(record: dict[str, Any], key: str) -> str:
    value = record.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise ValueError(f"{key} is not a string")
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a value")
