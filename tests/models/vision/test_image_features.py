"""Pictures of a catalogue: seen once, kept on disk, and a bad one makes its item text-only."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image
from tiny import tiny_mllm

from mmsrarec.data.dataset import Dataset, Item, make_interactions
from mmsrarec.models.vision.image_features import (
    FEATURES,
    WORDS,
    blank,
    encode_catalogue_images,
    load,
    load_known,
    load_words,
    pool,
    save,
    save_words,
)

MLLM = tiny_mllm()


class Counting:
    """A model that counts the pictures it is shown."""

    sees = True

    def __init__(self) -> None:
        self.shown = 0

    fingerprint = "counting"

    def encode_images_with_states(
        self, pictures: Sequence[Image.Image], visual_tokens: int
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        self.shown += len(pictures)
        return MLLM.encode_images_with_states(pictures, visual_tokens)


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
    seen = encode_catalogue_images(MLLM, dataset, 4, batch, lambda *progress: told.append(progress))
    features, rejected = seen.features, seen.rejected
    assert sorted(features) == [0, 3, 4]
    assert rejected.keys() == {"i2", "i5"}
    assert "no such file" in rejected["i5"]
    torch.testing.assert_close(features[0], features[4], atol=1e-5, rtol=1e-5)
    assert (features[0] - features[3]).abs().max() > 1e-3
    assert told[-1] == (5, 5, "pictures")


def test_features_come_back_from_disk(dataset: Dataset, tmp_path: Path) -> None:
    features = encode_catalogue_images(MLLM, dataset, 9).features
    save(features, tmp_path / "features")
    loaded = load(tmp_path / "features")
    assert list(loaded) == list(features)
    assert all(torch.equal(loaded[code], features[code]) for code in features)
    pooled = pool(loaded, 1)
    torch.testing.assert_close(pooled[3][0], features[3].mean(0))


def test_a_catalogue_without_pictures_is_no_error(dataset: Dataset, tmp_path: Path) -> None:
    bare = replace(dataset, items=tuple(replace(item, image=None) for item in dataset.items))
    seen = encode_catalogue_images(MLLM, bare, 4)
    features, rejected = seen.features, seen.rejected
    assert not features
    assert not rejected
    save(features, tmp_path / "features")
    assert load(tmp_path / "features") == {}
    assert load_known(tmp_path) == {}


@pytest.mark.parametrize("batch", [1, 32])
def test_only_changed_pictures_are_looked_at_again(dataset: Dataset, tmp_path: Path, batch: int) -> None:
    model = Counting()
    seen = encode_catalogue_images(model, dataset, 4, batch)
    features, rejected = seen.features, seen.rejected
    assert model.shown == 2  # two of the three are one picture
    save(features, tmp_path / FEATURES, dataset)
    save_words({0: {"red": 0.9}, 4: {"red": 0.9}}, tmp_path / WORDS, dataset)
    known = load_known(tmp_path)
    assert len(known) == 2
    assert sorted((picture.words for picture in known.values()), key=len) == [{}, {"red": 0.9}]

    again = encode_catalogue_images(model, dataset, 4, batch, known=known)
    assert model.shown == 2
    assert again.rejected == rejected
    assert list(again.features) == list(features)
    assert all(torch.equal(again.features[code], features[code]) for code in features)

    Image.new("RGB", (30, 30), "green").save(tmp_path / "images" / "b.png")
    changed = encode_catalogue_images(model, dataset, 4, batch, known=known).features
    assert model.shown == 3
    whole = encode_catalogue_images(MLLM, dataset, 4, batch).features
    for code in whole:
        torch.testing.assert_close(changed[code], whole[code], atol=1e-5, rtol=1e-5)
    assert (changed[3] - features[3]).abs().max() > 1e-3


def test_a_known_picture_that_is_a_link_out_of_the_folder_stays_refused(dataset: Dataset, tmp_path: Path) -> None:
    features = encode_catalogue_images(MLLM, dataset, 4).features
    save(features, tmp_path / FEATURES, dataset)
    save_words({}, tmp_path / WORDS, dataset)
    (tmp_path / "images" / "a.png").rename(tmp_path / "a.png")
    (tmp_path / "images" / "a.png").symlink_to(tmp_path / "a.png")
    seen = encode_catalogue_images(MLLM, dataset, 4, known=load_known(tmp_path))
    features, rejected = seen.features, seen.rejected
    assert list(features) == [3]
    assert "outside" in rejected["i0"]


def test_nothing_is_known_from_an_absent_an_older_or_a_damaged_file(dataset: Dataset, tmp_path: Path) -> None:
    path = tmp_path / FEATURES
    save_words({}, tmp_path / WORDS, dataset)
    assert load_known(tmp_path) == {}
    features = encode_catalogue_images(MLLM, dataset, 4).features
    save(features, path)  # without the dataset nobody knows the bytes
    assert load_known(tmp_path) == {}
    assert list(load(path)) == list(features)
    save(features, path, dataset)
    assert len(load_known(tmp_path)) == 2
    (tmp_path / WORDS).write_text("{")
    assert load_known(tmp_path) == {}
    save_words({}, tmp_path / WORDS, dataset)
    path.write_bytes(path.read_bytes()[:30])
    assert load_known(tmp_path) == {}


def test_words_come_back_by_item_and_are_none_where_a_run_is_older(dataset: Dataset, tmp_path: Path) -> None:
    words = {0: {"espresso": 0.8, "drink": 0.9}, 3: {"dog": 0.7}}
    save_words(words, tmp_path / WORDS, dataset)
    other = replace(dataset, items=tuple(reversed(dataset.items)))
    assert load_words(tmp_path / WORDS, dataset) == words
    assert load_words(tmp_path / WORDS, other) == {len(dataset.items) - 1 - code: row for code, row in words.items()}
    assert load_words(tmp_path / "absent.json", dataset) == {}


def test_the_blank_picture_is_as_large_as_the_others() -> None:
    assert blank(MLLM, 4).shape == (4, MLLM.hidden_size)
