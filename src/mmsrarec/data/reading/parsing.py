"""Reads items.jsonl of a data folder one line at a time, so that a fault affects only its line."""

import csv
import json
from typing import Any, NoReturn, cast

from mmsrarec.data.dataset import Item
from mmsrarec.data.reading.cleaning import clean, without_surrogates
from mmsrarec.data.reading.line_faults import Fault, check_id


def parse_item(line: bytes) -> Item:
    """Read one line of items.jsonl and clean its texts.

    A "year" is added to the title, where a language model can read it. Other keys are ignored; tags, for example, are
    made by users and may leak what is to be predicted.

    Args:
        line: The line, without its end.

    Returns:
        The item.

    Raises:
        Fault: The line describes no item.
    """
    try:
        value: object = _JSON.decode(line.decode("utf-8").removeprefix("\ufeff"))
    except UnicodeDecodeError:
        raise Fault("not UTF-8") from None
    except Fault:
        raise
    except (ValueError, RecursionError):  # also a number of thousands of digits
        raise Fault("not one whole JSON object") from None
    if not isinstance(value, dict):
        raise Fault("not a JSON object")
    record = cast(dict[str, Any], value)
    item_id = record.get("item_id")
    if isinstance(item_id, int) and not isinstance(item_id, bool):
        item_id = str(item_id)
    if "item_id" in record and item_id is None:
        raise Fault("item_id is null", "null_items")
    if not isinstance(item_id, str):
        raise Fault("item_id is not a non-empty string of one line")
    check_id(item_id, "item_id")
    title, text, image = (_text(record, key) for key in ("title", "description", "image"))
    categories: object = record.get("categories") or []
    if not isinstance(categories, list):
        raise Fault("categories is not a list of strings")
    category_names = cast(list[Any], categories)
    if not all(isinstance(name, str) for name in category_names):
        raise Fault("categories is not a list of strings")
    title, year = clean(title), clean(str(record.get("year") or ""))
    if year and not title.endswith(f"({year})"):
        title = f"{title} ({year})".strip()
    names = tuple(name for name in map(clean, category_names) if name)
    return Item(item_id, title, clean(text), names, without_surrogates(image) or None)


def csv_fields(line: str) -> list[str]:
    """The fields of one line of CSV; an empty line has none. Raises csv.Error."""
    return next(csv.reader([line], strict=True), list[str]())


def _text(record: dict[str, Any], key: str) -> str:
    """The text under a key, "" without one. Raises Fault."""
    value = record.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise Fault(f"{key} is not a string")
    return value


def _refuse_constant(name: str) -> NoReturn:
    """Refuse NaN and Infinity, which are not JSON."""
    raise Fault(f"{name} is not a value")


_JSON = json.JSONDecoder(parse_constant=_refuse_constant)
