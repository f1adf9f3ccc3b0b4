"""Several generators as one: a logit of their terms, which are those of `fuse`, ranks the catalogue [ours]."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mmsrarec.data.dataset import FloatArray, IntArray
from mmsrarec.data.split import Moments
from mmsrarec.recommend.fuse import term
from mmsrarec.recommend.logit import Logit
from mmsrarec.recommend.propose import Scores, described_by


@dataclass
class Together:
    """Ranks the whole catalogue by a logit of the generators' terms. known: see `fuse.Fused`."""

    generators: tuple[Scores, ...]
    logit: Logit
    known: NDArray[np.bool_]

    @classmethod
    def of(cls, generators: Sequence[Scores], logit: Logit, known: NDArray[np.bool_]) -> Scores:
        """Several as one; one as it is."""
        return generators[0] if len(generators) == 1 else cls(tuple(generators), logit, known)

    @property
    def name(self) -> str:
        return "+".join(generator.name for generator in self.generators)

    @property
    def described(self) -> int:
        """Of what all of them can describe: see `propose.strangers`."""
        return min(described_by(generator) for generator in self.generators)

    def score(self, moments: Moments, candidates: IntArray | None) -> FloatArray:
        scores = self.logit.score([term(generator, moments, self.known) for generator in self.generators])
        if candidates is not None:
            return np.take_along_axis(scores, candidates, axis=1)
        scores[:, untold(~self.known, list(map(described_by, self.generators)))] = -np.inf
        return scores


def untold(new: NDArray[np.bool_], described: Sequence[int]) -> NDArray[np.bool_]:
    """(items,): of the new items, those that none of several generators can describe: they propose none of them."""
    return new & (np.arange(len(new)) >= max(described))
