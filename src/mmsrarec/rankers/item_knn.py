"""Item kNN: items consumed by the same people are alike (Sarwar et al. 2001)."""

from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from mmsrarec.data.dataset import FloatArray, IntArray, Interactions
from mmsrarec.data.splits import Queries
from mmsrarec.rankers.interaction_matrix import (
    binary_matrix,
    of_candidates,
    pair_blocks,
    stack_rows,
    training_matrix,
)
from mmsrarec.rankers.ranker_base import RankerBase, RankerSettings
from mmsrarec.rankers.saved_arrays import csr_arrays, csr_from

MAX_ITEMS_UNCUT = 30_000
"""In a larger catalogue an item keeps LARGE_K neighbours where no k is set: all pairs would take gigabytes."""
LARGE_K = 200


class ItemKnnSettings(RankerSettings):
    """Nearest items."""

    k: int | None = Field(
        default=None,
        ge=1,
        description=f"neighbours kept of each item; not set: all, or {LARGE_K} above {MAX_ITEMS_UNCUT:,} items",
    )
    shrinkage: float = Field(
        default=0.0, ge=0, description="added to a cosine's denominator, so that few common users count less"
    )
    neighbours_of: Literal["scored", "consumed"] = Field(
        default="scored",
        description="whose k neighbours are kept: those of the item that is scored (Sarwar et al. 2001), or of each "
        "item of the history (Deshpande and Karypis 2004); the same where all are kept",
    )


class ItemKnn(RankerBase):
    """An item's score is the sum of its cosines with the items of the history, over who consumed them in training.

    `k` neighbours of each item are kept, the most alike, of equals those first in the catalogue. Without `k` there is a
    number for each pair of items with a user in common, millions for 20,000 items, so that a catalogue of more than
    `MAX_ITEMS_UNCUT` keeps `LARGE_K`. Items are worked on in `pair_blocks`, whatever their number.

    A sum runs over the neighbours of the scored item that the user consumed, as in Sarwar et al., in the comparison of
    Ferrari Dacrema et al. (arXiv 1907.06902) and in RecBole. implicit and RecTools keep the neighbours of each consumed
    item instead, as Deshpande and Karypis do: `neighbours_of` has both.

    `implicit.nearest_neighbours` finds the same cosines and is about as fast, but cannot hold this formula: it cuts to
    k neighbours before anything can be shrunken, keeps any of equals, and needs a k.
    """

    name = "item-knn"
    version = 2
    Settings = ItemKnnSettings
    search_space: ClassVar = {"k": (10, 20, 50, 100, 200, None), "shrinkage": (0.0, 1.0, 5.0, 10.0, 50.0, 100.0)}

    def _fit(self, interactions: Interactions, seed: int) -> None:
        users = training_matrix(interactions)
        people = np.bincount(users.indices, minlength=self.n_items)
        users.data /= np.sqrt(people[users.indices]).astype(np.float32)  # columns of length one
        items = users.T.tocsr()
        rows = stack_rows([self._neighbours(items, users, people, *span) for span in pair_blocks(users)])
        self.similarity = rows.T.tocsr() if self.settings.neighbours_of == "scored" and self.k is not None else rows

    @property
    def k(self) -> int | None:
        """Neighbours kept of each item of this catalogue; None: all."""
        return LARGE_K if self.settings.k is None and self.n_items > MAX_ITEMS_UNCUT else self.settings.k

    def _neighbours(self, items: Any, users: Any, people: IntArray, begin: int, end: int) -> Any:
        """Neighbours of the items from `begin` to before `end`.

        Args:
            items: (n_items, n_users) CSR of rows of length one.
            users: The same, transposed.
            people: (n_items,) how many users consumed each.
            begin: The first item.
            end: The item after the last.

        Returns:
            (end - begin, n_items) CSR of cosines, shrunken, of the k neighbours of each.
        """
        k, shrinkage = self.k, self.settings.shrinkage
        block = (items[begin:end] @ users).tocsr()
        row: IntArray = begin + np.repeat(np.arange(int(block.shape[0])), np.diff(block.indptr))
        block.data[row == block.indices] = 0  # an item already had is no reason to take it again
        if shrinkage:
            length = np.sqrt(people[row] * people[block.indices])
            block.data *= (length / (length + shrinkage)).astype(np.float32)
        if k is not None:
            block.sort_indices()
            for start, end in zip(block.indptr[:-1], block.indptr[1:], strict=True):
                _keep_largest(block.data[start:end], k)
            block.eliminate_zeros()
        return block

    def _score(self, queries: Queries, candidates: IntArray | None) -> FloatArray:
        return of_candidates((binary_matrix(queries.history, self.n_items) @ self.similarity).toarray(), candidates)

    def _state(self) -> dict[str, NDArray[Any]]:
        return csr_arrays(self.similarity, "similarity")

    def _restore(self, arrays: dict[str, NDArray[Any]]) -> None:
        self.similarity = csr_from(arrays, "similarity")


def _keep_largest(values: FloatArray, k: int) -> None:
    """Set all but the k largest of the (n,) values to 0, in place; of equals the first are kept."""
    if len(values) <= k:
        return
    least = np.partition(values, len(values) - k)[len(values) - k]
    keep = values > least
    keep[np.flatnonzero(values == least)[: k - keep.sum()]] = True
    values[~keep] = 0
