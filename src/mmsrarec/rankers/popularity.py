"""How many took an item: over all of training, or only up to the query that is predicted."""

import numpy as np

from mmsrarec.data.dataset import FloatArray, IntArray, Interactions
from mmsrarec.data.splits import Queries


class Popularity:
    """Events an item has in training. With leave-one-out these include others' interactions after the query."""

    name = "popularity"

    def __init__(self, train: Interactions) -> None:
        self.counts = train.counts.astype(float)

    def score(self, queries: Queries, candidates: IntArray | None) -> FloatArray:
        if candidates is None:
            return np.broadcast_to(self.counts, (len(queries), len(self.counts)))
        return self.counts[candidates]


class PopularityAsOf:
    """Training interactions of an item strictly before the query, by others than the user: the temporal leakage rule
    for a count."""

    name = "popularity-as-of"

    def __init__(self, train: Interactions) -> None:
        self.train = train
        self.items = train.item[train.by_time]
        self.times = train.time[train.by_time]

    def score(self, queries: Queries, candidates: IntArray | None) -> FloatArray:
        width = self.train.n_items if candidates is None else candidates.shape[1]
        scores = np.empty((len(queries), width))
        counts = np.zeros(self.train.n_items)
        start = end = 0
        for row in np.argsort(queries.time, kind="stable"):  # one pass over the log serves all queries
            time = int(queries.time[row])
            since = self._since(time)
            first, now = np.searchsorted(self.times, [since, time]).tolist()
            np.add.at(counts, self.items[end:now], 1)
            np.subtract.at(counts, self.items[start:first], 1)
            start, end = first, now
            others = counts - self._own(int(queries.user[row]), since, time)
            scores[row] = others if candidates is None else others[candidates[row]]
        return scores

    def _since(self, time: int) -> int:
        """The first second whose interactions count at a time."""
        return min(time, int(self.times[0])) if len(self.times) else time

    def _own(self, user: int, since: int, time: int) -> IntArray:
        """(n_items,): what the user's own training interactions before the query add to the counts."""
        rows = self.train.rows(user) if user >= 0 else slice(0)
        times = self.train.time[rows]
        return np.bincount(self.train.item[rows][(since <= times) & (times < time)], minlength=self.train.n_items)


class RecentPopularity(PopularityAsOf):
    """Of the interactions before the query only the latest count: a share of the log, and the whole second it begins
    in."""

    name = "recent-popularity"

    def __init__(self, train: Interactions, share: float = 0.1) -> None:
        super().__init__(train)
        self.latest = max(1, round(share * len(train)))

    def _since(self, time: int) -> int:
        before = int(np.searchsorted(self.times, time))
        return int(self.times[max(before - self.latest, 0)]) if before else time
