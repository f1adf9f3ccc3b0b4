"""Item kNN: items taken by the same people are alike (Sarwar et al. 2001)."""

import numpy as np

from mmsrarec.data.dataset import FloatArray, IntArray, Interactions
from mmsrarec.data.splits import Queries
from mmsrarec.rankers.interaction_matrix import asked, consumed_once, sequences


class ItemKnn:
    """An item's score is the sum of its cosines with the items of the history, over who took them in training.

    k: neighbours of each item that are kept, the most alike, of equals those first in the catalogue; None: all items
    with a user in common, a number for each such pair, millions for 20,000 items. shrinkage: added to a cosine's
    denominator, so that what rests on few common users counts less.
    """

    name = "item-knn"

    def __init__(self, train: Interactions, k: int | None = None, shrinkage: float = 0.0) -> None:
        users = consumed_once(sequences(train), train.n_items)
        people = np.bincount(users.indices, minlength=train.n_items)
        users.data /= np.sqrt(people[users.indices]).astype(np.float32)  # columns of length one
        self.similarity = (users.T @ users).tocsr()
        self.similarity.setdiag(0)  # an item already had is no reason to take it again
        row = np.repeat(np.arange(train.n_items), np.diff(self.similarity.indptr))
        if shrinkage:
            length = np.sqrt(people[row] * people[self.similarity.indices])
            self.similarity.data *= (length / (length + shrinkage)).astype(np.float32)
        if k is not None:
            order = np.lexsort((self.similarity.indices, -self.similarity.data, row))
            self.similarity.data[order[np.arange(len(order)) - self.similarity.indptr[row[order]] >= k]] = 0
            self.similarity.eliminate_zeros()

    def score(self, queries: Queries, candidates: IntArray | None) -> FloatArray:
        return asked((consumed_once(queries.history, self.similarity.shape[1]) @ self.similarity).toarray(), candidates)
