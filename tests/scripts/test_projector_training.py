"""The pictures and features that the projector is trained on."""

import importlib
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from PIL import Image

from mmsrarec.data.dataset import Dataset, Item, make_interactions
from mmsrarec.data.folder import save
from mmsrarec.data.images import is_held_out
from mmsrarec.models.vision.image_classifier import ImageClassifier

SCRIPTS = Path(__file__).parents[2] / "scripts"


@pytest.fixture
def scripts(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(SCRIPTS))
    return importlib.import_module("projector_pictures")


@pytest.fixture
def synthesis(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(SCRIPTS))
    return importlib.import_module("synthetic_features")


def test_made_up_features_show_their_classes(synthesis: ModuleType) -> None:
    rng, torch_rng = np.random.default_rng(0), torch.Generator().manual_seed(0)
    weight = torch.randn(5, 24, generator=torch_rng)
    classifier = ImageClassifier(weight, torch.zeros(5), tuple((f"class {label}",) for label in range(5)))
    real = torch.rand(60, 49, 24, generator=torch_rng) * 2
    maker = synthesis.FeatureSynthesizer.fit(classifier, real)
    gain = (maker.directions * (weight - weight.mean(0))).sum(1)
    torch.testing.assert_close(gain, torch.ones(5), atol=1e-4, rtol=1e-4)  # one logit a step
    drawn = maker.draw(80, rng)
    assert drawn.shape == (80, 49, 24)
    assert drawn.min() >= 0
    assert drawn.max() <= synthesis.HIGHEST
    first = [next(iter(row)) for row in classifier.word_probabilities(drawn.mean(1))]
    usual = [next(iter(row)) for row in classifier.word_probabilities(real.mean(1))]
    assert len(set(first)) == 5
    assert len(set(usual)) < 5  # the real ones of this test look alike


def test_a_blob_is_never_empty(synthesis: ModuleType) -> None:
    rng = np.random.default_rng(0)
    assert all(0 < synthesis.blob(rng).sum() <= 49 for _ in range(200))


def test_drawn_products_name_motif_kind_and_colour(scripts: ModuleType) -> None:
    pictures = list(scripts.drawn_products(np.random.default_rng(0), 3))
    assert [picture.source for picture in pictures] == ["drawn"] * 3
    assert all(len(picture.answer) == 3 for picture in pictures)


def test_words_of_emoji_leave_out_signs_and_long_names(scripts: ModuleType) -> None:
    assert scripts.emoji_words(0x1F34E) == ("red", "apple")
    assert scripts.emoji_words(0x1F550) == ()  # CLOCK FACE ONE OCLOCK
    assert scripts.emoji_words(0x10FFFF) == ()


def test_emoji_of_a_folder_lie_on_light_grounds(scripts: ModuleType, tmp_path: Path) -> None:
    layer = Image.new("RGBA", (60, 60))
    layer.paste((200, 0, 0, 255), (15, 15, 45, 45))
    for name in ("1f34e.webp", "1f468-200d-1f33e.webp", "notes.txt"):
        layer.save(tmp_path / name, format="WEBP") if name.endswith("webp") else (tmp_path / name).write_text("no")
    pictures = list(scripts.emoji_of_folder(tmp_path, np.random.default_rng(0), variants=2))
    assert len(pictures) == 2  # a sequence of characters has no name of its own
    assert pictures[0].answer == ("red", "apple")
    assert pictures[0].picture.size == (224, 224)
    assert np.asarray(pictures[0].picture).mean() > 150


def test_held_out_pictures_of_a_catalogue_are_never_used(scripts: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "source" / "images").mkdir(parents=True)
    rng, items = np.random.default_rng(0), []
    for code in range(24):
        pixels = rng.integers(0, 255, (20, 20, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "source" / "images" / f"{code}.png")
        items.append(Item(str(code), f"item {code}", "", ("Film", "Comedy" if code % 2 else "Drama"), f"{code}.png"))
    log = make_interactions(np.zeros(24, int), np.arange(24), np.arange(24) + 10**9, 1, 24)
    save(Dataset("films", tuple(items), ("u",), log, tmp_path / "source"), tmp_path / "data")
    pictures = list(scripts.catalogue_pictures(tmp_path / "data", rng, crops=2))
    files = {file.read_bytes() for file in (tmp_path / "data" / "images").iterdir()}
    usable = sum(not is_held_out(content) for content in files)
    assert 0 < usable < 24
    whole = [picture for picture in pictures if picture.source == "catalogue"]
    assert len(whole) == usable
    assert {picture.answer for picture in whole} == {("comedy",), ("drama",)}  # what all items share tells nothing
    assert sum(picture.answer is None for picture in pictures) == 2 * usable
