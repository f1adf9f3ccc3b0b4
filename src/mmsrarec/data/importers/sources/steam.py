"""Steam as UCSD publishes it: steam_reviews.json and steam_games.json, whose lines are Python literals and no JSON."""

import re
from collections.abc import Collection, Iterator
from dataclasses import replace
from functools import partial

import polars as pl

from mmsrarec.data.importers.places import files_near, find_file, has_file, is_file, pictures_by_stem
from mmsrarec.data.importers.rewriting import with_changed_rows
from mmsrarec.data.importers.source import Batch, Batches, Format, ReadOptions, Record, Source
from mmsrarec.data.reading.json_batches import json_batches
from mmsrarec.data.reading.json_lines import json_lines
from mmsrarec.errors import DataError

REVIEWS, GAMES = r"steam_reviews.*\.json", r"steam_games.*\.json"
YEAR = re.compile(r"\b(19[7-9]\d|20\d\d)\b")
UNUSED = {
    "text": "the text of a review says what is to be predicted",
    **dict.fromkeys(("hours", "products"), "counted until the day of collection, which gives away the future"),
    **dict.fromkeys(("found_funny", "page", "page_order", "compensation"), "not used"),
    **dict.fromkeys(("username", "early_access"), "not used"),
    **dict.fromkeys(("url", "reviews_url", "app_name", "early_access"), "no words of the game"),
    **dict.fromkeys(("price", "discount_price", "metascore"), "no words of the game"),
    "sentiment": "counted over the whole log, which gives away the future",
    "tags": "users write tags, so a tag may give away what is to be predicted",
    "release_date": "the year is taken from it",
}
NOTES = (
    "date is a day: reviews of one user on one day are in the order of the file.",
    "Many reviews have no user_id: their user is the username, and people with one name count as one user.",
    "A review is an interaction, whether it recommends the game or not: the file does not say.",
)


def read(place: str, options: ReadOptions) -> Source:
    """Open a folder of Steam's reviews, or the file of them."""
    files = files_near(place, depth=0)
    reviews = files[0] if is_file(place) else find_file(files, REVIEWS)
    games = options.items or find_file(files, GAMES)
    if reviews is None:
        raise DataError(f"{place} holds no steam_reviews.json: name a folder of Steam's reviews, or that file")
    pictures = pictures_by_stem(options.pictures)
    items = None
    if games is not None:
        table = json_lines(games, encoding=options.encoding, literals=True)
        items = with_changed_rows(table, partial(_game, pictures=pictures))
    return Source(
        name="steam",
        interactions=_by_user(json_batches(reviews, literals=True)),
        items=items,
        pictures=options.pictures,
        columns={"user_id": "user_id", "interactions.item_id": "product_id", "timestamp": "date"}
        | ({"items.item_id": "id", "title": "title", "categories": "genres"} if items is not None else {}),
        unused=UNUSED,
        unknown_items="add",
        described_again="first",
        notes=NOTES,
        files=tuple(path for path in (reviews, games) if path is not None),
    )


def recognises(place: str) -> bool:
    """Whether a place has reviews as Steam's data names them."""
    files = files_near(place, depth=0)
    return has_file(files[:1] if is_file(place) else files, REVIEWS)


FORMAT = Format(
    "steam",
    "a folder of Steam's reviews as UCSD publishes them, or steam_reviews.json",
    recognises,
    read,
    frozenset({"items", "pictures", "encoding"}),
)


def _by_user(table: Batches) -> Batches:
    """The reviews, whose user is the user_id or, without one, the name."""

    def read(wanted: Collection[str]) -> Iterator[Batch]:
        by_id = pl.col("user_id") != ""
        for batch in table.read({*wanted, "username"}):
            rows = batch.rows
            if "user_id" in wanted:
                name = pl.col("username")
                either = pl.when(by_id).then("user_id").otherwise(name) if "user_id" in rows.columns else name
                rows = rows.with_columns(user_id=either)
            yield batch._replace(rows=rows.select(name for name in columns if name in wanted))

    columns = tuple(dict.fromkeys((*table.columns, "user_id")))
    return replace(table, columns=columns, read=read) if "username" in table.columns else table


def _game(row: Record, pictures: dict[str, str]) -> Record:
    """A game with a title, its year, and its picture if there is one."""
    year = YEAR.search(str(row.get("release_date") or ""))
    game = {**row, "title": row.get("title") or row.get("app_name"), "year": year[0] if year else ""}
    return game | {"image": pictures.get(str(row.get("id")))} if pictures else game
