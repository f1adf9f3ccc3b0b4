"""User kNN: what the k most similar users consumed, with items that few consume weighing more."""

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from mmsrarec.data.dataset import FloatArray, IntArray, Interactions
from mmsrarec.data.splits import Queries
from mmsrarec.rankers.interaction_matrix import binary_matrix, of_candidates, training_matrix
from mmsrarec.rankers.ranker_base import RankerBase, RankerSettings
from mmsrarec.rankers.saved_arrays import csr_arrays, csr_from


class UserKnnSettings(RankerSettings):
    """Nearest users."""

    k: int = Field(default=50, ge=1, description="neighbours of a user")


class UserKnn(RankerBase):
    """An item's score is the sum of the similarities of those among the k nearest training users that consumed it.

    Similarity is the cosine of what two people consumed, each item weighed by log(users / users that consumed it). The
    user of the query is not its own neighbour; of the equally near, those first in the data come first.

    `implicit.nearest_neighbours` finds neighbours among fitted rows only, and so cannot rank by a history as it was at
    a query, nor serve somebody outside training.
    """

    name = "user-knn"
    Settings = UserKnnSettings
    search_space: ClassVar = {"k": (5, 10, 20, 50, 100, 200, 500)}

    def _fit(self, interactions: Interactions, seed: int) -> None:
        users = training_matrix(interactions)
        people = np.maximum(np.bincount(users.indices, minlength=self.n_items), 1)
        self._index(users, np.log(max(len(np.unique(interactions.user)), 1) / people))

    def _index(self, users: Any, idf: NDArray[np.float64]) -> None:
        """Take up users, (n_users, n_items) CSR of ones, and the weights of items, (n_items,)."""
        self.users, self.idf = users, idf
        self.by_item = self._weigh(users).T.tocsr()

    def _score(self, queries: Queries, candidates: IntArray | None) -> FloatArray:
        similar = self._weigh(binary_matrix(queries.history, self.n_items)) @ self.by_item
        for row, user in enumerate(queries.user):
            part = slice(similar.indptr[row], similar.indptr[row + 1])
            values = np.where(similar.indices[part] == user, 0, similar.data[part])
            values[np.lexsort((similar.indices[part], -values))[self.settings.k :]] = 0
            similar.data[part] = values
        similar.eliminate_zeros()
        return of_candidates((similar @ self.users).toarray(), candidates)

    def _weigh(self, rows: Any) -> Any:
        """Rows of idf weights, of length one."""
        weighed = rows.astype(float)
        weighed.data = self.idf[weighed.indices]
        row: IntArray = np.repeat(np.arange(int(weighed.shape[0])), np.diff(weighed.indptr))
        length = np.sqrt(np.bincount(row, weights=weighed.data**2, minlength=weighed.shape[0]))
        weighed.data /= np.maximum(length, 1e-12)[row]
        return weighed

    def _state(self) -> dict[str, NDArray[Any]]:
        return csr_arrays(self.users, "users") | {"idf": self.idf}

    def _restore(self, arrays: dict[str, NDArray[Any]]) -> None:
        self._index(csr_from(arrays, "users"), arrays["idf"])
