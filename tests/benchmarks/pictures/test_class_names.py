"""The vision encoder's own classifier on pictures of nothing, and both forms of the names of its classes."""

import json
from pathlib import Path

import pytest
from class_names import N_CLASSES, likeliest_classes, read_class_names
from PIL import Image

from mmsrarec.models.weight_packages import WEIGHT_PACKAGES

needs_parts = pytest.mark.skipif(
    any(package.path is None for package in WEIGHT_PACKAGES),
    reason="the packages of the embedded model are not installed",
)


def test_both_forms_of_the_names_are_read(tmp_path: Path) -> None:
    names = [[f"name {number}", "other"] for number in range(N_CLASSES)]
    (tmp_path / "lists.json").write_text(json.dumps(names))
    (tmp_path / "texts.json").write_text(json.dumps({str(i): ", ".join(own) for i, own in enumerate(names)}))
    assert read_class_names(tmp_path / "lists.json") == names == read_class_names(tmp_path / "texts.json")


def test_names_of_other_classes_are_refused(tmp_path: Path) -> None:
    (tmp_path / "few.json").write_text(json.dumps([["cat"]]))
    with pytest.raises(ValueError, match="1 classes, not 1000"):
        read_class_names(tmp_path / "few.json")


@needs_parts
def test_classes_are_probabilities_in_order() -> None:
    pictures = [Image.new("RGB", (64, 64), colour) for colour in ("white", "black")]
    names = [[str(number)] for number in range(N_CLASSES)]
    rows = likeliest_classes(pictures, names, top=5)
    for row in rows:
        values = [value for _, value in row]
        assert values == sorted(values, reverse=True)
        assert 0 < sum(values) <= 1
        assert len({name for (name,), _ in row}) == 5
    assert rows[0] != rows[1]
