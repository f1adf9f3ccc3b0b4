"""The values of an item's columns as the texts of an item: numbers, lists, lists of lists, objects, written lists."""

import ast
import json
import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from mmsrarec.data.reading.cleaning import clean
from mmsrarec.data.reading.line_faults import Fault, is_null

PICTURE_KEYS = ("hi_res", "large", "url", "src", "path", "file", "name", "thumb")
"""The keys under which an object names a picture, the better ones first."""
_CATEGORIES = re.compile(r"\s*[>|,;]\s*")
_MAX_DEPTH = 8


@dataclass
class Conversions:
    """How often a value of another type than text was read.

    Attributes:
        counts: What was read -> how often.
    """

    counts: "Counter[str]" = field(default_factory=Counter[str])

    def count(self, what: str) -> None:
        """Count one value."""
        self.counts[what] += 1


def id_value(value: object, conversions: Conversions) -> str:
    """The id of an item as text: a whole number is its decimal form, 123.0 is 123.

    Raises:
        Fault: It is missing, or neither text nor a whole number.
    """
    value = python_value(value)
    if isinstance(value, str):
        return value
    if is_missing(value):
        raise Fault("item_id is missing", "null_items")
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        conversions.count("item_id: 123.0 as 123")
        return str(int(value))
    raise Fault(f"item_id is a {type(value).__name__}, neither text nor a whole number")


def texts_of(value: object, name: str, conversions: Conversions, depth: int = 0) -> list[str]:
    """The cleaned texts of a value, without those that say nothing.

    Args:
        value: A text, a number, a list, an object, or a list written as text.
        name: The field, for the count.
        conversions: Where other types than text are counted.
        depth: How deep the value lies in others.

    Returns:
        The texts; an object gives "key: value" for each of its entries.
    """
    value = python_value(value)
    if depth > _MAX_DEPTH or is_missing(value):
        return []
    if isinstance(value, str):
        if depth == 0 and (listed := written_list(value)) is not None:
            conversions.count(f"{name}: a list written as text")
            return texts_of(listed, name, conversions, 1)
        plain = clean(value)
        return [] if is_null(plain) else [plain]
    if isinstance(value, bool):
        return [str(value).lower()]
    if isinstance(value, (int, float)):
        conversions.count(f"{name}: a number")
        return [number_text(value)]
    if isinstance(value, Mapping):
        entries = cast(Mapping[object, object], value)
        conversions.count(f"{name}: an object")
        pairs = [(clean(str(key)), texts_of(part, name, conversions, depth + 1)) for key, part in entries.items()]
        return [f"{key}: {', '.join(texts)}" for key, texts in pairs if key and texts]
    if isinstance(value, Iterable):
        parts = list(cast(Iterable[object], value))
        if depth == 0:
            conversions.count(f"{name}: a list")
        return [text for part in parts for text in texts_of(part, name, conversions, depth + 1)]
    plain = clean(str(value))
    return [plain] if plain else []


def categories_of(value: object, conversions: Conversions) -> list[str]:
    """The categories of a value: a text is split at > | , and ; and lists of lists are flattened."""
    value = python_value(value)
    if isinstance(value, str) and written_list(value) is None:
        parts = [part for part in map(clean, _CATEGORIES.split(clean(value))) if not is_null(part)]
        if len(parts) > 1:
            conversions.count("categories: a text, split at > | , ;")
        return list(dict.fromkeys(parts))
    if isinstance(value, list) and not all(isinstance(part, str) for part in cast(list[object], value)):
        conversions.count("categories: a list of other values than texts")
        texts = texts_of(cast(list[object], value), "categories", Conversions())
    elif isinstance(value, list):
        return [text for part in cast(list[str], value) if (text := clean(part))]
    else:
        texts = texts_of(value, "categories", conversions)
    return list(dict.fromkeys(texts))


def picture_of(value: object, conversions: Conversions) -> str | None:
    """The name or address of a picture: the first of several, the best of an object; None where there is none."""
    value = python_value(value)
    if isinstance(value, str) and (listed := written_list(value)) is not None:
        value = listed
    if isinstance(value, str):
        return None if is_null(value) else value
    if isinstance(value, Mapping):
        entries = cast(Mapping[object, object], value)
        for part in (*(entries.get(key) for key in PICTURE_KEYS), *entries.values()):
            if (name := picture_of(part, conversions)) is not None:
                conversions.count("image: an object")
                return name
        return None
    if isinstance(value, (list, tuple)):
        names = [picture_of(part, Conversions()) for part in cast(list[object], value)]
        names = [name for name in names if name is not None]
        if len(names) > 1:
            conversions.count("image: the first of several")
        return names[0] if names else None
    return None if is_missing(value) or isinstance(value, bool) else number_text(value)


def number_text(value: Any) -> str:
    """A number as people write it: 1984.0 is 1984."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    try:
        return str(value)
    except ValueError:  # a whole number of thousands of digits
        return ""


def is_missing(value: object) -> bool:
    """Whether a value is None, NaN, NaT or pandas' NA."""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(value, float) and math.isnan(value)


def python_value(value: Any) -> object:
    """NumPy's numbers and arrays as numbers and lists of Python; all other values as they are."""
    return value.tolist() if hasattr(value, "tolist") and not isinstance(value, (str, bytes)) else value


def written_list(text: str) -> list[object] | None:
    """The list that a text writes, as JSON or as Python does; None for all other texts."""
    text = text.strip()
    if not (text[:1] == "[" and text[-1:] == "]" and len(text) < 1 << 16):
        return None
    for read in (json.loads, ast.literal_eval):
        try:
            value: object = read(text)
        except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
            continue
        return cast(list[object], value) if isinstance(value, list) else None
    return None
