"""Pictures of a data folder: each file once, with the labels of all items that show it."""

import json
from pathlib import Path

from labelled_pictures import LabelledPicture, measurable, read_pictures

from mmsrarec.data.images import is_held_out


def folder(tmp_path: Path) -> Path:
    (tmp_path / "images").mkdir()
    for name, content in (("a.jpg", b"one"), ("b.jpg", b"two"), ("copy.jpg", b"one")):
        (tmp_path / "images" / name).write_bytes(content)
    items = [
        {"item_id": "1", "categories": ["Games", "PC"], "brand": "X", "image": "a.jpg"},
        {"item_id": "2", "categories": ["Games", "Wii"], "brand": "Y", "image": "copy.jpg"},
        {"item_id": "3", "categories": ["Games"], "brand": None, "image": "b.jpg"},
        {"item_id": "4", "categories": ["Games", "PC"], "image": None},
        {"item_id": "5", "categories": ["Games", "PC"], "image": "gone.jpg"},
    ]
    (tmp_path / "items.jsonl").write_text("\n".join(map(json.dumps, items)))
    return tmp_path


def test_a_picture_stands_once_with_the_labels_of_all_its_items(tmp_path: Path) -> None:
    pictures = read_pictures(folder(tmp_path))
    assert [(p.path.name, p.labels) for p in pictures] == [("a.jpg", ("Games", "PC", "Wii")), ("b.jpg", ("Games",))]
    assert [p.held_out for p in pictures] == [is_held_out(b"one"), is_held_out(b"two")]


def test_labels_of_one_level_and_of_a_text(tmp_path: Path) -> None:
    assert [p.labels for p in read_pictures(folder(tmp_path), level=1)] == [("PC", "Wii"), ()]
    assert [p.labels for p in read_pictures(tmp_path, "brand")] == [("X", "Y"), ()]


def test_labels_that_too_few_have_or_lack_are_left_out() -> None:
    rows = [("all", "half", "a"), ("all", "half"), ("all",), ("all",)]
    pictures = [LabelledPicture(Path("p"), "0", False, labels) for labels in rows]
    assert measurable(pictures, 1) == ["half", "a"]
    assert measurable(pictures, 2) == ["half"]
