"""MicroLens: sequences or rows with milliseconds, titles whose commas are not always quoted, covers."""

from pathlib import Path

import pytest
from source_layouts import microlens, write_lines
from source_tables import faults, opened, records, values

from mmsrarec.data.importers.formats import format_by_name
from mmsrarec.data.importers.source import ReadOptions
from mmsrarec.errors import DataError


def test_sequences_become_rows_in_the_order_of_the_line(tmp_path: Path) -> None:
    source = opened("microlens", microlens(tmp_path))
    pairs = values(source.interactions, "user_id", "item_id")
    assert pairs[:5] == [("1", "19"), ("1", "6"), ("1", "15"), ("2", "6"), ("2", "19")]  # and no CR at the end
    assert (source.order, source.unknown_items) == ("ends", "add")  # item 88 has no title
    assert source.name == "MicroLens-50k"


def test_a_title_is_all_behind_the_first_comma(tmp_path: Path) -> None:
    source = opened("microlens", microlens(tmp_path))
    assert values(source.items, "item", "title") == [
        ("19", "Noodles, fast # food"),
        ("6", "Old song, new singer # music"),
        ("15", "Cat"),
    ]


def test_titles_may_lack_a_header_and_hold_quotation_marks(tmp_path: Path) -> None:
    microlens(tmp_path)
    write_lines(tmp_path / "MicroLens-50k_titles.csv", '19,He said "no"', '6,"a ""b"", c"', "broken line")
    source = opened("microlens", tmp_path)
    assert values(source.items, "title") == [('He said "no"',), ('a "b", c',)]
    assert source.items is not None
    assert faults(source.items) == [(3, "no comma behind the item")]


def test_rows_with_times_keep_them(tmp_path: Path) -> None:
    source = opened("microlens", microlens(tmp_path, pairs="csv"))
    assert records(source.interactions)[0] == {"user": "1", "item": "19", "timestamp": "1583378629552"}
    assert source.order == "column"
    assert source.columns["interactions.user_id"] == "user"


def test_covers_are_named_by_item(tmp_path: Path) -> None:
    microlens(tmp_path)
    (tmp_path / "MicroLens-50k_covers" / "6.jpg").touch()
    source = opened("microlens", tmp_path)
    assert source.pictures == tmp_path / "MicroLens-50k_covers"
    assert values(source.items, "item", "image") == [("19", None), ("6", "6.jpg"), ("15", None)]


def test_covers_alone_make_items(tmp_path: Path) -> None:
    microlens(tmp_path)
    (tmp_path / "MicroLens-50k_titles.csv").unlink()
    (tmp_path / "MicroLens-50k_covers" / "6.jpg").touch()
    assert records(opened("microlens", tmp_path).items) == [{"item": "6", "image": "6.jpg"}]


def test_what_is_not_read_and_what_an_interaction_means_are_said(tmp_path: Path) -> None:
    notes = opened("microlens", microlens(tmp_path)).notes
    assert "An interaction is a comment on a video, and not a view." in notes
    assert any(note.startswith("MicroLens-50k_likes_and_views.txt is not read") for note in notes)


def test_lines_without_items_and_users_that_come_again_are_set_aside(tmp_path: Path) -> None:
    microlens(tmp_path)
    write_lines(tmp_path / "MicroLens-50k_pairs.tsv", "1\t19 6", "2", "1\t15", "3\t6")
    source = opened("microlens", tmp_path)
    assert values(source.interactions, "user_id") == [("1",), ("1",), ("3",)]
    assert faults(source.interactions) == [
        (2, "user '2' has no items behind a tab"),
        (3, "user '1' again, first on line 1"),
    ]


def test_a_folder_without_pairs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"holds no file \*_pairs\.tsv or \*_pairs\.csv"):
        format_by_name("microlens").read(str(tmp_path), ReadOptions())
