"""The vectors of items and the states of users that soft tokens are made from.

Each source is a sequence model. Its vectors are scaled to a mean square of one, so that no source outweighs another.
A state holds, source after source, the user's state and the logarithm of the sum of all items' exponentiated scores.
Shapes: n items, k numbers of an item's vector over all sources, s sources, m histories.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from mmsrarec.data.dataset import IntArray
from mmsrarec.retrieve.encoder import Encoder

Float32Array = NDArray[np.float32]
BLOCK = 512
"""Histories whose scores of the whole catalogue are computed at once."""


@dataclass(frozen=True, eq=False)
class SoftSource:
    """One sequence model as a source of soft tokens.

    Attributes:
        encoder: The sequence model.
        rotation: (e, e) orthogonal map into the space of another model's vectors; the identity unless aligned.
    """

    encoder: Encoder
    rotation: Float32Array

    @classmethod
    def of(cls, encoder: Encoder) -> "SoftSource":
        """A sequence model in its own space."""
        return cls(encoder, np.eye(encoder.settings.embedding_size, dtype=np.float32))

    @cached_property
    def vectors(self) -> Float32Array:
        """(n, e) the vectors of the items; zero for an item that the model does not know."""
        known = np.ones(self.encoder.n_items, dtype=bool) if self.encoder.known is None else self.encoder.known
        return np.where((known | self.encoder.knows_content)[:, None], self.encoder.item_vectors(), 0) @ self.rotation

    @cached_property
    def cold_vectors(self) -> Float32Array:
        """(n, e) the vectors of the items as if nobody had consumed them: of their content alone, or zero."""
        everything = np.ones(self.encoder.n_items, dtype=bool)
        if not self.encoder.knows_content.any():
            return np.zeros_like(self.vectors)
        return self.encoder.without_ids(everything).item_vectors() @ self.rotation

    @cached_property
    def scale(self) -> float:
        """The root mean square of the vectors of items that are not zero."""
        norms = np.square(self.vectors[: self.encoder.n_trained]).mean(axis=1)
        return float(np.sqrt(norms[norms > 0].mean())) if norms.any() else 1.0

    def states(self, histories: Sequence[IntArray]) -> Float32Array:
        """Encode histories.

        Args:
            histories: m histories of item codes, oldest first.

        Returns:
            (m, e + 1) states in the space of the vectors, and the logarithm of the sum of exponentiated scores. Items
            that joined after the training do not count in it, so that they change nothing for the others.
        """
        states, vectors = self.encoder.encode(histories) @ self.rotation, self.vectors[: self.encoder.n_trained]
        totals = [
            np.logaddexp.reduce(states[begin : begin + BLOCK] @ vectors.T, axis=1)
            for begin in range(0, len(states), BLOCK)
        ]
        total = np.concatenate([*totals, np.zeros(0, dtype=np.float32)]).astype(np.float32)
        return np.concatenate([states, total[:, None]], axis=1)

    def aligned_to(self, other: "SoftSource") -> "SoftSource":
        """The source rotated so that its item vectors lie nearest to another model's (orthogonal Procrustes).

        Two trainings of one model differ by a rotation of their space. Scores do not change.

        Args:
            other: A source with vectors of the same items and of the same length.
        """
        both = np.flatnonzero(self.vectors.any(axis=1) & other.vectors.any(axis=1))
        left, _, right = np.linalg.svd(self.vectors[both].T @ other.vectors[both])
        return replace(self, rotation=(self.rotation @ left @ right).astype(np.float32))


@dataclass(frozen=True, eq=False)
class SoftSources:
    """All sources of soft tokens.

    Attributes:
        sources: s sources.
        n_items: n, the number of items of the catalogue; items that no source knows have zero vectors. None: as many
            as the sources know.
        order: (n,) the item whose vector each item gets; shuffled in the control row, else the item itself.
    """

    sources: tuple[SoftSource, ...]
    n_items: int | None = None
    order: IntArray | None = None

    @property
    def sizes(self) -> tuple[int, ...]:
        """The length e of the vectors of each source."""
        return tuple(source.encoder.settings.embedding_size for source in self.sources)

    @property
    def n_trained(self) -> int:
        """The number of items that the sources were trained with."""
        return max(source.encoder.n_trained for source in self.sources)

    @property
    def scales(self) -> tuple[float, ...]:
        """By what the vectors of each source are divided."""
        return tuple(source.scale for source in self.sources)

    @cached_property
    def vectors(self) -> Float32Array:
        """(n, k) the vectors of all items, source after source."""
        return self._ordered([source.vectors for source in self.sources])

    @cached_property
    def cold_vectors(self) -> Float32Array:
        """(n, k) the vectors of all items as if nobody had consumed them."""
        return self._ordered([source.cold_vectors for source in self.sources])

    def states(self, histories: Sequence[IntArray]) -> Float32Array:
        """Encode histories.

        Args:
            histories: m histories of item codes, oldest first.

        Returns:
            (m, k + s) states, source after source (`SoftSource.states`).
        """
        return np.concatenate([source.states(histories) for source in self.sources], axis=1)

    def aligned_to(self, other: "SoftSources") -> "SoftSources":
        """Each source aligned to the same source of other models (`SoftSource.aligned_to`)."""
        pairs = zip(self.sources, other.sources, strict=True)
        return replace(self, sources=tuple(own.aligned_to(theirs) for own, theirs in pairs))

    def with_encoders(self, change: Callable[[Encoder], Encoder], n_items: int) -> "SoftSources":
        """The same sources for a larger catalogue; in the control row, items that joined keep their own vectors.

        Args:
            change: Gives the sequence model that takes the place of each.
            n_items: The number of items of the catalogue.
        """
        sources = tuple(replace(source, encoder=change(source.encoder)) for source in self.sources)
        order = None if self.order is None else np.concatenate([self.order, np.arange(len(self.order), n_items)])
        return SoftSources(sources, n_items, order)

    def shuffled(self, seed: int) -> "SoftSources":
        """The same with the vectors exchanged among the items: the control that says what the vectors tell."""
        n_items = len(self.vectors)
        return replace(self, order=np.random.default_rng(seed).permutation(n_items))

    def _ordered(self, tables: Sequence[Float32Array]) -> Float32Array:
        n_items = self.n_items or max(map(len, tables))
        table = np.concatenate([np.pad(table, ((0, n_items - len(table)), (0, 0))) for table in tables], axis=1)
        return table if self.order is None else table[self.order]
