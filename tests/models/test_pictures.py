"""Pictures of a catalogue: seen once, kept on disk, and a bad one makes its item text-only."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image
from tiny import tiny_mllm

from mmsrarec.data.dataset import Dataset, Item, make_events
from mmsrarec.models.pictures import load, pool, save, see_catalogue

MLLM = tiny_mllm()


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    """Four pictures, one of them no picture at all, one named twice, one missing; and an item without any."""
    names = ("a.png", None, "broken.png", "b.png", "a.png", "missing.png")
    (tmp_path / "images").mkdir()
    Image.new("RGB", (30, 30), "red").save(tmp_path / "images" / "a.png")
    Image.new("RGB", (60, 20), "navy").save(tmp_path / "images" / "b.png")
    (tmp_path / "images" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    items = tuple(Item(f"i{code}", image=name) for code, name in enumerate(names))
    nobody = torch.zeros(0, dtype=torch.int64).numpy()
    return Dataset("pictured", items, (), make_events(nobody, nobody, nobody, 0, len(items)), tmp_path)


@pytest.mark.parametrize("batch", [1, 2, 32])
def test_a_bad_picture_leaves_its_item_text_only(dataset: Dataset, batch: int) -> None:
    told: list[tuple[int, int, str]] = []
    features, rejected = see_catalogue(MLLM, dataset, 4, batch, lambda *progress: told.append(progress))
    assert sorted(features) == [0, 3, 4]
    assert rejected.keys() == {"i2", "i5"}
    assert "no such file" in rejected["i5"]
    torch.testing.assert_close(features[0], features[4], atol=1e-5, rtol=1e-5)
    assert (features[0] - features[3]).abs().max() > 1e-3
    assert told[-1] == (5, 5, "pictures")


def test_features_come_back_from_disk(dataset: Dataset, tmp_path: Path) -> None:
    features, _ = see_catalogue(MLLM, dataset, 9)
    save(features, tmp_path / "features")
    loaded = load(tmp_path / "features")
    assert list(loaded) == list(features)
    assert all(torch.equal(loaded[code], features[code]) for code in features)
    pooled = pool(loaded, 1)
    torch.testing.assert_close(pooled[3][0], features[3].mean(0))


def test_a_catalogue_without_pictures_is_no_error(dataset: Dataset, tmp_path: Path) -> None:
    bare = replace(dataset, items=tuple(replace(item, image=None) for item in dataset.items))
    features, rejected = see_catalogue(MLLM, bare, 4)
    assert not features
    assert not rejected
    save(features, tmp_path / "features")
    assert load(tmp_path / "features") == {}
