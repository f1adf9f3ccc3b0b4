"""User kNN: what the k most similar users took, with items that few take weighing more."""

from typing import Any

import numpy as np

from mmsrarec.data.dataset import FloatArray, IntArray, Interactions
from mmsrarec.data.splits import Queries
from mmsrarec.rankers.interaction_matrix import asked, consumed_once, sequences


class UserKnn:
    """An item's score is the sum of the similarities of those among the k nearest training users that took it.

    Similarity is the cosine of what two people took, each item weighed by log(users / users that took it). The user of
    the query is not its own neighbour; of the equally near, those first in the data come first.
    """

    name = "user-knn"

    def __init__(self, train: Interactions, k: int = 50) -> None:
        self.k = k
        self.users = consumed_once(sequences(train), train.n_items)
        people = np.maximum(np.bincount(self.users.indices, minlength=train.n_items), 1)
        self.idf = np.log(max(len(np.unique(train.user)), 1) / people)
        self.by_item = self._weigh(self.users).T.tocsr()

    def score(self, queries: Queries, candidates: IntArray | None) -> FloatArray:
        similar = self._weigh(consumed_once(queries.history, len(self.idf))) @ self.by_item
        for row, user in enumerate(queries.user):
            part = slice(similar.indptr[row], similar.indptr[row + 1])
            values = np.where(similar.indices[part] == user, 0, similar.data[part])
            values[np.lexsort((similar.indices[part], -values))[self.k :]] = 0
            similar.data[part] = values
        similar.eliminate_zeros()
        return asked((similar @ self.users).toarray(), candidates)

    def _weigh(self, rows: Any) -> Any:
        """Rows of idf weights, of length one."""
        weighed = rows.astype(float)
        weighed.data = self.idf[weighed.indices]
        of = np.repeat(np.arange(weighed.shape[0]), np.diff(weighed.indptr))
        length = np.sqrt(np.bincount(of, weights=weighed.data**2, minlength=weighed.shape[0]))
        weighed.data /= np.maximum(length, 1e-12)[of]
        return weighed
