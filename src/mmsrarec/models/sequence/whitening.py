"""States of a language model turned into what a sequence model reads of items: principal components of variance one.

Shapes: n items, d dimensions of a state, k components.
"""

from dataclasses import dataclass
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Whitening:
    """What was learned from the states of a catalogue, so that items that join later are read as the others are.

    Attributes:
        mean: (d,) float64, the mean state.
        map: (d, k) float64, from a state less the mean to its components; zeros where there are fewer components.
    """

    mean: Tensor
    map: Tensor

    @classmethod
    def fit(cls, states: Tensor, size: int) -> tuple["Whitening", Tensor]:
        """Reduce states to their first principal components, each of variance one.

        Args:
            states: (n, d) states.
            size: k.

        Returns:
            What was learned, and the (n, k) components of these states, float32 on the CPU.
        """
        states = states.cpu().double()
        mean, spread = states.mean(0), states.std(0, correction=0).clamp(min=1e-6)
        svd = cast(Any, torch.linalg).svd((states - mean) / spread, full_matrices=False)
        left_vectors, singular_values, right_vectors = cast(tuple[Tensor, Tensor, Tensor], svd)
        n_components = min(size, int((singular_values > 1e-6 * singular_values[:1].clamp(min=1e-12)).sum()))
        left_vectors, right_vectors = left_vectors[:, :n_components], right_vectors[:n_components]
        signs = torch.where(left_vectors.sum(0) < 0, -1.0, 1.0)  # the sign of a component is arbitrary
        components = left_vectors * len(states) ** 0.5 * signs
        scales = len(states) ** 0.5 * signs / singular_values[:n_components]
        padding = (0, size - n_components)
        whitening = cls(mean, F.pad(right_vectors.T / spread[:, None] * scales, padding))
        return whitening, F.pad(components, padding).float()

    def __call__(self, states: Tensor) -> Tensor:
        """(m, d) states -> (m, k) components, float32 on the CPU."""
        return ((states.cpu().double() - self.mean) @ self.map).float()


def whitened(states: Tensor, size: int) -> Tensor:
    """(n, d) states -> (n, k) their own components of variance one: see `Whitening.fit`."""
    return Whitening.fit(states, size)[1]
