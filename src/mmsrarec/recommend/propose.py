"""Rank the whole catalogue by stages: a cheap generator proposes, the language model re-ranks what it proposed."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from mmsrarec.data.dataset import FloatArray, IntArray
from mmsrarec.data.split import Moments


class Scores(Protocol):
    """Whatever ranks: (m, c) candidates to (m, c) scores; None means every item of the catalogue."""

    @property
    def name(self) -> str: ...

    def score(self, moments: Moments, candidates: IntArray | None) -> FloatArray: ...


@dataclass
class Reranked:
    """`generator` ranks all items; the first `n` that may be recommended are put in order by `ranker`.

    Whatever was not proposed keeps the generator's order behind them.
    """

    name: str
    generator: Scores
    ranker: Scores
    n: int

    def proposals(self, moments: Moments) -> IntArray:
        """(m, n) item codes, best first by the generator, none that is excluded."""
        return self._propose(moments)[1]

    def score(self, moments: Moments, candidates: IntArray | None) -> FloatArray:
        if candidates is not None:
            return self.ranker.score(moments, candidates)
        ranks, proposed = self._propose(moments)
        ranked = self.ranker.score(moments, proposed)
        scores = np.minimum(ranked.min(axis=1, keepdims=True), 0.0) - 1 - ranks / ranks.shape[1]
        np.put_along_axis(scores, proposed, ranked, axis=1)
        return scores

    def _propose(self, moments: Moments) -> tuple[FloatArray, IntArray]:
        order, ranks = ordered(unseen(self.generator, moments))
        return ranks, order[:, : self.n]


def parts_of(generator: Scores) -> tuple[Scores, ...]:
    """Whoever proposes, one by one."""
    return getattr(generator, "generators", (generator,))


def described_by(generator: Scores) -> int:
    """Items, the first of the catalogue, that it can rank by what they are, though nobody took them."""
    return getattr(generator, "described", 0)


def strangers(generator: Scores, new: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(items,): of the new items, nobody took which, those that the generator cannot rank by what they are."""
    return new & (np.arange(len(new)) >= described_by(generator))


def unseen(generator: Scores, moments: Moments) -> FloatArray:
    """(m, n_items) float64 scores of a generator, -inf for what may not be recommended."""
    return not_had(generator.score(moments, None), moments)


def not_had(scores: FloatArray, moments: Moments) -> FloatArray:
    """(m, n_items): the scores as float64, -inf for what may not be recommended (`Moments.excluded`)."""
    found = np.array(scores, dtype=np.float64)
    for row, excluded in zip(found, moments.excluded, strict=True):
        row[excluded] = -np.inf
    return found


def places(generator: Scores, moments: Moments) -> FloatArray:
    """(m, n_items): each item's place by a generator, 1 the best, tied items at their mean; excluded ones last."""
    found = unseen(generator, moments)
    for row in found:
        _, where, count = np.unique(-row, return_inverse=True, return_counts=True)
        row[:] = (np.cumsum(count) - (count - 1) / 2)[where.ravel()]
    return found


def ordered(scores: FloatArray) -> tuple[IntArray, FloatArray]:
    """(m, items) codes, the highest score first, and each item's rank, from 0; equals: the lower code."""
    order, ranks = np.argsort(-scores, axis=1, kind="stable"), np.empty_like(scores)
    np.put_along_axis(ranks, order, np.arange(scores.shape[1], dtype=scores.dtype)[None], axis=1)
    return order, ranks
