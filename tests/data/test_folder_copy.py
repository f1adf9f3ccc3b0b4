"""A copy of a data folder loads as the folder does, in whatever form it was written."""

from pathlib import Path

import pytest
from exported import a_dataset

from mmsrarec.core.artefacts import read_manifest
from mmsrarec.data.dataset import Dataset
from mmsrarec.data.folder import IMAGES, declared_unit, load, save
from mmsrarec.data.folder_copy import copy_data
from mmsrarec.errors import DataError


def same(one: Dataset, other: Dataset) -> bool:
    kinds = ("user", "item", "time")
    logs = [[getattr(dataset.interactions, kind).tolist() for kind in kinds] for dataset in (one, other)]
    return (one.items, one.user_ids, one.times, logs[0]) == (other.items, other.user_ids, other.times, logs[1])


@pytest.mark.parametrize("steps", [True, False])
def test_a_copy_loads_as_the_folder_does(steps: bool, tmp_path: Path) -> None:
    save(a_dataset(steps), tmp_path / "shop")
    copy_data(load(tmp_path / "shop"), tmp_path / "shop", tmp_path / "copy", pictures=True)
    assert same(load(tmp_path / "copy"), load(tmp_path / "shop"))
    assert declared_unit(tmp_path / "copy") == declared_unit(tmp_path / "shop") != "auto"
    assert read_manifest(tmp_path / "copy")["kind"] == "data"


def test_a_folder_of_text_without_a_manifest_keeps_its_form_and_its_milliseconds(tmp_path: Path) -> None:
    source = tmp_path / "shop"
    source.mkdir()
    (source / "items.jsonl").write_text('{"item_id": "1", "title": "A"}\n{"item_id": "2", "title": "B"}\n')
    times = [1_700_000_000_000 + 86_400_000 * day for day in (3, 1, 2)]
    rows = "".join(f"u\t{item}\t{time}\n" for item, time in zip((1, 2, 1), times, strict=True))
    (source / "interactions.tsv").write_text(f"user_id\titem_id\ttimestamp\n{rows}")
    copy_data(load(source), source, tmp_path / "copy", pictures=True)
    assert same(load(tmp_path / "copy"), load(source))
    assert load(source).interactions.time.tolist() == [1_700_086_400, 1_700_172_800, 1_700_259_200]
    assert declared_unit(tmp_path / "copy") == "auto"


@pytest.mark.parametrize("pictures", [True, False])
def test_pictures_come_along_where_they_are_wanted(drawn: Dataset, pictures: bool, tmp_path: Path) -> None:
    assert drawn.folder is not None
    copied = copy_data(drawn, drawn.folder, tmp_path / "copy", pictures)
    there = {path.name: path.read_bytes() for path in (drawn.folder / IMAGES).iterdir()} if pictures else {}
    place = tmp_path / "copy" / IMAGES
    assert {path.name: path.read_bytes() for path in place.glob("*")} == there
    assert copied == len(there)
    assert same(load(tmp_path / "copy"), drawn)


def test_a_picture_outside_the_folder_is_not_taken(tmp_path: Path) -> None:
    source = tmp_path / "shop"
    (source / IMAGES).mkdir(parents=True)
    (tmp_path / "secret.png").write_bytes(b"secret")
    items = '{"item_id": "1", "title": "A", "image": "../../secret.png"}\n{"item_id": "2", "image": "gone.png"}\n'
    (source / "items.jsonl").write_text(items)
    (source / "interactions.tsv").write_text("user_id\titem_id\ttimestamp\nu\t1\t1700000000\n")
    try:
        dataset = load(source)
    except DataError:
        return  # refused at the door already
    assert copy_data(dataset, source, tmp_path / "deep" / "copy", pictures=True) == 0
    assert list((tmp_path / "deep").rglob("*.png")) == []
