"""How much a model's answers depend on the picture, and how well labels can be told from it."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata
from torch import Tensor

from mmsrarec.summarize.tuning.frozen_models import FrozenImageModel
from mmsrarec.summarize.tuning.image_reward import ImageInformation

RESAMPLES = 500
STRENGTHS = (0.0003, 0.001, 0.003, 0.01, 0.03)
"""Inverse weights of the penalty that the logistic regression chooses from."""
Floats = NDArray[np.floating]


def image_information(
    model: FrozenImageModel, answers: Mapping[int, str], limits: Mapping[str, int], others: int = 15, seed: int = 0
) -> tuple[Floats, Floats]:
    """How much likelier each answer is under its own picture than under others.

    Args:
        model: The model's probabilities.
        answers: The answer about each picture; "" where there is none, which tells nothing.
        limits: Keywords of an answer, at most, by modality.
        others: Other pictures that each is compared with.
        seed: Seed of their choice.

    Returns:
        (n,) log P(answer | own picture) less its mean over other pictures, in nats; and (n,) the image reward of
        tuning, 0 to 1. Both are 0 without an answer.
    """
    known: dict[tuple[int, str], Tensor] = {}

    def remembered(codes: Sequence[int], texts: Sequence[str]) -> list[Tensor]:
        pairs = list(zip(codes, texts, strict=True))
        missing = [pair for pair in dict.fromkeys(pairs) if pair not in known]
        if missing:
            known.update(zip(missing, model(*map(list, zip(*missing, strict=True))), strict=True))
        return [known[pair] for pair in pairs]

    reward = ImageInformation(remembered, list(answers), limits, "nothing", others, seed)
    answered = [code for code, answer in answers.items() if answer]
    pairs = [(other, answers[code]) for code in answered for other in (code, *reward.contrast(code))]
    if pairs:
        remembered(*map(list, zip(*pairs, strict=True)))

    def advantage(code: int, answer: str) -> float:
        own, *rest = (float(known[other, answer].sum()) for other in (code, *reward.contrast(code)))
        return own - float(np.mean(rest))

    nats = [advantage(code, answer) if answer else 0.0 for code, answer in answers.items()]
    names = list(answers)
    rewards = reward(list(answers.values()), ["picture"] * len(names), [""] * len(names), names)
    return np.array(nats), np.array([value or 0.0 for value in rewards])


def label_scores(model: FrozenImageModel, codes: Sequence[int], labels: Sequence[str]) -> Floats:
    """(pictures, labels) log P(label | picture, question of stage 1), with the label in lower case."""
    pairs = [(code, label.lower()) for code in codes for label in labels]
    log_probs = model([code for code, _ in pairs], [label for _, label in pairs])
    return np.array([float(values.sum()) for values in log_probs]).reshape(len(codes), len(labels))


def among_labels(scores: Floats) -> Floats:
    """Log-shares of each label among all labels of a picture: it no longer matters how likely any label is there."""
    return scores - np.logaddexp.reduce(scores, axis=1, keepdims=True)


def auc(scores: Floats, is_positive: NDArray[np.bool_]) -> float:
    """The chance that a picture with the label scores above one without; ties count half. NaN without either."""
    positives = int(is_positive.sum())
    negatives = len(is_positive) - positives
    if not positives or not negatives:
        return float("nan")
    ranks = rankdata(scores)
    return float((ranks[is_positive].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def mean_auc(scores: Floats, has_label: NDArray[np.bool_], seed: int = 0) -> dict[str, float]:
    """The mean AUC over labels, with its 95 % bootstrap interval over pictures.

    Args:
        scores: (pictures, labels).
        has_label: (pictures, labels).
        seed: Seed of the resamples.
    """

    def mean(rows: NDArray[np.int64]) -> float:
        values = [auc(scores[rows, i], has_label[rows, i]) for i in range(scores.shape[1])]
        known = [value for value in values if not np.isnan(value)]  # a resample may lack a label
        return float(np.mean(known)) if known else float("nan")

    every, rng = np.arange(len(scores)), np.random.default_rng(seed)
    means = [mean(rng.integers(len(scores), size=len(scores))) for _ in range(RESAMPLES)]
    low, high = np.nanpercentile(means, [2.5, 97.5])
    return {"value": mean(every), "low": float(low), "high": float(high)}


def logistic_scores(train: Floats, has_label: NDArray[np.bool_], test: Floats) -> Floats:
    """The scores of one logistic regression a label: what the features of the vision encoder allow.

    The penalty is the one of STRENGTHS with the best AUC, all labels together, on every fourth picture of the training.

    Args:
        train: (n, channels) features.
        has_label: (n, labels).
        test: (m, channels) features.

    Returns:
        (m, labels).
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import Pipeline, make_pipeline
    from sklearn.preprocessing import StandardScaler

    chosen = np.arange(len(train)) % 4 == 0

    def fitted(strength: float, rows: NDArray[np.bool_], label: int) -> Pipeline:
        model = make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=300))
        return model.fit(train[rows], has_label[rows, label])

    def quality(strength: float) -> float:
        scores = [fitted(strength, ~chosen, i).decision_function(train[chosen]) for i in range(has_label.shape[1])]
        return float(np.nanmean([auc(own, has_label[chosen, i]) for i, own in enumerate(scores)]))

    best = max(STRENGTHS, key=quality)
    every = np.ones(len(train), dtype=bool)
    return np.stack([fitted(best, every, i).decision_function(test) for i in range(has_label.shape[1])], axis=1)
