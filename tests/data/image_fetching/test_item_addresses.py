"""Which items name an address, and how they get their files."""

from pathlib import Path

import numpy as np
import pytest
from fetching import data_with, pictures_of

from mmsrarec.core.artefacts import read_manifest, verify
from mmsrarec.data.dataset import Dataset, Item, make_interactions
from mmsrarec.data.folder import writing_data
from mmsrarec.data.image_fetching.item_addresses import (
    add_pictures,
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
        ("//a/1.jpg", "https://a/1.jpg"),
    ],
)
def test_an_address_is_told_from_a_file(tmp_path: Path, image: str | None, address: str | None) -> None:
    expected = {} if address is None else {0: address}
    none = np.zeros(0, dtype=np.int64)
    inline = Dataset("d", (Item("1", image=image),), (), make_interactions(none, none, none, 0, 1))
    assert missing_pictures(inline) == expected
    assert missing_pictures(Dataset.load(data_with(tmp_path / "data", [image]))) == expected


def test_an_item_with_a_file_needs_no_address(tmp_path: Path) -> None:
    data = data_with(tmp_path / "data", ["http://a/1"])
    (tmp_path / "1.jpg").write_bytes(b"picture")
    add_pictures(Dataset.load(data), data, {0: "1.jpg"}, tmp_path)
    assert missing_pictures(Dataset.load(data)) == {}


def test_a_folder_of_text_that_mmsrarec_made_gets_pictures_too(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with writing_data(data, "save", "seconds") as new:
        line = '{"item_id": "%s", "title": "t", "image": "%s"}\n'
        (new / "items.jsonl").write_text(line % ("a", "http://a/1") + line % ("b", "http://a/2"))
        (new / "interactions.csv").write_text("user_id,item_id,timestamp\nu,a,1600000000\n")
    (tmp_path / "1.jpg").write_bytes(b"picture")
    dataset = Dataset.load(data)
    assert missing_pictures(dataset) == {0: "http://a/1", 1: "http://a/2"}
    add_pictures(dataset, data, {0: "1.jpg"}, tmp_path)
    after = Dataset.load(data)
    assert [item.image for item in after.items] == ["1.jpg", None]
    assert missing_pictures(after) == {1: "http://a/2"}
    assert after.interactions.digest == dataset.interactions.digest


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
    assert pictures_of(data) == ["ab/abc.jpg", None, None]
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
    with pytest.raises(DataError, match="No such file or directory; what was fetched is kept"):
        add_pictures(Dataset.load(data), data, {0: "missing.jpg"}, tmp_path)
    assert missing_pictures(Dataset.load(data)) == {0: "http://a/1"}
    assert verify(data)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data"]


def test_a_folder_made_by_hand_is_brought_in_first(tmp_path: Path) -> None:
    (tmp_path / "items.jsonl").write_text("{}")
    with pytest.raises(DataError, match="was not made by mmsrarec: bring it in first"):
        check_writable(tmp_path)
