"""Which items name an address, and how they get their files."""

from pathlib import Path

import pytest
from fetching import data_with, pictures_of

from mmsrarec.core.artefacts import read_manifest, verify
from mmsrarec.data.dataset import Dataset, Item
from mmsrarec.data.image_fetching.item_addresses import (
    add_pictures,
    address_of,
    check_writable,
    has_pictures,
    missing_pictures,
)
from mmsrarec.errors import DataError


@pytest.mark.parametrize(
    ("image", "address"),
    [
        (None, None),
        ("", None),
        ("1.jpg", None),
        ("http.jpg", None),
        ("ftp://a/1.jpg", None),
        ("http://a/1.jpg", "http://a/1.jpg"),
        (" HTTPS://a/1.jpg ", "HTTPS://a/1.jpg"),
    ],
)
def test_an_address_is_told_from_a_file(image: str | None, address: str | None) -> None:
    assert address_of(Item("1", image=image)) == address


def test_items_get_their_files_and_all_else_stays(tmp_path: Path) -> None:
    data = data_with(tmp_path / "data", ["http://a/1", "http://a/2", None])
    (data / "import.json").write_text("{}")
    (tmp_path / "files" / "ab").mkdir(parents=True)
    (tmp_path / "files" / "ab" / "abc.jpg").write_bytes(b"picture")
    before, settings = Dataset.load(data), read_manifest(data)["settings"]
    assert missing_pictures(before) == {0: "http://a/1", 1: "http://a/2"}
    assert not has_pictures(before)
    add_pictures(before, data, {0: "ab/abc.jpg"}, tmp_path / "files")
    after = Dataset.load(data)
    assert pictures_of(data) == ["ab/abc.jpg", "http://a/2", None]
    assert has_pictures(after)
    assert missing_pictures(after) == {1: "http://a/2"}
    path = after.image_path(0)
    assert path is not None
    assert path.read_bytes() == b"picture"
    assert (data / "import.json").read_text() == "{}"
    assert after.interactions.digest == before.interactions.digest
    assert [item.title for item in after.items] == [item.title for item in before.items]
    new = verify(data)["settings"]
    assert {name: new[name] for name in settings} == settings
    assert new["images"]


def test_a_failure_while_writing_leaves_the_folder_as_it_was(tmp_path: Path) -> None:
    data = data_with(tmp_path / "data", ["http://a/1"])
    with pytest.raises(FileNotFoundError):
        add_pictures(Dataset.load(data), data, {0: "missing.jpg"}, tmp_path)
    assert pictures_of(data) == ["http://a/1"]
    assert verify(data)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data"]


def test_a_folder_made_by_hand_is_brought_in_first(tmp_path: Path) -> None:
    (tmp_path / "items.jsonl").write_text("{}")
    with pytest.raises(DataError, match="was not made by mmsrarec: bring it in first"):
        check_writable(tmp_path)
