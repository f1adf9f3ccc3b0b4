"""Yelp: categories in one text, attributes as Python literals, photos by business."""

from pathlib import Path

import pytest
from source_layouts import json_lines, yelp
from source_tables import opened, records, values

from mmsrarec.data.importers.formats import format_by_name
from mmsrarec.data.importers.source import ReadOptions
from mmsrarec.errors import DataError


def test_reviews_keep_their_dates_as_they_stand(tmp_path: Path) -> None:
    source = opened("yelp", yelp(tmp_path))
    assert values(source.interactions, "user_id", "business_id", "stars", "date") == [
        ("u1", "b1", "3", "2018-07-07 22:09:11"),
        ("u1", "b2", "5", "2012-01-03 15:28:18"),
    ]
    assert source.columns["interactions.rating"] == "stars"


def test_categories_are_parted_and_attributes_become_words(tmp_path: Path) -> None:
    source = opened("yelp", yelp(tmp_path))
    assert values(source.items, "business_id", "categories", "attributes") == [
        ("b1", ["Restaurants", "Food", "Bubble Tea"], "WiFi: free; BusinessParking: street; BikeParking"),
        ("b2", [], ""),
    ]
    assert "review_count" in source.unused


def test_attributes_of_other_shapes_stay_texts(tmp_path: Path) -> None:
    yelp(tmp_path)
    attributes = {"A": "__import__('os')", "B": "{'x': 'True'}", "C": 3, "D": None, "E": "(" * 5000}
    json_lines(tmp_path / "yelp_academic_dataset_business.json", {"business_id": "b", "attributes": attributes})
    ((words,),) = values(opened("yelp", tmp_path).items, "attributes")
    assert str(words).startswith("A: __import__('os'); B: x; C: 3; E: (((")


def test_photos_belong_to_businesses(tmp_path: Path) -> None:
    yelp(tmp_path)
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "p2.jpg").touch()
    rows = [{"photo_id": name, "business_id": "b2", "caption": "", "label": "food"} for name in ("p1", "p2")]
    json_lines(tmp_path / "photos.json", *rows)
    source = opened("yelp", tmp_path)
    assert values(source.items, "business_id", "image") == [("b1", None), ("b2", "p2.jpg")]
    assert source.pictures == tmp_path / "photos"


def test_users_are_not_read_and_that_is_said(tmp_path: Path) -> None:
    source = opened("yelp", yelp(tmp_path))
    assert any("yelp_academic_dataset_user.json is not read" in note for note in source.notes)
    assert len(records(source.items)) == 2


def test_a_folder_without_reviews_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"holds no yelp_academic_dataset_review\.json"):
        format_by_name("yelp").read(str(tmp_path), ReadOptions())
