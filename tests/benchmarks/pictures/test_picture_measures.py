"""Image information and AUC on models whose answers are known by hand."""

import math
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from picture_measures import among_labels, auc, image_information, label_scores, logistic_scores, mean_auc
from torch import Tensor

LIMITS = {"picture": 4, "text": 6}


class Seeing:
    """A model that finds an answer e times likelier under the picture whose number is in it."""

    def __init__(self, gain: float) -> None:
        self.gain, self.pairs = gain, []

    def __call__(self, codes: Sequence[int], answers: Sequence[str]) -> list[Tensor]:
        self.pairs += zip(codes, answers, strict=True)
        return [
            torch.tensor([-2.0, -1.0 + self.gain * (answer == f"thing{'x' * code}")])
            for code, answer in zip(codes, answers, strict=True)
        ]


ANSWERS = {code: f"thing{'x' * code}" for code in range(20)}


def test_information_is_what_the_own_picture_adds() -> None:
    nats, rewards = image_information(Seeing(1.5), ANSWERS, LIMITS)
    assert nats == pytest.approx([1.5] * 20)
    own = math.exp(-3 + 1.5)
    assert rewards == pytest.approx([own / (own + 15 * math.exp(-3) + 0.02**2)] * 20)


def test_a_blind_model_has_no_information_and_silence_has_none_either() -> None:
    nats, rewards = image_information(Seeing(0.0), ANSWERS | {7: ""}, LIMITS)
    assert nats == pytest.approx([0] * 20)
    assert rewards[7] == 0
    assert rewards[8] == pytest.approx(1 / 16, abs=0.01)


def test_no_pair_is_computed_twice() -> None:
    model = Seeing(1.0)
    image_information(model, ANSWERS, LIMITS)
    assert len(model.pairs) == len(set(model.pairs)) == 20 * 16


def test_label_scores_have_a_row_a_picture_and_lower_case() -> None:
    scores = label_scores(Seeing(2.0), [0, 1, 2], ["Thing", "ThingX"])
    assert scores.tolist() == [[-1, -3], [-3, -1], [-3, -3]]
    assert np.exp(among_labels(scores)).sum(1) == pytest.approx([1, 1, 1])
    assert np.exp(among_labels(scores))[2] == pytest.approx([0.5, 0.5])


def test_auc_is_the_share_of_pairs_in_order_and_ties_count_half() -> None:
    rng = np.random.default_rng(0)
    scores, positive = rng.integers(5, size=60).astype(float), rng.random(60) < 0.3
    pairs = scores[positive][:, None] - scores[~positive]
    assert auc(scores, positive) == pytest.approx(((pairs > 0) + (pairs == 0) / 2).mean())
    assert math.isnan(auc(scores, np.zeros(60, dtype=bool)))


def test_the_mean_over_labels_lies_in_its_interval() -> None:
    rng = np.random.default_rng(1)
    has_label = rng.random((80, 2)) < 0.4
    scores = has_label * 1.0 + rng.normal(size=(80, 2))
    found = mean_auc(scores, has_label)
    assert found["low"] < found["value"] < found["high"]
    assert found["value"] == pytest.approx(np.mean([auc(scores[:, i], has_label[:, i]) for i in (0, 1)]))
    assert found["low"] > 0.5


def test_the_ceiling_learns_what_the_features_hold_and_nothing_else() -> None:
    pytest.importorskip("sklearn", reason="comes with the extra tune")
    rng = np.random.default_rng(2)
    features = rng.normal(size=(300, 6))
    has_label = np.stack([features[:, 0] + 0.3 * rng.normal(size=300) > 0, rng.random(300) < 0.5], axis=1)
    scores = logistic_scores(features[:200], has_label[:200], features[200:])
    assert auc(scores[:, 0], has_label[200:, 0]) > 0.9
    assert 0.3 < auc(scores[:, 1], has_label[200:, 1]) < 0.7
