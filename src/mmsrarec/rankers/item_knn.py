"""Item kNN: items consumed by the same people are alike (Sarwar et al. 2001)."""

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from mmsrarec.data.dataset import FloatArray, IntArray, Interactions
from mmsrarec.data.splits import Queries
from mmsrarec.rankers.interaction_matrix import binary_matrix, of_candidates, sequences, stack_rows
from mmsrarec.rankers.ranker_base import RankerBase, RankerSettings
from mmsrarec.rankers.saved_arrays import csr_arrays, csr_from

ITEMS_AT_ONCE = 512
"""Items whose neighbours are found together: all pairs of items would take gigabytes."""


class ItemKnnSettings(RankerSettings):
    """Nearest items."""

    k: int | None = Field(default=None, ge=1, description="neighbours kept of each item; not set: all")
    shrinkage: float = Field(
        default=0.0, ge=0, description="added to a cosine's denominator, so that few common users count less"
    )


class ItemKnn(RankerBase):
    """An item's score is the sum of its cosines with the items of the history, over who consumed them in training.

    `k` neighbours of each item are kept, the most alike, of equals those first in the catalogue. Without `k` there is a
    number for each pair of items with a user in common: millions for 20,000 items.

    `implicit.nearest_neighbours` finds the same cosines and is about as fast, but cannot hold this formula: it cuts to
    k neighbours before anything can be shrunken, keeps any of equals, and needs a k.
    """

    name = "item-knn"
    Settings = ItemKnnSettings
    search_space: ClassVar = {"k": (10, 20, 50, 100, 200, None), "shrinkage": (0.0, 1.0, 5.0, 10.0, 50.0, 100.0)}

    def _fit(self, interactions: Interactions, seed: int) -> None:
        users = binary_matrix(sequences(interactions), self.n_items)
        people = np.bincount(users.indices, minlength=self.n_items)
        users.data /= np.sqrt(people[users.indices]).astype(np.float32)  # columns of length one
        items = users.T.tocsr()
        step = self.n_items if self.settings.k is None else ITEMS_AT_ONCE
        blocks = [self._neighbours(items, users, people, begin, step) for begin in range(0, self.n_items, step)]
        self.similarity = stack_rows(blocks)

    def _neighbours(self, items: Any, users: Any, people: IntArray, begin: int, step: int) -> Any:
        """Neighbours of the items from `begin` on.

        Args:
            items: (n_items, n_users) CSR of rows of length one.
            users: The same, transposed.
            people: (n_items,) how many users consumed each.
            begin: The first item.
            step: How many items, at most.

        Returns:
            (step, n_items) CSR of cosines, shrunken, of the k neighbours of each.
        """
        k, shrinkage = self.settings.k, self.settings.shrinkage
        block = (items[begin : begin + step] @ users).tocsr()
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
