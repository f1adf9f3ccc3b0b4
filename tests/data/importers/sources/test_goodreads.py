"""Goodreads and goodbooks: dates in words, numbers for books, no ratings, no covers."""

from pathlib import Path

import pytest
from source_layouts import goodbooks, goodreads_dated, goodreads_numbers, json_lines, write_lines
from source_tables import opened, records, values

from mmsrarec.data.importers.formats import format_by_name
from mmsrarec.data.importers.source import ReadOptions
from mmsrarec.errors import DataError


def test_the_time_is_when_a_book_was_added_and_0_is_no_rating(tmp_path: Path) -> None:
    source = opened("goodreads", goodreads_dated(tmp_path))
    assert values(source.interactions, "book_id", "rating", "date_added", "read_at") == [
        ("130580", "4", "Tue Oct 17 09:40:11 -0700 2017", "Sun Oct 01 00:00:00 -0700 2017"),
        ("836610", "", "Tue Oct 17 09:40:11 -0700 2017", ""),
    ]
    assert source.columns["timestamp"] == "date_added"  # a book may be read before it was begun
    assert source.order == "column"


def test_books_have_years_and_covers_that_show_something(tmp_path: Path) -> None:
    source = opened("goodreads", goodreads_dated(tmp_path))
    assert values(source.items, "book_id", "title", "year", "image_url", "author_ids") == [
        ("130580", "Selected Poems", "2011", "https://images.gr.com/books/1.jpg", ["604031"]),
        ("836610", "The Iliad", "", None, []),
    ]
    assert {"popular_shelves", "similar_books", "average_rating"} <= set(source.unused)


def test_numbers_become_the_ids_of_users_and_books(tmp_path: Path) -> None:
    source = opened("goodreads", goodreads_numbers(tmp_path))
    assert values(source.interactions, "user_id", "book_id", "rating") == [
        ("8842281e", "0025577005", "5"),
        ("8842281e", "18245960", ""),
        ("72fb0d00", "0025577005", ""),
    ]
    assert source.order == "ends"
    assert {path.name for path in source.files} >= {"book_id_map.csv", "user_id_map.csv"}


def test_numbers_without_lists_are_pointed_out(tmp_path: Path) -> None:
    goodreads_numbers(tmp_path)
    (tmp_path / "book_id_map.csv").unlink()
    (tmp_path / "user_id_map.csv").unlink()
    source = opened("goodreads", tmp_path)
    assert values(source.interactions, "user_id", "book_id")[0] == ("0", "948")
    assert any("which fit no file of books" in note for note in source.notes)


def test_goodbooks_are_in_the_order_of_their_rows(tmp_path: Path) -> None:
    source = opened("goodreads", goodbooks(tmp_path))
    assert source.order == "rows"
    assert len(records(source.interactions)) == 3
    assert values(source.items, "book_id", "year", "image_url") == [
        ("258", "2008", "http://i.gr.com/1m.jpg"),
        ("4081", "", None),
    ]
    assert any("to_read.csv is not read" in note for note in source.notes)


def test_books_of_the_same_genre_are_taken(tmp_path: Path) -> None:
    goodreads_dated(tmp_path)
    json_lines(tmp_path / "goodreads_books_comics.json", {"book_id": "1", "title": "Comic"})
    assert len(records(opened("goodreads", tmp_path).items)) == 2


def test_two_genres_are_refused_unless_one_is_named(tmp_path: Path) -> None:
    goodreads_dated(tmp_path)
    write_lines(tmp_path / "goodreads_interactions_comics.json", "{}")
    with pytest.raises(DataError, match="could both be meant: name the one to import as SOURCE"):
        format_by_name("goodreads").read(str(tmp_path), ReadOptions())
    assert len(records(opened("goodreads", tmp_path / "goodreads_interactions_poetry.json.gz").interactions)) == 2


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no goodreads_interactions"):
        format_by_name("goodreads").read(str(tmp_path), ReadOptions())
