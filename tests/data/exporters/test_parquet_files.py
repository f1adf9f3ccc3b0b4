"""Parquet: typed times, lists of categories, pictures beside the tables."""

from dataclasses import replace
from pathlib import Path

import polars as pl
from exported import a_dataset

from mmsrarec.data.exporters.parquet_files import write


def test_times_are_moments_in_utc(tmp_path: Path) -> None:
    assert write(a_dataset(), tmp_path, "shop") == []
    log = pl.read_parquet(tmp_path / "interactions.parquet")
    assert log.columns == ["user_id", "item_id", "timestamp"]
    assert log.schema["timestamp"].time_zone == "UTC"  # type: ignore[attr-defined]
    assert str(log["timestamp"][0]) == "2023-11-14 22:13:21+00:00"


def test_steps_stay_numbers(tmp_path: Path) -> None:
    (note,) = write(a_dataset(steps=True), tmp_path, "shop")
    assert "no dates" in note
    assert pl.read_parquet(tmp_path / "interactions.parquet")["timestamp"].to_list()[:3] == [1, 2, 3]


def test_items_keep_their_lists(tmp_path: Path) -> None:
    write(a_dataset(), tmp_path, "shop")
    items = pl.read_parquet(tmp_path / "items.parquet")
    assert items["categories"].to_list() == [[], ["Home & Garden", "Clocks"], [], []]
    assert items["image"].to_list() == [None] * 4


def test_pictures_are_copied(tmp_path: Path) -> None:
    (tmp_path / "pictures" / "a").mkdir(parents=True)
    (tmp_path / "pictures" / "a" / "8.png").write_bytes(b"picture")
    dataset = a_dataset()
    items = tuple(replace(item, image="a/8.png") if item.item_id == "8" else item for item in dataset.items)
    items = tuple(replace(item, image="lost.png") if item.item_id == "9" else item for item in items)
    out = tmp_path / "out"
    out.mkdir()
    write(replace(dataset, items=items, image_root=tmp_path / "pictures"), out, "shop")
    assert pl.read_parquet(out / "items.parquet")["image"].to_list() == [None, None, "images/a/8.png", None]
    assert (out / "images" / "a" / "8.png").read_bytes() == b"picture"
