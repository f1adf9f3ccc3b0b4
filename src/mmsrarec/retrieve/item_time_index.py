"""The training interactions by item and time: what others did with an item before a query, by binary search."""

import numpy as np

from mmsrarec.data.dataset import IntArray, Interactions


class ItemTimeIndex:
    """Training interactions sorted by item, then time.

    Attributes:
        train: The n training interactions.
        times: (n,) their times in seconds since 1970, ascending.
        distinct_times: The distinct times, ascending.
        rows: (n,) row numbers of `train`, by item, then time.
        keys: (n,) item and time of `rows` as one ascending number.
        place: (n,) where each row of `train` stands in time order.
    """

    def __init__(self, train: Interactions) -> None:
        self.train = train
        self.times = train.time[train.by_time]
        self.distinct_times, when = np.unique(train.time, return_inverse=True)
        self.rows = np.lexsort((when, train.item))
        self.keys = (train.item * (len(self.distinct_times) + 1) + when)[self.rows]
        self.place = np.empty(len(train), dtype=np.int64)
        self.place[train.by_time] = np.arange(len(train))

    def until(self, time: int) -> int:
        """The number of interactions strictly before a time in seconds since 1970."""
        return int(np.searchsorted(self.times, time, side="left"))

    def before(self, items: IntArray, time: int) -> tuple[IntArray, IntArray]:
        """Where the interactions of each item before a time stand in `rows`.

        Args:
            items: (c,) item codes.
            time: Seconds since 1970; interactions strictly before it count.

        Returns:
            (c,) first places and (c,) end places, the latter exclusive.
        """
        first = items * (len(self.distinct_times) + 1)
        return np.searchsorted(self.keys, first), np.searchsorted(
            self.keys, first + np.searchsorted(self.distinct_times, time, side="left")
        )

    def own(self, user: int, time: int) -> IntArray:
        """Rows of a user's own interactions strictly before a time; none for a user who is not in the data."""
        if not 0 <= user < self.train.n_users:
            return np.zeros(0, dtype=np.int64)
        rows: IntArray = np.arange(int(self.train.offsets[user]), int(self.train.offsets[user + 1]))
        return rows[self.train.time[rows] < time]

    def by_others(self, items: IntArray, user: int, time: int) -> IntArray:
        """(c,) numbers of interactions with each item strictly before a time, by others than the user."""
        begin, end = self.before(items, time)
        own_items = self.train.item[self.own(user, time)]
        return end - begin - (own_items[None, :] == items[:, None]).sum(axis=1)

    def last_by_others(self, items: IntArray, user: int, time: int) -> IntArray:
        """(c,) times of others' last interaction with each item strictly before a time; -1 where there is none."""
        begin, end = self.before(items, time)
        last = end - 1
        while (own := (last >= begin) & (self.train.user[self.rows[last]] == user)).any():
            last = last - own
        return np.where(last >= begin, self.train.time[self.rows[last]], -1)
