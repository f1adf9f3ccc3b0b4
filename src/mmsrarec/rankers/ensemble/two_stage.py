"""Rank the whole catalogue by stages: a cheap generator proposes, the language model re-ranks what it proposed."""

from dataclasses import dataclass

import numpy as np

from mmsrarec.data.dataset import FloatArray, IntArray
from mmsrarec.data.splits import Queries
from mmsrarec.rankers.base import CandidateGenerator, Ranker, RanksEverything, ordered, unseen
from mmsrarec.rankers.ensemble.weighted import WeightedEnsemble


@dataclass
class Reranked(RanksEverything):
    """`generator` ranks all items; the first `n` that may be recommended are put in order by `ranker`.

    Whatever was not proposed keeps the generator's order behind them.
    """

    name: str
    generator: Ranker
    ranker: Ranker
    n: int

    def proposals(self, queries: Queries) -> IntArray:
        """(m, n) item codes, best first by the generator, none that is excluded."""
        return self._propose(queries)[1]

    def score(self, queries: Queries, candidates: IntArray | None) -> FloatArray:
        if candidates is not None:
            return self.ranker.score(queries, candidates)
        ranks, proposed = self._propose(queries)
        ranked = self.ranker.score(queries, proposed)
        scores = np.minimum(ranked.min(axis=1, keepdims=True), 0.0) - 1 - ranks / ranks.shape[1]
        np.put_along_axis(scores, proposed, ranked, axis=1)
        return scores

    def _propose(self, queries: Queries) -> tuple[FloatArray, IntArray]:
        order, ranks = ordered(unseen(self.generator, queries))
        return ranks, order[:, : self.n]


def parts_of(generator: CandidateGenerator) -> tuple[CandidateGenerator, ...]:
    """Whoever proposes, one by one."""
    return generator.generators if isinstance(generator, WeightedEnsemble) else (generator,)
