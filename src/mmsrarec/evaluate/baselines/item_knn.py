"""Item kNN: items taken by the same people are alike (Sarwar et al. 2001)."""

import numpy as np

from mmsrarec.data.dataset import Events, FloatArray, IntArray
from mmsrarec.data.split import Moments
from mmsrarec.evaluate.baselines.sparse import asked, sequences, taken_once


class ItemKnn:
    """An item's score is the sum of its cosines with the items of the history, over who took them in training.

    All items with a user in common are neighbours: the matrix holds a number for each such pair, millions for 20,000
    items.
    """

    name = "item-knn"

    def __init__(self, train: Events) -> None:
        users = taken_once(sequences(train), train.n_items)
        people = np.bincount(users.indices, minlength=train.n_items)
        users.data /= np.sqrt(people[users.indices]).astype(np.float32)  # columns of length one
        self.alike = (users.T @ users).tocsr()
        self.alike.setdiag(0)  # an item already had is no reason to take it again

    def score(self, moments: Moments, candidates: IntArray | None) -> FloatArray:
        return asked((taken_once(moments.history, self.alike.shape[1]) @ self.alike).toarray(), candidates)
