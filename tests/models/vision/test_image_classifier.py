"""The vision encoder's own classifier: words for what it sees, a kind as likely as its classes together."""

import pytest
import torch
from PIL import Image
from tiny import tiny_mllm

from mmsrarec.models import CONVERTED
from mmsrarec.models.backbone.warm_up import grids
from mmsrarec.models.vision.class_words import RECORDED
from mmsrarec.models.vision.image_classifier import ImageClassifier, classifier_of
from mmsrarec.models.weight_packages import WEIGHT_PACKAGES


def classifier() -> ImageClassifier:
    """Three classes on three channels: a beagle, a basset, and an espresso."""
    words = (("beagle", "dog"), ("basset", "dog"), ("espresso", "drink"))
    return ImageClassifier(torch.eye(3) * 10, torch.zeros(3), words)


def test_a_kind_is_as_likely_as_its_classes_together() -> None:
    sure, torn = classifier().word_probabilities(torch.tensor([[0.0, 0.0, 1.0], [1.0, 1.0, 0.0]]))
    assert sure["espresso"] == pytest.approx(1, abs=1e-3)
    assert sure["drink"] == pytest.approx(1, abs=1e-3)
    assert torn["dog"] == pytest.approx(1, abs=1e-3)
    assert torn["beagle"] == pytest.approx(0.5, abs=1e-3)
    assert next(iter(torn)) == "dog"


def test_unlikely_words_are_not_recorded() -> None:
    (row,) = classifier().word_probabilities(torch.tensor([[0.0, 0.0, 1.0]]))
    assert set(row) == {"espresso", "drink"}
    assert min(row.values()) >= RECORDED


def test_no_pictures_give_no_rows() -> None:
    assert classifier().word_probabilities(torch.zeros(0, 3)) == []


def test_only_the_embedded_model_has_one(monkeypatch: pytest.MonkeyPatch) -> None:
    mllm = tiny_mllm()
    assert classifier_of(mllm) is None
    monkeypatch.setattr(ImageClassifier, "load", classmethod(lambda cls: classifier()))
    mllm.fingerprint = f"{CONVERTED}0123-float32"
    assert classifier_of(mllm) is not None


def test_states_are_the_mean_of_the_towers_map() -> None:
    mllm, pictures = tiny_mllm(), [Image.new("RGB", (40, 30), colour) for colour in ("red", "navy")]
    features, states = mllm.encode_images_with_states(pictures, 4)
    torch.testing.assert_close(features, mllm.encode_images(pictures, 4))
    assert states is not None
    torch.testing.assert_close(states, grids(mllm, pictures).float().mean(1).cpu())


@pytest.mark.skipif(
    any(package.path is None for package in WEIGHT_PACKAGES),
    reason="the packages of the embedded model are not installed",
)
def test_the_packaged_classifier_has_a_row_for_each_class() -> None:
    loaded = ImageClassifier.load()
    assert loaded.weight.shape == (1000, 1280)
    assert loaded.bias.shape == (1000,)
    assert len(loaded.class_words) == 1000
    # a state that points the way of class 967 is an espresso
    (row,) = loaded.word_probabilities(loaded.weight[967][None] * 40)
    assert row["espresso"] > 0.9
