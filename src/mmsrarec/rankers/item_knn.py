"""Item kNN: items consumed by the same people are alike (Sarwar et al. 2001)."""

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from mmsrarec.data.dataset import Events, FloatArray, IntArray
from mmsrarec.data.splits import Moments
from mmsrarec.rankers.interaction_matrix import asked, sequences, taken_once
from mmsrarec.rankers.ranker import Ranker, RankerSettings
from mmsrarec.rankers.saved_arrays import csr_arrays, csr_from


class ItemKnnSettings(RankerSettings):
    """Nearest items."""

    k: int | None = Field(default=None, ge=1, description="neighbours kept of each item; not set: all")
    shrinkage: float = Field(
        default=0.0, ge=0, description="added to a cosine's denominator, so that few common users count less"
    )


class ItemKnn(Ranker):
    """An item's score is the sum of its cosines with the items of the history, over who consumed them in training.

    k: neighbours of each item that are kept, the most alike, of equals those first in the catalogue; None: all items
    with a user in common, a number for each such pair, millions for 20,000 items. shrinkage: added to a cosine's
    denominator, so that what rests on few common users counts less.
    """

    name = "item-knn"
    Settings = ItemKnnSettings
    search_space: ClassVar = {"k": (10, 20, 50, 100, 200, None), "shrinkage": (0.0, 1.0, 5.0, 10.0, 50.0, 100.0)}

    def _fit(self, interactions: Events, seed: int) -> None:
        n_items, k, shrinkage = self.n_items, self.settings.k, self.settings.shrinkage
        users = taken_once(sequences(interactions), n_items)
        people = np.bincount(users.indices, minlength=n_items)
        users.data /= np.sqrt(people[users.indices]).astype(np.float32)  # columns of length one
        alike = (users.T @ users).tocsr()
        alike.setdiag(0)  # an item already had is no reason to take it again
        row = np.repeat(np.arange(n_items), np.diff(alike.indptr))
        if shrinkage:
            length = np.sqrt(people[row] * people[alike.indices])
            alike.data *= (length / (length + shrinkage)).astype(np.float32)
        if k is not None:
            order = np.lexsort((alike.indices, -alike.data, row))
            alike.data[order[np.arange(len(order)) - alike.indptr[row[order]] >= k]] = 0
            alike.eliminate_zeros()
        self.alike = alike

    def _score(self, moments: Moments, candidates: IntArray | None) -> FloatArray:
        return asked((taken_once(moments.history, self.n_items) @ self.alike).toarray(), candidates)

    def _state(self) -> dict[str, NDArray[Any]]:
        return csr_arrays(self.alike, "alike")

    def _restore(self, arrays: dict[str, NDArray[Any]]) -> None:
        self.alike = csr_from(arrays, "alike")
