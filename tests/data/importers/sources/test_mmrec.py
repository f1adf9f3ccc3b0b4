"""MMRec: numbers that lead back to ids, a split that is not by time, feature files."""

from pathlib import Path

import pytest
from source_layouts import mmrec, write_lines
from source_tables import opened, records, values

from mmsrarec.data.importers.formats import format_by_name
from mmsrarec.data.importers.source import ReadOptions
from mmsrarec.errors import DataError


def test_numbers_become_the_ids_of_the_source(tmp_path: Path) -> None:
    source = opened("mmrec", mmrec(tmp_path))
    assert values(source.interactions, "userID", "itemID", "x_label") == [
        ("A1", "B000", "0"),
        ("A1", "B001", "1"),
        ("A1", "0002", "2"),
        ("A2", "B001", "0"),
        ("A3", "B003", "2"),
    ]
    assert values(source.items, "item_id") == [("B000",), ("B001",), ("0002",), ("B003",), ("B004",)]


def test_the_split_is_not_used_and_the_reason_is_said(tmp_path: Path) -> None:
    source = opened("mmrec", mmrec(tmp_path))
    assert "random within each user, not by time" in source.unused["x_label"]


def test_feature_files_are_noted(tmp_path: Path) -> None:
    notes = opened("mmrec", mmrec(tmp_path)).notes
    assert sum("holds features of another model" in note for note in notes) == 2
    assert any("name a table of them by --items" in note for note in notes)


def test_without_lists_the_ids_are_numbers(tmp_path: Path) -> None:
    mmrec(tmp_path)
    (tmp_path / "u_id_mapping.csv").unlink()
    (tmp_path / "i_id_mapping.csv").unlink()
    source = opened("mmrec", tmp_path)
    assert source.items is None
    assert values(source.interactions, "userID", "itemID")[0] == ("0", "0")
    assert any("the ids are MMRec's numbers" in note for note in source.notes)


def test_a_table_of_items_joins_by_number_or_by_id(tmp_path: Path) -> None:
    mmrec(tmp_path)
    table = write_lines(tmp_path / "meta.csv", "itemID,title", "0,Bottle", "2,Nappy")
    source = opened("mmrec", tmp_path, items=table)
    assert records(source.items) == [{"item_id": "B000", "title": "Bottle"}, {"item_id": "0002", "title": "Nappy"}]
    table = write_lines(tmp_path / "meta.csv", "item_id,title", "B001,Cup")
    assert records(opened("mmrec", tmp_path, items=table).items) == [{"item_id": "B001", "title": "Cup"}]


def test_a_list_with_other_columns_is_refused(tmp_path: Path) -> None:
    mmrec(tmp_path)
    write_lines(tmp_path / "i_id_mapping.csv", "asin\tnumber", "B000\t0")
    with pytest.raises(DataError, match=r"i_id_mapping\.csv has the columns asin, number; an id and itemID are needed"):
        opened("mmrec", tmp_path)


def test_a_folder_without_a_log_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"holds no \*\.inter file with the columns userID, itemID and x_label"):
        format_by_name("mmrec").read(str(tmp_path), ReadOptions())
