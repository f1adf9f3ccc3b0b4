"""Item kNN: items taken by the same people are alike (Sarwar et al. 2001)."""

import numpy as np

from mmsrarec.data.dataset import Events, FloatArray, IntArray
from mmsrarec.data.splits import Moments
from mmsrarec.rankers.interaction_matrix import asked, sequences, taken_once


class ItemKnn:
    """An item's score is the sum of its cosines with the items of the history, over who took them in training.

    k: neighbours of each item that are kept, the most alike, of equals those first in the catalogue; None: all items
    with a user in common, a number for each such pair, millions for 20,000 items. shrinkage: added to a cosine's
    denominator, so that what rests on few common users counts less.
    """

    name = "item-knn"

    def __init__(self, train: Events, k: int | None = None, shrinkage: float = 0.0) -> None:
        users = taken_once(sequences(train), train.n_items)
        people = np.bincount(users.indices, minlength=train.n_items)
        users.data /= np.sqrt(people[users.indices]).astype(np.float32)  # columns of length one
        self.alike = (users.T @ users).tocsr()
        self.alike.setdiag(0)  # an item already had is no reason to take it again
        row = np.repeat(np.arange(train.n_items), np.diff(self.alike.indptr))
        if shrinkage:
            length = np.sqrt(people[row] * people[self.alike.indices])
            self.alike.data *= (length / (length + shrinkage)).astype(np.float32)
        if k is not None:
            order = np.lexsort((self.alike.indices, -self.alike.data, row))
            self.alike.data[order[np.arange(len(order)) - self.alike.indptr[row[order]] >= k]] = 0
            self.alike.eliminate_zeros()

    def score(self, moments: Moments, candidates: IntArray | None) -> FloatArray:
        return asked((taken_once(moments.history, self.alike.shape[1]) @ self.alike).toarray(), candidates)
