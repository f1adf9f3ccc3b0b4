"""Data are counted where they are, and taken as given where they are not."""

from pathlib import Path

import pytest

from mmsrarec.data.dataset import Dataset
from mmsrarec.errors import DataError
from mmsrarec.pipeline.cost_plan.data_size import LETTERS_PER_TOKEN, count_data, data_size
from mmsrarec.summarize.prompts import item_text


def test_a_folder_is_counted(drawn: Dataset) -> None:
    assert drawn.folder is not None
    size = count_data(drawn.folder)
    assert (size.items, size.events) == (len(drawn.items), len(drawn.interactions))
    assert size.users == len(drawn.user_ids)
    assert size.pictures == sum(item.image is not None for item in drawn.items)
    letters = [len(item_text(item)) for item in drawn.items if item_text(item)]
    assert size.text_tokens == pytest.approx(sum(letters) / len(letters) / LETTERS_PER_TOKEN, rel=0.05)
    assert size.texts == len(letters)
    assert str(drawn.folder) in size.source


def test_what_is_given_replaces_what_was_counted(drawn: Dataset) -> None:
    assert drawn.folder is not None
    size = data_size(drawn.folder, text_tokens=7, pictures=3)
    assert (size.text_tokens, size.pictures, size.items) == (7, 3, len(drawn.items))


def test_without_a_folder_all_numbers_are_needed(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="give --items, --users and --events"):
        data_size(tmp_path / "nothing", items=3, users=2)
    size = data_size(tmp_path / "nothing", items=10, users=5, events=100)
    assert (size.texts, size.pictures, size.tested) == (10, 10, 5)
    assert "assumed" in size.source
    bare = data_size(tmp_path / "nothing", items=10, users=50, events=60, text_tokens=0, pictures=0)
    assert (bare.texts, bare.pictures, bare.tested) == (0, 0, 20)
