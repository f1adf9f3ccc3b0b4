"""The log by item and time: what others had done with an item before a query, found by binary search."""

import numpy as np

from mmsrarec.data.dataset import IntArray, Interactions


class ItemTimeIndex:
    """Training interactions sorted by item, then time.

    rows: (n,) row numbers in that order; keys: (n,), item and time as one ascending number.
    """

    def __init__(self, train: Interactions) -> None:
        self.train = train
        self.times = train.time[train.by_time]
        self.distinct, when = np.unique(train.time, return_inverse=True)
        self.rows = np.lexsort((when, train.item))
        self.keys = (train.item * (len(self.distinct) + 1) + when)[self.rows]
        self.place = np.empty(len(train), dtype=np.int64)
        self.place[train.by_time] = np.arange(len(train))
        """(n,): where a row stands in time order."""

    def until(self, time: int) -> int:
        """Events strictly before a time."""
        return int(np.searchsorted(self.times, time, side="left"))

    def before(self, items: IntArray, time: int) -> tuple[IntArray, IntArray]:
        """(c,) items -> where in `rows` the interactions of each begin, and where those strictly before the time
        end."""
        first = items * (len(self.distinct) + 1)
        return np.searchsorted(self.keys, first), np.searchsorted(
            self.keys, first + np.searchsorted(self.distinct, time, side="left")
        )

    def own(self, user: int, time: int) -> IntArray:
        """Rows of the user's own interactions strictly before a time; none for somebody who is not in the data."""
        if not 0 <= user < self.train.n_users:
            return np.zeros(0, dtype=np.int64)
        rows = np.arange(self.train.offsets[user], self.train.offsets[user + 1])
        return rows[self.train.time[rows] < time]

    def by_others(self, items: IntArray, user: int, time: int) -> IntArray:
        """(c,): interactions of each item strictly before a time by others than the user."""
        begin, end = self.before(items, time)
        own = self.train.item[self.own(user, time)]
        return end - begin - (own[None, :] == items[:, None]).sum(axis=1)

    def last_by_others(self, items: IntArray, user: int, time: int) -> IntArray:
        """(c,): when others took each item last, strictly before a time; -1 where they never did."""
        begin, end = self.before(items, time)
        last = end - 1
        while (own := (last >= begin) & (self.train.user[self.rows[last]] == user)).any():
            last = last - own
        return np.where(last >= begin, self.train.time[self.rows[last]], -1)
