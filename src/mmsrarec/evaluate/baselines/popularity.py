"""How many took an item: over all of training, or only up to the moment that is predicted."""

import numpy as np

from mmsrarec.data.dataset import Events, FloatArray, IntArray
from mmsrarec.data.split import Moments


class Popularity:
    """Events an item has in training. With leave-one-out these include others' events after the moment."""

    name = "popularity"

    def __init__(self, train: Events) -> None:
        self.counts = train.counts.astype(float)

    def score(self, moments: Moments, candidates: IntArray | None) -> FloatArray:
        if candidates is None:
            return np.broadcast_to(self.counts, (len(moments), len(self.counts)))
        return self.counts[candidates]


class PopularityAsOf:
    """Training events of an item strictly before the moment, by others than the user: the clock rule for a count."""

    name = "popularity-as-of"

    def __init__(self, train: Events) -> None:
        self.train = train
        self.items = train.item[train.by_time]
        self.times = train.time[train.by_time]

    def score(self, moments: Moments, candidates: IntArray | None) -> FloatArray:
        width = self.train.n_items if candidates is None else candidates.shape[1]
        scores = np.empty((len(moments), width))
        counts = np.zeros(self.train.n_items)
        done = 0
        for row in np.argsort(moments.time, kind="stable"):  # one pass over the log serves all moments
            now = int(np.searchsorted(self.times, moments.time[row], side="left"))
            np.add.at(counts, self.items[done:now], 1)
            done = now
            others = counts - self._own(int(moments.user[row]), int(moments.time[row]))
            scores[row] = others if candidates is None else others[candidates[row]]
        return scores

    def _own(self, user: int, time: int) -> IntArray:
        """(n_items,): what the user's own training events before the moment add to the counts."""
        rows = self.train.rows(user) if user >= 0 else slice(0)
        before = self.train.item[rows][self.train.time[rows] < time]
        return np.bincount(before, minlength=self.train.n_items)
