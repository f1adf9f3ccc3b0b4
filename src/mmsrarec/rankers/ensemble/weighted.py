"""Several generators as one: a logit of their terms, which are those of `features`, ranks the catalogue [extension]."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mmsrarec.data.dataset import FloatArray, IntArray
from mmsrarec.data.splits import Queries
from mmsrarec.rankers.base import CandidateGenerator, known_items
from mmsrarec.rankers.ensemble.conditional_logit import Logit
from mmsrarec.rankers.ensemble.features import ranking_feature


@dataclass
class WeightedEnsemble:
    """Ranks the whole catalogue by a logit of the generators' terms.

    Attributes:
        generators: Each gives a term, its `ranking_feature`.
        logit: The weights of the terms.
        n_items: Size of the catalogue.
    """

    generators: tuple[CandidateGenerator, ...]
    logit: Logit
    n_items: int

    @classmethod
    def of(cls, generators: Sequence[CandidateGenerator], logit: Logit, n_items: int) -> CandidateGenerator:
        """Several generators as one; a single one as it is."""
        return generators[0] if len(generators) == 1 else cls(tuple(generators), logit, n_items)

    @property
    def name(self) -> str:
        """The generators' names, joined by "+"."""
        return "+".join(generator.name for generator in self.generators)

    @property
    def logits(self) -> bool:
        """The terms of several, weighed, are no log-probabilities."""
        return False

    @property
    def known(self) -> NDArray[np.bool_]:
        """(n_items,) mask of the items that all of them know. Items that only some know are ranked by those."""
        return np.all(self._known, axis=0)

    @property
    def _known(self) -> list[NDArray[np.bool_]]:
        return [known_items(generator, self.n_items) for generator in self.generators]

    def score(self, queries: Queries, candidates: IntArray | None) -> FloatArray:
        """See `Ranker.score`. In the whole catalogue, items that none of them knows have minus infinity."""
        scores = self.logit.score([ranking_feature(generator, queries) for generator in self.generators])
        if candidates is not None:
            return np.take_along_axis(scores, candidates, axis=1)
        scores[:, ~np.any(self._known, axis=0)] = -np.inf
        return scores
