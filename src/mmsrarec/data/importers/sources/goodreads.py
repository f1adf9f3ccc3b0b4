"""Goodreads: UCSD's interactions (CSV of numbers without times, or JSON lines with dates), and goodbooks-10k."""

import re
from functools import partial
from pathlib import Path
from typing import cast

import polars as pl

from mmsrarec.data.importers.catalogue.items import records_of
from mmsrarec.data.importers.places import (
    files_near,
    find_file,
    find_files,
    has_file,
    is_file,
    not_read,
    pictures_by_stem,
)
from mmsrarec.data.importers.rewriting import with_changed_batches, with_changed_rows
from mmsrarec.data.importers.source import Batches, Format, ReadOptions, Record, Records, Source
from mmsrarec.data.reading.delimited import read_delimited
from mmsrarec.data.reading.json_batches import json_batches
from mmsrarec.data.reading.json_lines import json_lines
from mmsrarec.data.reading.line_faults import Fault
from mmsrarec.errors import DataError

NUMBERS, DATED = r"goodreads_interactions(?!.*\.json).*\.csv", r"goodreads_interactions.*\.json"
BOOKS = r"goodreads_books.*\.json"
GOODBOOKS, GOODBOOKS_BOOKS = r"ratings\.csv", r"books\.csv"
NO_COVER = re.compile(r"nophoto|nocover", re.IGNORECASE)
DATES = ("date_added", "date_updated", "read_at", "started_at")
COUNTED = "counted over the whole log, which gives away the future"
UNUSED = {
    **{f"{name}": "the time of an interaction is date_added" for name in DATES[1:]},
    **dict.fromkeys(("review_id", "is_reviewed"), "not used"),
    "review_text_incomplete": "the text of a review says what is to be predicted",
    **dict.fromkeys(("is_read", "isRead"), "whether it was read; --map event=is_read makes it an event"),
    **dict.fromkeys(("average_rating", "ratings_count", "text_reviews_count", "work_ratings_count"), COUNTED),
    **dict.fromkeys(("work_text_reviews_count", *(f"ratings_{stars}" for stars in range(1, 6))), COUNTED),
    "popular_shelves": "users name shelves, so a shelf may give away what is to be predicted",
    "similar_books": "books that the same people read, which gives away the future",
    **dict.fromkeys(
        ("isbn", "isbn13", "asin", "kindle_asin", "link", "url", "best_book_id", "small_image_url"), "no words"
    ),
    **dict.fromkeys(
        ("goodreads_book_id", "edition_information", "country_code", "books_count", "num_pages"), "no words"
    ),
    **dict.fromkeys(("publication_day", "publication_month", "is_ebook", "title_without_series"), "said by others"),
    **dict.fromkeys(("author_ids", "series"), "numbers, whose names are another file"),
    "work_id": "editions of one work are items of their own",
}
NOT_READ = {
    r"goodreads_book_authors.*\.json": "the names of authors are not joined",
    r"goodreads_book_series.*\.json": "the names of series are not joined",
    r"goodreads_book_works.*\.json": "editions are items of their own",
    r"goodreads_book_genres.*\.json": "genres are counted from users' shelves",
    r"goodreads_reviews.*\.json": "the texts of reviews are not used",
    r"(tags|book_tags|to_read)\.csv": "users write tags and lists, which may give away what is to be predicted",
}
EDITIONS = "Each edition of a book is an item of its own; work_id says which belong together."
NO_RATING = "A rating of 0 means none: it became empty."


def read(place: str, options: ReadOptions) -> Source:
    """Open a folder of Goodreads or goodbooks, or its file of interactions."""
    files = files_near(place, depth=0)
    if is_file(place):
        log, pattern = files[0], DATED if ".json" in files[0].suffixes else NUMBERS
    else:
        log = find_file(files, DATED) or find_file(files, NUMBERS) or find_file(files, GOODBOOKS)
        pattern = DATED if log is not None and ".json" in log.suffixes else NUMBERS
    if log is None:
        raise DataError(f"{place} holds no goodreads_interactions*.csv or .json.gz, and no ratings.csv of goodbooks")
    maps = {} if pattern == DATED else _maps(files)
    books = options.items or _books(log, files)
    pictures = pictures_by_stem(options.pictures)
    table = json_batches(log) if pattern == DATED else read_delimited(log, separator=",")
    notes = [EDITIONS, NO_RATING] if not log.name.startswith("ratings") else []
    if pattern == NUMBERS:
        order = "all rows" if log.name.startswith("ratings") else "the rows of each user"
        notes.append(f"There are no times: {order} are taken in the order of the file.")
        if not maps and not log.name.startswith("ratings"):
            notes.append("Without book_id_map.csv and user_id_map.csv the ids are numbers, which fit no file of books.")
    return Source(
        name=log.name.split(".")[0],
        interactions=_by_id(table, maps),
        items=None if books is None else _catalogue(books, options.encoding, pictures),
        pictures=options.pictures,
        columns={"user_id": "user_id", "item_id": "book_id", "interactions.rating": "rating"}
        | ({"timestamp": "date_added"} if pattern == DATED else {})
        | ({"items.title": "title", "items.image": "image_url", "items.year": "year"} if books else {}),
        unused=UNUSED,
        order="column" if pattern == DATED else "rows" if log.name.startswith("ratings") else "ends",
        unknown_items="add",
        catalogue="log",
        notes=(*notes, *not_read(files, NOT_READ)),
        files=tuple(path for path in (log, books, *_map_files(files)) if path is not None),
    )


def recognises(place: str) -> bool:
    """Whether a place has interactions of Goodreads, or ratings and books of goodbooks."""
    files = files_near(place, depth=0)
    own = files[:1] if is_file(place) else files
    return has_file(own, f"{NUMBERS}|{DATED}") or (has_file(own, GOODBOOKS) and has_file(files, GOODBOOKS_BOOKS))


FORMAT = Format(
    "goodreads",
    "a folder of Goodreads as UCSD publishes it, or of goodbooks-10k",
    recognises,
    read,
    frozenset({"items", "pictures", "encoding"}),
)


def _books(log: Path, files: list[Path]) -> Path | None:
    """The file of books: that of the same genre, or the only one."""
    if log.name.startswith("ratings"):
        return find_file(files, GOODBOOKS_BOOKS)
    genre = log.name.split(".")[0].removeprefix("goodreads_interactions")
    same = find_file(files, f"goodreads_books{re.escape(genre)}\\.json")
    books = list(find_files(files, BOOKS))
    return same or (books[0] if len(books) == 1 else None)


def _map_files(files: list[Path]) -> list[Path]:
    return [path for path in files if path.name in ("book_id_map.csv", "user_id_map.csv")]


def _maps(files: list[Path]) -> dict[str, dict[str, str]]:
    """Column -> number -> the id that it stands for, of the lists that are there."""
    maps: dict[str, dict[str, str]] = {}
    for path in _map_files(files):
        name = path.name.removesuffix("_map.csv")
        rows = (row for _, row in records_of(read_delimited(path, separator=",")) if not isinstance(row, Fault))
        maps[name] = {str(row[f"{name}_csv"]): str(row[name]) for row in rows if {name, f"{name}_csv"} <= set(row)}
    return maps


def _by_id(table: Batches, maps: dict[str, dict[str, str]]) -> Batches:
    """The log with the ids that numbers stand for; a rating of 0 is none."""

    def change(rows: pl.DataFrame) -> pl.DataFrame:
        ids = [pl.col(name).replace(numbers) for name, numbers in maps.items() if name in rows.columns]
        ratings = [pl.col("rating").replace({"0": ""})] if "rating" in rows.columns else []
        return rows.with_columns(*ids, *ratings)

    return with_changed_batches(table, change, {name: name for name in table.columns})


def _catalogue(path: Path, encoding: str | None, pictures: dict[str, str]) -> Records:
    """The books."""
    table = json_lines(path, encoding=encoding) if ".json" in path.suffixes else read_delimited(path, encoding=encoding)
    return with_changed_rows(table, partial(_book, pictures=pictures))


def _book(row: Record, pictures: dict[str, str]) -> Record:
    """A book without the address of a cover that shows none, and with its year."""
    cover = str(row.get("image_url") or "")
    book = dict(row)
    book["image_url"] = pictures.get(str(row.get("book_id"))) or (None if NO_COVER.search(cover) else cover or None)
    year = str(book.pop("publication_year", None) or book.pop("original_publication_year", None) or "")
    book["year"] = year.removesuffix(".0")
    if isinstance(authors := row.get("authors"), list):
        book.pop("authors")
        people = (cast(dict[str, object], one) for one in cast(list[object], authors) if isinstance(one, dict))
        book["author_ids"] = [str(author.get("author_id")) for author in people]
    return book
