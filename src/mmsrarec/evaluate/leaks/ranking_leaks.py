"""Leak checks of ranking: place of the answer, ties, order, batches, broken scores, and the context alone."""

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

MIN_P_VALUE = 1e-3
"""p-value of the places of the answer that a sound draw falls below once in a thousand checks."""
MAX_SCORE_DIFFERENCE = 1e-4
"""Relative difference up to which two scores are equal: float32 in batches of other shapes."""
MAX_CONTEXT_AUC = 0.9
"""AUC of the context alone. Above it a handful of items holds the next one for four users in five: it was copied."""


class FormulaScorer:
    """A ranker by a formula.

    Attributes:
        name: Name of the ranker.
        of: Maps (m, c) items to (m, c) scores.
    """

    name = "fixed"

    def __init__(self, of: Callable[[IntArray], FloatArray]) -> None:
        self.of = of

    def score(self, queries: Queries, candidates: IntArray | None) -> FloatArray:
        """(m, c) scores of (m, c) candidates."""
        assert candidates is not None
        return self.of(candidates)


def places(test: Candidates, training: IntArray, negatives: int, seed: int) -> Finding:
    """Check that the answer stands at every place equally often.

    Args:
        test: Candidates of the test.
        training: (packs,) places of the positives in training.
        negatives: Negatives of a training pack.
        seed: Seed of the chi-square simulation.

    Returns:
        Passed where no place is preferred.
    """
    counts = {"test": np.bincount(test.place, minlength=test.items.shape[1])}
    counts["training"] = np.bincount(training, minlength=negatives + 1)
    chances = {f"p {name}": uniform_p(count, seed) for name, count in counts.items()}
    first_shares = {f"first in {name}": float(count[0] / max(count.sum(), 1)) for name, count in counts.items()}
    return Finding(
        "the answer's place",
        min(chances.values()) > MIN_P_VALUE,
        first_shares | chances,
        "the answer's place among the candidates tells nothing (chi-square against uniform)",
        "draw the place of the positive uniformly, as published_candidates does",
    )


def constant(queries: Queries, candidates: Candidates, evaluate: Evaluate = evaluate_published) -> Finding:
    """Check that a constant scorer gets exactly the metrics of chance.

    Args:
        queries: The queries of the candidates.
        candidates: Candidates of the test.
        evaluate: The evaluation to check.

    Returns:
        Passed where every metric equals chance.
    """
    n = candidates.items.shape[1] - 1
    chance = measure(np.zeros(1, int), np.array([n]), n, PUBLISHED)
    figures = evaluate(FormulaScorer(lambda items: np.zeros(items.shape)), queries, candidates)
    return Finding(
        "a constant scorer",
        all(np.allclose(figures[name], chance[name]) for name in PUBLISHED),
        {name: float(figures[name].mean()) for name in PUBLISHED} | {"chance": float(chance["HR@5"][0])},
        "scores without a difference are worth exactly chance",
        "let ties count as the mean over all orders (evaluate/metrics.py)",
    )


def not_a_number(queries: Queries, candidates: Candidates, evaluate: Evaluate = evaluate_published) -> Finding:
    """Check that a score that is not a number is refused; it would compare as neither higher nor lower.

    Args:
        queries: The queries of the candidates.
        candidates: Candidates of the test.
        evaluate: The evaluation to check.

    Returns:
        Passed where the evaluation raises an error.
    """

    def broken(items: IntArray) -> FloatArray:
        scores = np.zeros(items.shape)
        scores[0, -1] = np.nan
        return scores

    try:
        evaluate(FormulaScorer(broken), queries, candidates)
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
    """Check that the order of the candidates changes no score.

    Args:
        scorers: Rows to check.
        queries: m queries.
        items: (m, c) item codes.
        seed: Seed of the permutations.

    Returns:
        Passed where all scores are equal.
    """
    columns: IntArray = np.tile(np.arange(int(items.shape[1])), (len(items), 1))
    orders = np.random.default_rng(seed).permuted(columns, axis=1)
    permuted = np.take_along_axis(items, orders, axis=1)
    differences: dict[str, float] = {}
    for scorer in scorers:
        expected = np.take_along_axis(scorer.score(queries, items), orders, axis=1)
        differences[scorer.name] = _relative_difference(expected, scorer.score(queries, permuted))
    return Finding(
        "order of candidates",
        max(differences.values()) <= MAX_SCORE_DIFFERENCE,
        {"users": len(queries), **differences},
        "a candidate's score does not depend on where it stands (largest difference of each row)",
        "mask candidates from one another, and restart their positions",
    )


def batch(scorers: Sequence[Ranker], queries: Queries, items: IntArray) -> Finding:
    """Check that a user gets the same scores alone, in a batch, and with one candidate at a time.

    Args:
        scorers: Rows to check.
        queries: m queries.
        items: (m, c) item codes.

    Returns:
        Passed where all scores are equal.
    """
    differences: dict[str, float] = {}
    for scorer in scorers:
        batch_scores = scorer.score(queries, items)
        single_scores = [scorer.score(queries.pick(np.array([row])), items[[row]]) for row in range(len(queries))]
        unpacked = [scorer.score(queries, items[:, [column]]) for column in range(items.shape[1])]
        parts = np.concatenate(single_scores), np.concatenate(unpacked, axis=1)
        differences[scorer.name] = max(_relative_difference(batch_scores, part) for part in parts)
    return Finding(
        "padding and batching",
        max(differences.values()) <= MAX_SCORE_DIFFERENCE,
        {"users": len(queries), **differences},
        "scores do not depend on who or what is asked about beside (largest difference of each row)",
        "mask the padding, and give packed candidates positions of their own",
    )


def context_alone(scorer: Ranker, queries: Queries, candidates: Candidates) -> Finding:
    """Measure how well the mere presence in the collaborative context ranks.

    Args:
        scorer: The row "context-only".
        queries: The queries of the candidates.
        candidates: Candidates of the test.

    Returns:
        Passed where its AUC is at most `MAX_CONTEXT_AUC`.
    """
    auc = float(evaluate_published(scorer, queries, candidates)["AUC"].mean())
    is_shown = scorer.score(queries, candidates.items) > 0
    target_shown = np.take_along_axis(is_shown, candidates.place[:, None], axis=1)[:, 0]
    negatives_shown = (is_shown.sum(axis=1) - target_shown) / (is_shown.shape[1] - 1)
    return Finding(
        "the context alone",
        auc <= MAX_CONTEXT_AUC,
        {"AUC": auc, "targets in it": float(target_shown.mean()), "negatives in it": float(negatives_shown.mean())},
        "a model that only copies its context ranks this well; what it adds is above this",
        "see whether the context knows the query's own future: the user itself, a copy, or a clock that is off",
    )


def renamed(dataset: Dataset, seed: int) -> Dataset:
    """The catalogue with invented titles of as many words.

    Args:
        dataset: The catalogue.
        seed: Seed of the titles.

    Returns:
        The catalogue without the meaning of its titles.
    """
    rng = np.random.default_rng(seed)

    def invent() -> str:
        """A word of two syllables."""
        return "".join(str(rng.choice(list(part))) for part in ("BDFGKLMNPRSTVZ", "aeiou", "bdgklmnprstvz", "aeiou"))

    titles = [" ".join(invent() for _ in item.title.split()) for item in dataset.items]
    items = (replace(item, title=title) for item, title in zip(dataset.items, titles, strict=True))
    return replace(dataset, items=tuple(items))


def memorised_titles(scorer: Ranker, renamed_scorer: Ranker, queries: Queries, candidates: Candidates) -> Finding:
    """Report HR@5 with the titles and with invented ones. It is not judged: the model was tuned on the titles.

    Args:
        scorer: The tuned model.
        renamed_scorer: The same with the catalogue of `renamed`.
        queries: The queries of the candidates.
        candidates: Candidates of the test.

    Returns:
        The finding, neither passed nor failed.
    """
    with_titles = evaluate_published(scorer, queries, candidates)["HR@5"].mean()
    without = evaluate_published(renamed_scorer, queries, candidates)["HR@5"].mean()
    return Finding(
        "memorised titles",
        None,
        {"users": len(queries), "HR@5": float(with_titles), "HR@5 renamed": float(without)},
        "what titles are worth to the tuned model: their meaning and what it remembers of them, together",
        "to tell memory from meaning, import the data with renamed titles and run the recipe on it",
    )


def _relative_difference(a: FloatArray, b: FloatArray) -> float:
    """The largest difference of scores, relative to the largest score where that is above 1."""
    if not a.size:
        return 0.0
    return float(np.abs(a - b).max() / max(1.0, float(np.abs(a).max())))
