"""Yelp's open data set: yelp_academic_dataset_review.json and _business.json, JSON lines; photos come separately."""

import ast
from functools import partial
from pathlib import Path
from typing import cast

from mmsrarec.data.importers.catalogue.items import records_of
from mmsrarec.data.importers.places import (
    files_near,
    find_file,
    has_file,
    is_file,
    not_read,
    pictures_by_stem,
    sub_folder,
)
from mmsrarec.data.importers.rewriting import with_changed_rows
from mmsrarec.data.importers.source import Format, ReadOptions, Record, Source
from mmsrarec.data.reading.json_batches import json_batches
from mmsrarec.data.reading.json_lines import json_lines
from mmsrarec.data.reading.line_faults import Fault
from mmsrarec.errors import DataError

REVIEWS, BUSINESSES, PHOTOS = (rf"(yelp_academic_dataset_)?{name}\.json" for name in ("review", "business", "photos?"))
COUNTED = "counted over the whole log, which gives away the future"
UNUSED = {
    "text": "the text of a review says what is to be predicted",
    "review_id": "not used",
    **dict.fromkeys(("useful", "funny", "cool"), "votes of later readers"),
    **dict.fromkeys(("stars", "review_count", "is_open"), COUNTED),
    **dict.fromkeys(("latitude", "longitude", "hours", "postal_code"), "no words"),
}
NOT_READ = {
    rf"(yelp_academic_dataset_)?{name}\.json": reason
    for name, reason in {
        "user": "names, friends and counts of users are not used",
        "tip": "tips are not reviews",
        "checkin": "check-ins name no user",
    }.items()
}
NOTES = ("Dates have no zone and are read as UTC.", "A business may be reviewed again by the same user.")


def read(place: str, options: ReadOptions) -> Source:
    """Open the folder of the data set, or its file of reviews."""
    files = files_near(place)
    reviews = files[0] if is_file(place) else find_file(files, REVIEWS)
    businesses, photos = options.items or find_file(files, BUSINESSES), find_file(files, PHOTOS)
    if reviews is None:
        raise DataError(f"{place} holds no yelp_academic_dataset_review.json: name the folder of Yelp's data")
    folder = options.pictures or sub_folder(files[:1], r"photos|images")
    pictures = _pictures(photos, folder)
    items = None
    if businesses is not None:
        table = json_lines(businesses, encoding=options.encoding)
        items = with_changed_rows(table, partial(_business, pictures=pictures))
    return Source(
        name="yelp",
        interactions=json_batches(reviews),
        items=items,
        pictures=folder,
        columns={
            "user_id": "user_id",
            "item_id": "business_id",
            "timestamp": "date",
            "interactions.rating": "stars",
            **({"items.title": "name", "items.categories": "categories"} if items is not None else {}),
        },
        unused=UNUSED,
        unknown_items="add",
        notes=(*NOTES, *not_read(files, NOT_READ)),
        files=tuple(path for path in (reviews, businesses, photos) if path is not None),
    )


def recognises(place: str) -> bool:
    """Whether a place has reviews and businesses as Yelp names them."""
    files = files_near(place, depth=0)
    return has_file(files[:1] if is_file(place) else files, REVIEWS) and has_file(files, BUSINESSES)


FORMAT = Format(
    "yelp",
    "the folder of Yelp's open data set, or its review.json",
    recognises,
    read,
    frozenset({"items", "pictures", "encoding"}),
)


def _pictures(photos: Path | None, folder: Path | None) -> dict[str, str]:
    """Business -> its first picture, of the list of photos, or pictures named by business."""
    by_stem = pictures_by_stem(folder)
    if photos is None or not by_stem:
        return by_stem
    pictures: dict[str, str] = {}
    for _, row in records_of(json_lines(photos)):
        if not isinstance(row, Fault) and (name := by_stem.get(str(row.get("photo_id")))):
            pictures.setdefault(str(row.get("business_id")), name)
    return pictures


def _business(row: Record, pictures: dict[str, str]) -> Record:
    """A business with a list of categories and its attributes in words."""
    names = str(row.get("categories") or "").split(",")
    business: dict[str, object] = {
        **row,
        "categories": [name.strip() for name in names if name.strip()],
        "attributes": _attributes(row.get("attributes")),
    }
    return business | {"image": pictures.get(str(row.get("business_id")))} if pictures else business


def _attributes(value: object) -> str:
    """Attributes in words, such as "WiFi: free; BusinessParking: street"; what is not so is left out."""
    pairs = cast(dict[str, object], value).items() if isinstance(value, dict) else ()
    words = ((name, _words(_literal(part))) for name, part in pairs)
    return "; ".join(f"{name}: {text}" if text != "yes" else name for name, text in words if text)


def _literal(value: object) -> object:
    """The value of a Python literal in a text, such as "u'free'" or "{'garage': False}"."""
    if not isinstance(value, str) or len(value) > 10_000:
        return value
    try:
        return ast.literal_eval(value)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return value


def _words(value: object) -> str:
    """A value in words: a text, "yes" for what is so, the names of parts that are so; empty for what is not."""
    if isinstance(value, dict):
        parts = cast(dict[object, object], value).items()
        return ", ".join(str(name) for name, part in parts if _literal(part) is True)
    if value in (None, False, "none", "None", "no"):
        return ""
    return "yes" if value is True else str(value)
