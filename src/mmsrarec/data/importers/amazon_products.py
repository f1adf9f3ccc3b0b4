"""What Amazon sells, as published beside the reviews: Python literals in 2014, JSON lines in 2018 and 2023."""

import json
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import cast

from mmsrarec.data.importers.rewriting import with_changed_rows
from mmsrarec.data.importers.source import Record, Records
from mmsrarec.data.reading.json_lines import json_lines

TEXT = ("feature", "features", "description", "details", "brand", "store", "subtitle", "author")
"""The columns of an item's text, in the order in which they are read."""
CATEGORIES = ("main_category", "main_cat", "categories", "category")
ADDRESSES = ("imUrl", "imageURLHighRes", "imageURL", "images")
PRODUCT_ROLES = {
    "items.item_id": "item_id",
    "items.title": "title",
    "items.text": "+".join(("features", "description", "details", "brand", "subtitle", "author")),
    "items.categories": "categories",
    "items.image": "image",
}
PRODUCTS_UNUSED = {
    **dict.fromkeys(
        ("related", "also_buy", "also_view", "bought_together", "similar_item"),
        "other items that people looked at or bought, which gives away the future",
    ),
    **dict.fromkeys(
        ("salesRank", "rank", "average_rating", "rating_number"),
        "counted over the whole log, which gives away the future",
    ),
    **dict.fromkeys(("price", "date", "fit", "tech1", "tech2"), "no words of the product"),
    **dict.fromkeys(("videos", "asin"), "not used"),
}
NO_DETAILS = ("ASIN", "Best Sellers Rank", "Amazon Best Sellers Rank", "Customer Reviews", "Average Customer Review")
NO_PICTURE = re.compile(r"no[-_]?img|no[-_]?image|transparent-pixel", re.IGNORECASE)
"""Parts of the addresses that show Amazon's own icon instead of the product."""
SCRIPT = re.compile(r"\bgetTime\(\)|\bue_t0\b|aPageStart")
"""Signs of a title that is a script of the page."""


def read_products(path: Path, encoding: str | None, pictures: dict[str, str]) -> Records:
    """Open a file of products.

    Args:
        path: The file.
        encoding: Its encoding.
        pictures: Item -> picture, of the pictures that were fetched.
    """
    return with_changed_rows(json_lines(path, encoding=encoding, literals=True), partial(product, pictures=pictures))


def product(record: Record, pictures: dict[str, str]) -> Record:
    """A product in the same columns for all editions.

    Args:
        record: The record as published.
        pictures: Item -> picture.

    Returns:
        Every column of the record that is not put into another one, and item_id, title, features, description,
        details, brand, categories and image.
    """
    item_id = record.get("parent_asin") or record.get("asin")
    title = " ".join(_texts(record.get("title")))
    names = [name for column in CATEGORIES for name in _texts(record.get(column))]
    merged = {*TEXT, *CATEGORIES, *ADDRESSES, "asin", "parent_asin", "title"}
    columns: dict[str, object] = {
        "item_id": item_id,
        "title": "" if SCRIPT.search(title) else title,
        "features": ". ".join(_texts(record.get("features") or record.get("feature"))),
        "description": " ".join(_texts(record.get("description"))),
        "details": _details(record.get("details")),
        "brand": " ".join(_texts(record.get("brand") or record.get("store"))),
        "subtitle": " ".join(_texts(record.get("subtitle"))),
        "author": _author(record.get("author")),
        "categories": list(dict.fromkeys(names)),
        "image": pictures.get(str(item_id)) or next(_addresses(record), None),
    }
    return columns | {name: value for name, value in record.items() if name not in merged}


def _texts(value: object) -> list[str]:
    """The texts in a value and in the lists within it, without empty ones."""
    if isinstance(value, list):
        return [text for part in cast(list[object], value) for text in _texts(part)]
    text = value.strip() if isinstance(value, str) else ""
    return [text] if text and text not in ("None", "\u2014") else []


def _details(value: object) -> str:
    """The details of a product as "name: value; name: value"; they may be JSON within a text."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return str(value)
    if not isinstance(value, dict):
        return ""
    pairs = cast(dict[object, object], value).items()
    words = (
        (str(name).strip(" :\n"), part if isinstance(part, str) else ", ".join(_texts(part))) for name, part in pairs
    )
    return "; ".join(f"{name}: {text}" for name, text in words if text and name not in NO_DETAILS)


def _author(value: object) -> str:
    """The name of an author: a text, or an object with a name."""
    if isinstance(value, dict):
        value = cast(dict[str, object], value).get("name")
    return " ".join(_texts(value))


def _addresses(record: Record) -> Iterator[str]:
    """The addresses of the pictures of a product, the best first."""
    for column in ADDRESSES:
        value = record.get(column)
        if isinstance(value, dict):  # a dict of lists, as older loaders give it
            sizes = cast(dict[str, object], value)
            value = sizes.get("hi_res") or sizes.get("large") or sizes.get("thumb")
        for part in cast(list[object], value) if isinstance(value, list) else [value]:
            if isinstance(part, dict):
                sizes = cast(dict[str, object], part)
                part = sizes.get("hi_res") or sizes.get("large") or sizes.get("thumb")
            if isinstance(part, str) and part.startswith("http") and not NO_PICTURE.search(part):
                yield part
