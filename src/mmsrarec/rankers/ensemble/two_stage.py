"""Rank the whole catalogue by stages: a cheap generator proposes, the language model re-ranks what it proposed."""

from dataclasses import dataclass

import numpy as np

from mmsrarec.data.dataset import FloatArray, IntArray
from mmsrarec.data.splits import Queries
from mmsrarec.rankers.base import CandidateGenerator, Ranker, RanksEverything, ordered, unseen
from mmsrarec.rankers.ensemble.leading import proposals
from mmsrarec.rankers.ensemble.weighted import WeightedEnsemble


@dataclass
class Reranked(RanksEverything):
    """Proposals of a generator, re-ranked; all other items keep the generator's order behind them.

    Attributes:
        name: The row's name.
        generator: Ranks all items.
        ranker: Orders the proposals.
        n: Number of proposals: the generator's first items that may be recommended.
    """

    name: str
    generator: Ranker
    ranker: Ranker
    n: int

    def proposals(self, queries: Queries) -> IntArray:
        """(m, n) item codes, best first by the generator, none that is excluded."""
        return proposals(self.generator, queries, self.n)

    def score(self, queries: Queries, candidates: IntArray | None) -> FloatArray:
        """See `Ranker.score`. Given candidates are scored by the ranker alone."""
        if candidates is not None:
            return self.ranker.score(queries, candidates)
        order, ranks = ordered(unseen(self.generator, queries))
        proposed = order[:, : self.n]
        ranked = self.ranker.score(queries, proposed)
        scores = np.minimum(ranked.min(axis=1, keepdims=True), 0.0) - 1 - ranks / ranks.shape[1]
        np.put_along_axis(scores, proposed, ranked, axis=1)
        return scores


def parts_of(generator: CandidateGenerator) -> tuple[CandidateGenerator, ...]:
    """The generators of an ensemble; of any other generator, itself alone."""
    return generator.generators if isinstance(generator, WeightedEnsemble) else (generator,)
