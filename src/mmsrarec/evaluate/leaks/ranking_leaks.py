"""Leak checks of ranking: the answer's place, ties, order, batches, broken scores, and the context alone."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeAlias

import numpy as np

from mmsrarec.data.dataset import Dataset, FloatArray, IntArray
from mmsrarec.data.splits import Queries
from mmsrarec.errors import MmsrarecError
from mmsrarec.evaluate.leaks.finding import Finding, uniform_p
from mmsrarec.evaluate.metrics import PUBLISHED, measure
from mmsrarec.evaluate.protocols import Candidates, evaluate_published
from mmsrarec.rankers.base import Ranker

Evaluate: TypeAlias = Callable[[Ranker, Queries, Candidates], dict[str, FloatArray]]

LIKELY = 1e-3
"""A sound draw of places is less likely once in a thousand checks."""
CLOSE = 1e-4
"""Scorer that differ less are equal: float32, other shapes of a batch."""
TOO_GOOD = 0.9
"""AUC of the context alone: a handful of items that hold the next one for four users in five has copied it."""


class Fixed:
    """A scorer of a formula: `of` turns (m, c) items into scores."""

    name = "fixed"

    def __init__(self, of: Callable[[IntArray], FloatArray]) -> None:
        self.of = of

    def score(self, queries: Queries, candidates: IntArray | None) -> FloatArray:
        assert candidates is not None
        return self.of(candidates)


def places(test: Candidates, training: IntArray, negatives: int, seed: int) -> Finding:
    """The answer stands at every place alike often. training: (packs,) places of the positive among 1 + negatives."""
    counts = {"test": np.bincount(test.place, minlength=test.items.shape[1])}
    counts["training"] = np.bincount(training, minlength=negatives + 1)
    chances = {f"p {name}": uniform_p(count, seed) for name, count in counts.items()}
    first = {f"first in {name}": float(count[0] / max(count.sum(), 1)) for name, count in counts.items()}
    return Finding(
        "the answer's place",
        min(chances.values()) > LIKELY,
        first | chances,
        "the answer's place among the candidates tells nothing (chi-square against uniform)",
        "draw the place of the positive uniformly, as published_candidates does",
    )


def constant(queries: Queries, candidates: Candidates, evaluate: Evaluate = evaluate_published) -> Finding:
    """A constant scorer reads exactly chance."""
    n = candidates.items.shape[1] - 1
    chance = measure(np.zeros(1, int), np.array([n]), n, PUBLISHED)
    figures = evaluate(Fixed(lambda items: np.zeros(items.shape)), queries, candidates)
    return Finding(
        "a constant scorer",
        all(np.allclose(figures[name], chance[name]) for name in PUBLISHED),
        {name: float(figures[name].mean()) for name in PUBLISHED} | {"chance": float(chance["HR@5"][0])},
        "scores without a difference are worth exactly chance",
        "let ties count as the mean over all orders (evaluate/metrics.py)",
    )


def not_a_number(queries: Queries, candidates: Candidates, evaluate: Evaluate = evaluate_published) -> Finding:
    """One score that is not a number is refused: it would compare as neither better nor worse."""

    def broken(items: IntArray) -> FloatArray:
        scores = np.zeros(items.shape)
        scores[0, -1] = np.nan
        return scores

    try:
        evaluate(Fixed(broken), queries, candidates)
        refused = False
    except (MmsrarecError, ValueError):
        refused = True
    return Finding(
        "scores that are no numbers",
        refused,
        {"refused": refused},
        "a broken model is an error, not a figure",
        "check scores with isnan before they are compared",
    )


def order(scorers: Sequence[Ranker], queries: Queries, items: IntArray, seed: int) -> Finding:
    """Permuting the candidates changes no score."""
    orders = np.random.default_rng(seed).permuted(np.tile(np.arange(items.shape[1]), (len(items), 1)), axis=1)
    moved = np.take_along_axis(items, orders, axis=1)
    far = {
        one.name: _distance(np.take_along_axis(one.score(queries, items), orders, axis=1), one.score(queries, moved))
        for one in scorers
    }
    return Finding(
        "order of candidates",
        max(far.values()) <= CLOSE,
        {"users": len(queries), **far},
        "a candidate's score does not depend on where it stands (largest difference of each row)",
        "mask candidates from one another, and restart their positions",
    )


def batch(scorers: Sequence[Ranker], queries: Queries, items: IntArray) -> Finding:
    """A user alone, in a batch, and with one candidate at a time, which is unpacked, gets the same scores."""
    far = {}
    for one in scorers:
        together = one.score(queries, items)
        alone = [one.score(queries.pick(np.array([row])), items[[row]]) for row in range(len(queries))]
        unpacked = [one.score(queries, items[:, [column]]) for column in range(items.shape[1])]
        parts = np.concatenate(alone), np.concatenate(unpacked, axis=1)
        far[one.name] = max(_distance(together, part) for part in parts)
    return Finding(
        "padding and batching",
        max(far.values()) <= CLOSE,
        {"users": len(queries), **far},
        "scores do not depend on who or what is asked about beside (largest difference of each row)",
        "mask the padding, and give packed candidates positions of their own",
    )


def context_alone(scorer: Ranker, queries: Queries, candidates: Candidates) -> Finding:
    """AUC of "the candidate is among the collaborative items": what copying the context is worth."""
    auc = float(evaluate_published(scorer, queries, candidates)["AUC"].mean())
    held = scorer.score(queries, candidates.items) > 0
    target = np.take_along_axis(held, candidates.place[:, None], axis=1)[:, 0]
    others = (held.sum(axis=1) - target) / (held.shape[1] - 1)
    return Finding(
        "the context alone",
        auc <= TOO_GOOD,
        {"AUC": auc, "targets in it": float(target.mean()), "negatives in it": float(others.mean())},
        "a model that only copies its context ranks this well; what it adds is above this",
        "see whether the context knows the moment's own future: the user itself, a copy, or a clock that is off",
    )


def renamed(dataset: Dataset, seed: int) -> Dataset:
    """The catalogue with invented titles, as long in words as the old; what the titles told is gone."""
    rng = np.random.default_rng(seed)

    def invent() -> str:
        return "".join(str(rng.choice(list(part))) for part in ("BDFGKLMNPRSTVZ", "aeiou", "bdgklmnprstvz", "aeiou"))

    titles = [" ".join(invent() for _ in item.title.split()) for item in dataset.items]
    items = (replace(item, title=title) for item, title in zip(dataset.items, titles, strict=True))
    return replace(dataset, items=tuple(items))


def memorised_titles(scorer: Ranker, stranger: Ranker, queries: Queries, candidates: Candidates) -> Finding:
    """HR@5 with the titles and with invented ones. Only reported: titles may tell, and the model was tuned on them."""
    with_titles, without = (evaluate_published(one, queries, candidates)["HR@5"].mean() for one in (scorer, stranger))
    return Finding(
        "memorised titles",
        None,
        {"users": len(queries), "HR@5": float(with_titles), "HR@5 renamed": float(without)},
        "what titles are worth to the tuned model: their meaning and what it remembers of them, together",
        "to tell memory from meaning, import the data with renamed titles and run the recipe on it",
    )


def _distance(a: FloatArray, b: FloatArray) -> float:
    """The largest difference, as a share of the scores' size where they are larger than one."""
    if not a.size:
        return 0.0
    return float(np.abs(a - b).max() / max(1.0, float(np.abs(a).max())))
