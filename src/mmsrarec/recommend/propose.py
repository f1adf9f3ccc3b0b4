"""Rank the whole catalogue by stages: a cheap generator proposes, the language model re-ranks what it proposed."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from mmsrarec.data.dataset import FloatArray, IntArray
from mmsrarec.data.split import Moments


class Scores(Protocol):
    """Whatever ranks: (m, c) candidates to (m, c) scores; None means every item of the catalogue."""

    name: str

    def score(self, moments: Moments, candidates: IntArray | None) -> FloatArray: ...


@dataclass
class Reranked:
    """`generator` ranks all items; the first `n` that a user has not had are put in order by `ranker`.

    Whatever was not proposed keeps the generator's order behind them.
    """

    name: str
    generator: Scores
    ranker: Scores
    n: int

    def proposals(self, moments: Moments) -> IntArray:
        """(m, n) item codes, best first by the generator, none from the history."""
        return self._propose(moments)[1]

    def score(self, moments: Moments, candidates: IntArray | None) -> FloatArray:
        if candidates is not None:
            return self.ranker.score(moments, candidates)
        ranks, proposed = self._propose(moments)
        scores = -1.0 - ranks / ranks.shape[1]
        np.put_along_axis(scores, proposed, self.ranker.score(moments, proposed), axis=1)
        return scores

    def _propose(self, moments: Moments) -> tuple[FloatArray, IntArray]:
        scores = np.array(self.generator.score(moments, None), dtype=np.float64)
        for row, history in zip(scores, moments.history, strict=True):
            row[history] = -np.inf
        order = np.argsort(-scores, axis=1, kind="stable")
        ranks = np.empty_like(scores)
        np.put_along_axis(ranks, order, np.arange(scores.shape[1], dtype=np.float64)[None], axis=1)
        return ranks, order[:, : self.n]
