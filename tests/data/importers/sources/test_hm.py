"""H&M: ids that begin with 0, several pieces in one basket, pictures in folders by their first digits."""

from pathlib import Path

import pytest
from source_layouts import hm
from source_tables import opened, records, values

from mmsrarec.data.importers.formats import format_by_name
from mmsrarec.data.importers.source import ReadOptions
from mmsrarec.errors import DataError


def test_ids_keep_their_first_0_and_pieces_stay_apart(tmp_path: Path) -> None:
    source = opened("hm", hm(tmp_path))
    assert values(source.interactions, "t_dat", "article_id") == [
        ("2018-09-20", "0663713001"),
        ("2018-09-20", "0663713001"),
        ("2018-09-20", "0541518023"),
        ("2018-09-24", "0108775015"),
    ]
    assert (source.exact_repeats, source.unknown_items) == ("keep", "add")


def test_groups_become_categories_from_the_general_to_the_special(tmp_path: Path) -> None:
    source = opened("hm", hm(tmp_path))
    assert values(source.items, "article_id", "detail_desc", "categories") == [
        ("0663713001", "Lace body, soft", ["Ladieswear", "Underwear", "Underwear body"]),
        ("0541518023", "", ["Ladieswear", "Lingeries", "Underwear", "Bra"]),
    ]
    assert "product_group_name" not in records(source.items)[0]
    assert "a code" in source.unused["product_type_no"]


def test_pictures_lie_in_folders_by_their_first_digits(tmp_path: Path) -> None:
    (tmp_path / "images" / "066").mkdir(parents=True)
    (tmp_path / "images" / "066" / "0663713001.jpg").touch()
    source = opened("hm", hm(tmp_path))
    assert source.pictures == tmp_path / "images"
    assert values(source.items, "image") == [("066/0663713001.jpg",), (None,)]


def test_what_a_row_means_is_said(tmp_path: Path) -> None:
    notes = " ".join(opened("hm", hm(tmp_path)).notes)
    assert "the order within a day means nothing" in notes
    assert "customers.csv is not read" in notes


def test_without_articles_the_items_are_ids(tmp_path: Path) -> None:
    hm(tmp_path)
    (tmp_path / "articles.csv").unlink()
    assert format_by_name("hm").read(str(tmp_path), ReadOptions()).items is None
    (tmp_path / "transactions_train.csv").unlink()
    with pytest.raises(DataError, match=r"holds no transactions_train\.csv"):
        format_by_name("hm").read(str(tmp_path), ReadOptions())
