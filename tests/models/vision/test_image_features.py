"""Pictures of a catalogue: seen once, kept on disk, and a bad one makes its item text-only."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image
from tiny import tiny_mllm

from mmsrarec.data.dataset import Dataset, Item, make_interactions
from mmsrarec.models.vision.image_features import blank, encode_catalogue_images, load, load_known, pool, save

MLLM = tiny_mllm()


class Counting:
    """A model that counts the pictures it is shown."""

    sees = True

    def __init__(self) -> None:
        self.shown = 0

    def encode_images(self, pictures: Sequence[Image.Image], visual_tokens: int) -> torch.Tensor:
        self.shown += len(pictures)
        return MLLM.encode_images(pictures, visual_tokens)


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
    return Dataset("pictured", items, (), make_interactions(nobody, nobody, nobody, 0, len(items)), tmp_path)


@pytest.mark.parametrize("batch", [1, 2, 32])
def test_a_bad_picture_leaves_its_item_text_only(dataset: Dataset, batch: int) -> None:
    told: list[tuple[int, int, str]] = []
    features, rejected = encode_catalogue_images(MLLM, dataset, 4, batch, lambda *progress: told.append(progress))
    assert sorted(features) == [0, 3, 4]
    assert rejected.keys() == {"i2", "i5"}
    assert "no such file" in rejected["i5"]
    torch.testing.assert_close(features[0], features[4], atol=1e-5, rtol=1e-5)
    assert (features[0] - features[3]).abs().max() > 1e-3
    assert told[-1] == (5, 5, "pictures")


def test_features_come_back_from_disk(dataset: Dataset, tmp_path: Path) -> None:
    features, _ = encode_catalogue_images(MLLM, dataset, 9)
    save(features, tmp_path / "features")
    loaded = load(tmp_path / "features")
    assert list(loaded) == list(features)
    assert all(torch.equal(loaded[code], features[code]) for code in features)
    pooled = pool(loaded, 1)
    torch.testing.assert_close(pooled[3][0], features[3].mean(0))


def test_a_catalogue_without_pictures_is_no_error(dataset: Dataset, tmp_path: Path) -> None:
    bare = replace(dataset, items=tuple(replace(item, image=None) for item in dataset.items))
    features, rejected = encode_catalogue_images(MLLM, bare, 4)
    assert not features
    assert not rejected
    save(features, tmp_path / "features")
    assert load(tmp_path / "features") == {}
    assert load_known(tmp_path / "features") == {}


@pytest.mark.parametrize("batch", [1, 32])
def test_only_changed_pictures_are_looked_at_again(dataset: Dataset, tmp_path: Path, batch: int) -> None:
    model = Counting()
    features, rejected = encode_catalogue_images(model, dataset, 4, batch)
    assert model.shown == 2  # two of the three are one picture
    save(features, tmp_path / "features", dataset)
    known = load_known(tmp_path / "features")
    assert len(known) == 2

    again = encode_catalogue_images(model, dataset, 4, batch, known_features=known)
    assert model.shown == 2
    assert again[1] == rejected
    assert list(again[0]) == list(features)
    assert all(torch.equal(again[0][code], features[code]) for code in features)

    Image.new("RGB", (30, 30), "green").save(tmp_path / "images" / "b.png")
    changed, _ = encode_catalogue_images(model, dataset, 4, batch, known_features=known)
    assert model.shown == 3
    whole, _ = encode_catalogue_images(MLLM, dataset, 4, batch)
    for code in whole:
        torch.testing.assert_close(changed[code], whole[code], atol=1e-5, rtol=1e-5)
    assert (changed[3] - features[3]).abs().max() > 1e-3


def test_a_known_picture_that_is_a_link_out_of_the_folder_stays_refused(dataset: Dataset, tmp_path: Path) -> None:
    features, _ = encode_catalogue_images(MLLM, dataset, 4)
    save(features, tmp_path / "features", dataset)
    (tmp_path / "images" / "a.png").rename(tmp_path / "a.png")
    (tmp_path / "images" / "a.png").symlink_to(tmp_path / "a.png")
    features, rejected = encode_catalogue_images(MLLM, dataset, 4, known_features=load_known(tmp_path / "features"))
    assert list(features) == [3]
    assert "outside" in rejected["i0"]


def test_nothing_is_known_from_an_absent_an_older_or_a_damaged_file(dataset: Dataset, tmp_path: Path) -> None:
    path = tmp_path / "features"
    assert load_known(path) == {}
    features, _ = encode_catalogue_images(MLLM, dataset, 4)
    save(features, path)  # without the dataset nobody knows the bytes
    assert load_known(path) == {}
    assert list(load(path)) == list(features)
    path.write_bytes(path.read_bytes()[:30])
    assert load_known(path) == {}


def test_the_blank_picture_is_as_large_as_the_others() -> None:
    assert blank(MLLM, 4).shape == (4, MLLM.hidden_size)
