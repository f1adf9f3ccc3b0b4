"""Several generators as one: the weighted sum of their terms, which are those of `fuse`, ranks the catalogue [ours]."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mmsrarec.data.dataset import FloatArray, IntArray
from mmsrarec.data.split import Moments
from mmsrarec.recommend.fuse import term
from mmsrarec.recommend.propose import Scores, described_by


@dataclass
class Together:
    """Ranks the whole catalogue by the weighted sum of the generators' terms. known: see `fuse.Fused`."""

    generators: tuple[Scores, ...]
    weights: Sequence[float]
    known: NDArray[np.bool_]

    @classmethod
    def of(cls, generators: Sequence[Scores], weights: Sequence[float], known: NDArray[np.bool_]) -> Scores:
        """Several as one; one as it is."""
        return generators[0] if len(generators) == 1 else cls(tuple(generators), tuple(weights), known)

    @property
    def name(self) -> str:
        return "+".join(generator.name for generator in self.generators)

    @property
    def described(self) -> int:
        """Of what all of them can describe: see `propose.strangers`."""
        return min(described_by(generator) for generator in self.generators)

    def score(self, moments: Moments, candidates: IntArray | None) -> FloatArray:
        scores = np.zeros((len(moments), len(self.known)))
        for generator, weight in zip(self.generators, self.weights, strict=True):
            scores += weight * term(generator, moments, self.known)
        scores[:, untold(~self.known, list(map(described_by, self.generators)))] = -np.inf
        return scores if candidates is None else np.take_along_axis(scores, candidates, axis=1)


def untold(new: NDArray[np.bool_], described: Sequence[int]) -> NDArray[np.bool_]:
    """(items,): of the new items, those that none of several generators can describe: they propose none of them."""
    return new & (np.arange(len(new)) >= max(described))
