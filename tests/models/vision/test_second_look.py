"""A second look at pictures: the views, which pictures get them, and the mean over them."""

import numpy as np
import pytest
import torch
from PIL import Image
from tiny import tiny_mllm

from mmsrarec.models.backbone.mllm import Mllm
from mmsrarec.models.backbone.warm_up import grids
from mmsrarec.models.vision.class_words import LOOK_AGAIN
from mmsrarec.models.vision.image_classifier import ImageClassifier
from mmsrarec.models.vision.second_look import edge_colour, views_of, words_at_second_look


@pytest.fixture(scope="module")
def mllm() -> Mllm:
    return tiny_mllm()


def picture(side: int = 40) -> Image.Image:
    """Red on the left, navy on the right, with a white frame of 10 pixels."""
    pixels = np.full((side, side, 3), 255, dtype=np.uint8)
    pixels[10:-10, 10 : side // 2] = (200, 0, 0)
    pixels[10:-10, side // 2 : -10] = (0, 0, 90)
    return Image.fromarray(pixels)


def test_the_views_are_mirrored_nearer_and_farther() -> None:
    mirrored, nearer, farther = views_of(picture())
    assert mirrored.getpixel((12, 20)) == (0, 0, 90)
    assert nearer.size == (36, 36)
    assert nearer.getpixel((9, 18)) == (200, 0, 0)
    assert farther.size == (52, 52)
    assert farther.getpixel((0, 0)) == (255, 255, 255)
    assert farther.getpixel((6 + 12, 26)) == (200, 0, 0)


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 2), (7, 5)])
def test_pictures_of_any_size_have_views(size: tuple[int, int]) -> None:
    mirrored, nearer, farther = views_of(Image.new("RGB", size, (10, 20, 30)))
    assert mirrored.size == size
    assert min(nearer.size) >= 1
    assert farther.size[0] == farther.size[1] >= max(size)
    assert farther.getpixel((0, 0)) == (10, 20, 30)


def test_the_ground_has_the_colour_of_most_of_the_edge() -> None:
    touching = Image.new("RGB", (10, 10), (250, 240, 230))
    touching.paste((200, 0, 0), (0, 0, 10, 3))  # a thing on a light ground reaches the edge
    assert edge_colour(touching) == (250, 240, 230)


def classifier_for(states: torch.Tensor, scale: float) -> ImageClassifier:
    """Two classes, of which the first is the likelier the more a state is like `states`."""
    weight = torch.stack([states, -states]) * scale / states.norm() ** 2
    return ImageClassifier(weight, torch.zeros(2), (("lemon", "fruit"), ("cup",)))


def test_words_are_the_mean_over_the_views(mllm: Mllm) -> None:
    pictures = [picture(), Image.new("RGB", (30, 30), (0, 120, 0))]
    states = grids(mllm, pictures).float().mean(1)
    classifier = classifier_for(states[0], 1.0)
    words = words_at_second_look(mllm, classifier, pictures, states)
    for own, row in zip(pictures, words, strict=True):
        seen = grids(mllm, [own, *views_of(own)]).float().mean(1)
        expected = classifier.class_probabilities(seen).mean(0)
        assert row["lemon"] == pytest.approx(float(expected[0]), abs=1e-3)
        assert row["fruit"] == row["lemon"]


def test_pictures_without_a_likely_word_are_looked_at_once(mllm: Mllm, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[int] = []

    def counted(model: Mllm, pictures: list[Image.Image]) -> torch.Tensor:
        looks.append(len(pictures))
        return grids(model, pictures)

    monkeypatch.setattr("mmsrarec.models.vision.second_look.grids", counted)
    pictures, states = [picture()] * 3, grids(mllm, [picture()] * 3).float().mean(1)
    classes = round(2 / LOOK_AGAIN)
    unsure = ImageClassifier(
        torch.zeros(classes, states.shape[1]), torch.zeros(classes), tuple((f"class {n}",) for n in range(classes))
    )
    assert words_at_second_look(mllm, unsure, pictures, states) == unsure.word_probabilities(states)
    assert not looks
    toward = states[0] / states[0].norm() ** 2 * 20
    knows = ImageClassifier(torch.cat([toward[None], unsure.weight[1:]]), unsure.bias, unsure.class_words)
    mixed = torch.stack([states[0], torch.zeros_like(states[0]), states[0]])
    words_at_second_look(mllm, knows, pictures, mixed)
    assert looks == [2 * 3]  # the views of two pictures in one go


def test_nothing_is_nothing(mllm: Mllm) -> None:
    assert words_at_second_look(mllm, classifier_for(torch.ones(3), 1.0), [], torch.zeros(0, 3)) == []
