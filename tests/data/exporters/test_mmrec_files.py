"""MMRec's files: numbers for ids, a split by time, items without interactions behind the others."""

from pathlib import Path

import polars as pl
from exported import a_dataset

from mmsrarec.data.exporters.mmrec_files import write
from mmsrarec.data.splits import leave_one_out


def table(path: Path) -> pl.DataFrame:
    return pl.read_csv(path, separator="\t", schema_overrides={"item_id": pl.String, "user_id": pl.String})


def test_numbers_are_without_gaps_and_the_last_interacted_item_is_the_highest_in_the_log(tmp_path: Path) -> None:
    notes = write(a_dataset(), tmp_path, "shop")
    log, items = table(tmp_path / "shop.inter"), table(tmp_path / "i_id_mapping.csv")
    assert log.columns == ["userID", "itemID", "rating", "timestamp", "x_label"]
    assert sorted(log["itemID"].unique()) == [0, 1, 2]
    assert items.rows() == [("007", 0), ("8", 1), ("9", 2), ("new", 3)]
    assert any(note.startswith("1 items without interactions") for note in notes)


def test_the_split_is_that_of_leave_one_out(tmp_path: Path) -> None:
    dataset = a_dataset()
    write(dataset, tmp_path, "shop")
    log, users = table(tmp_path / "shop.inter"), table(tmp_path / "u_id_mapping.csv")
    split = leave_one_out(dataset.interactions)
    assert len(log.filter(pl.col("x_label") == 0)) == len(split.train)
    for label, queries in ((1, split.valid), (2, split.test)):
        held = log.filter(pl.col("x_label") == label).join(users, on="userID")
        assert held["timestamp"].to_list() == queries.time.tolist()
        assert held["user_id"].to_list() == [dataset.user_ids[code] for code in queries.user.tolist()]


def test_every_user_has_a_training_row(tmp_path: Path) -> None:
    write(a_dataset(), tmp_path, "shop")
    log = table(tmp_path / "shop.inter")
    assert set(log.filter(pl.col("x_label") == 0)["userID"]) == set(log["userID"])


def test_texts_stand_beside_their_numbers(tmp_path: Path) -> None:
    notes = write(a_dataset(), tmp_path, "shop")
    texts = table(tmp_path / "meta-shop.csv")
    assert texts.row(0, named=True) == {
        "item_id": "007",
        "itemID": 0,
        "title": '12" Clock',
        "categories": "Home & Garden|Clocks",
        "description": 'Oak, "solid".',
    }
    assert any("image_feat.npy" in note for note in notes)
