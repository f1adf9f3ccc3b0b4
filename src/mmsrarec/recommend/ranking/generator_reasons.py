"""Why a fused ranking put an item where it is, by the candidate generators' part of it, measured.

The fused score is a conditional logit, linear in what the language model and each generator say (McFadden 1974). An
item of the history is left out, everything else stays, and the score is computed again: the drop is its weight. What a
generator itself adds is its weight times how far its term lies above the mean of the items considered.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from mmsrarec.data.dataset import Dataset, FloatArray, IntArray
from mmsrarec.data.splits import Queries
from mmsrarec.rankers.base import CandidateGenerator
from mmsrarec.rankers.ensemble.conditional_logit import Logit
from mmsrarec.recommend.explain import Reason
from mmsrarec.recommend.ranking.fusion import FixedScores, ranking_features

MAX_HISTORY = 8
"""Items of the history that are left out in turn, the newest."""
MAX_SCORES_HELD = 4_000_000
"""Scores of a generator held at once: 32 MB."""


@dataclass(frozen=True, eq=False)
class _SameExcluded(Queries):
    """Queries with other histories at which the same items are excluded: an item that is left out does not compete."""

    kept_out: tuple[IntArray, ...] = ()

    @property
    def excluded(self) -> tuple[IntArray, ...]:
        return self.kept_out


@dataclass(frozen=True, eq=False)
class _Variants:
    """A query, and the same once for each item that is left out of its history.

    Attributes:
        left_out: Item codes, the newest first.
        histories: The whole history, then one without each of these items.
    """

    left_out: tuple[int, ...]
    histories: tuple[IntArray, ...]

    @classmethod
    def of(cls, history: IntArray) -> "_Variants":
        newest_first: list[int] = history[::-1].tolist()
        left_out = tuple(dict.fromkeys(newest_first))[:MAX_HISTORY]
        return cls(left_out, (history, *(history[history != code] for code in left_out)))


def generator_reasons(
    dataset: Dataset,
    queries: Queries,
    candidates: IntArray,
    explained: IntArray,
    model_scores: FloatArray,
    generators: Sequence[CandidateGenerator],
    logit: Logit,
    only_for: bool = False,
) -> list[list[list[Reason]]]:
    """The reasons of some of the candidates, heaviest first.

    Args:
        dataset: The catalogue.
        queries: m queries, each with a history.
        candidates: (m, c) item codes that were ranked together.
        explained: (m, e) places among the candidates.
        model_scores: (m, c) p(yes) of the language model; any constant where it has no weight.
        generators: k rankers in the order of the logit's terms, behind the language model's.
        logit: Of 1 + k terms.
        only_for: Whether only reasons that speak for an item are listed.

    Returns:
        For each query, for each explained candidate, its reasons of the kinds "history" and "ranker".
    """
    at_once = max(1, MAX_SCORES_HELD // ((1 + MAX_HISTORY) * max(len(dataset.items), 1)))
    reasons: list[list[list[Reason]]] = []
    for start in range(0, len(queries), at_once):
        rows = np.arange(start, min(start + at_once, len(queries)))
        given = candidates[rows], explained[rows], model_scores[rows]
        reasons += _reasons_of_block(dataset, queries.pick(rows), *given, generators, logit, only_for)
    return reasons


def _reasons_of_block(
    dataset: Dataset,
    queries: Queries,
    candidates: IntArray,
    explained: IntArray,
    model_scores: FloatArray,
    generators: Sequence[CandidateGenerator],
    logit: Logit,
    only_for: bool,
) -> list[list[list[Reason]]]:
    """`generator_reasons`, of as many queries as are computed at once."""
    variants = [_Variants.of(history) for history in queries.history]
    row = np.repeat(np.arange(len(queries)), [len(one.histories) for one in variants])
    histories = tuple(history for one in variants for history in one.histories)
    excluded = queries.excluded
    kept_out = tuple(excluded[number] for number in row.tolist())
    variant_queries = _SameExcluded(
        queries.user[row], queries.time[row], queries.target[row], histories, queries.allow_seen, kept_out=kept_out
    )
    parts = ranking_features(FixedScores(model_scores[row]), generators, variant_queries, candidates[row])
    scores = logit.score(parts)
    starts = np.searchsorted(row, np.arange(len(queries) + 1))
    reasons: list[list[list[Reason]]] = []
    for number, one in enumerate(variants):
        begin, end = int(starts[number]), int(starts[number + 1])
        drops = scores[begin] - scores[begin + 1 : end]
        terms = [_above_mean(part[begin], weight) for weight, part in zip(logit.weights[1:], parts[1:], strict=True)]
        weights = np.concatenate([drops, terms])[:, explained[number]].T
        reasons.append(_listed(_unweighted(dataset, one, generators), weights, only_for))
    return reasons


def _above_mean(part: FloatArray, weight: float) -> FloatArray:
    """(c,) what a generator adds to each candidate, over the mean of those that it knows."""
    is_finite = np.isfinite(part)
    centre = part[is_finite].mean() if is_finite.any() else 0.0
    return np.where(is_finite, weight * (part - centre), 0.0)


def _unweighted(
    dataset: Dataset, variants: _Variants, generators: Sequence[CandidateGenerator]
) -> list[Callable[[float], Reason]]:
    """What may speak for a candidate of one query, each as a function of its weight."""

    def item(code: int) -> Callable[[float], Reason]:
        text, item_id = f"had {dataset.items[code].title}", dataset.items[code].item_id
        return lambda weight: Reason("history", text, weight, item_id)

    def ranker(name: str) -> Callable[[float], Reason]:
        return lambda weight: Reason("ranker", f"{name} ranks it high", weight, words=(name,))

    return [*map(item, variants.left_out), *(ranker(generator.name) for generator in generators)]


def _listed(unweighted: Sequence[Callable[[float], Reason]], weights: FloatArray, only_for: bool) -> list[list[Reason]]:
    """The reasons of the explained candidates of one query, heaviest first.

    Args:
        unweighted: r reasons, as functions of their weights.
        weights: (e, r) for each candidate.
        only_for: Whether those without a weight above 0 are left out.
    """
    orders, values = np.argsort(-weights, axis=1, kind="stable").tolist(), weights.tolist()
    return [
        [unweighted[place](row[place]) for place in order if not only_for or row[place] > 0]
        for order, row in zip(orders, values, strict=True)
    ]


def combined_reasons(model: Sequence[Reason], share: float, generators: Sequence[Reason]) -> list[Reason]:
    """The language model's reasons, times its weight in the fused score, and the generators', as one list.

    Weights of the same item of the history add up, for the fused score is linear in both parts.

    Args:
        model: The language model's reasons.
        share: Its weight in the fused score.
        generators: The reasons of `generator_reasons` for the same candidate.
    """
    if not model:
        return list(generators)
    of_generators = {reason.item_id: reason for reason in generators if reason.kind == "history"}
    reasons: list[Reason] = []
    for reason in model:
        also = of_generators.pop(reason.item_id, None) if reason.kind == "history" else None
        weight = share * reason.weight + (also.weight if also else 0.0)
        reasons.append(replace(reason, weight=weight))
    reasons += [*of_generators.values(), *(reason for reason in generators if reason.kind != "history")]
    return sorted(reasons, key=lambda reason: -reason.weight)
