"""The training interactions by item and time: what others did with an item before a query, by binary search."""

from functools import cached_property
from typing import cast

import numpy as np
from numpy.typing import NDArray

from mmsrarec.data.dataset import ROWS_AT_ONCE, IntArray, Interactions, stable_order
from mmsrarec.retrieve.sequence_copies import code_type

INDEX = "item_time_index"
"""The name under which a log keeps its index."""


class ItemTimeIndex:
    """Training interactions sorted by item, then time. What nobody asks for is not built.

    An interaction is told by one number, its item and its place in time order. So one sorted column answers both how
    often an item was consumed before a time, and when.

    Attributes:
        train: The n training interactions.
        end: The time of the last interaction; -1 where there is none.
        keys: (n,) item code times n, plus the place in time order, ascending.
    """

    def __init__(self, train: Interactions) -> None:
        self.train = train
        self.end = int(train.time.max(initial=-1))

    @classmethod
    def of(cls, train: Interactions) -> "ItemTimeIndex":
        """The index of a log, which is built once and kept as long as the log."""
        attributes = train.__dict__
        if INDEX not in attributes:
            attributes[INDEX] = cls(train)
        return cast("ItemTimeIndex", attributes[INDEX])

    @cached_property
    def keys(self) -> IntArray:
        """See the class."""
        keys, by_time = np.empty(len(self.train), dtype=np.int64), self.train.by_time
        for begin in range(0, len(keys), ROWS_AT_ONCE):
            rows = by_time[begin : begin + ROWS_AT_ONCE]
            keys[begin : begin + len(rows)] = self.train.item[rows] * len(keys) + np.arange(begin, begin + len(rows))
        keys.sort()
        return keys

    def rows(self, places: IntArray | slice) -> IntArray:
        """The row numbers of `train` at some places of `keys`, which stand by item, then time."""
        return self.train.by_time[self.keys[places] % max(len(self.train), 1)]

    @cached_property
    def _by_count(self) -> tuple[IntArray, NDArray[np.signedinteger], IntArray]:
        """How high counts were at each time.

        Returns:
            (n,) the count of the most popular item after each interaction, in time order; (n,) places in time order,
            by how many interactions their item had from then on, then by time; and where those of each such number
            begin, from number 0 on.
        """
        n, small = len(self.train), code_type(len(self.train))
        item_starts = np.concatenate([[0], np.cumsum(self.train.counts)])
        count = np.empty(n, dtype=small)  # of the item, its interaction included, by place in time order
        for begin in range(0, n, ROWS_AT_ONCE):
            keys = self.keys[begin : begin + ROWS_AT_ONCE]
            count[keys % n] = np.arange(begin, begin + len(keys)) - item_starts[keys // n] + 1
        by_count = stable_order(count).astype(small)
        starts = np.concatenate([[0], np.cumsum(np.bincount(count, minlength=1))])
        return np.maximum.accumulate(count), by_count, starts

    @cached_property
    def _most_popular(self) -> IntArray:
        """(n_items,) item codes by their interactions in the whole log, the most popular first."""
        return np.argsort(-self.train.counts, kind="stable")

    def until(self, time: int) -> int:
        """The number of interactions strictly before a time in seconds since 1970."""
        return len(self.train) if time > self.end else int(self.n_before(np.array([time]))[0])

    def n_before(self, times: IntArray) -> IntArray:
        """(c,) numbers of interactions strictly before each of (c,) times."""
        return np.searchsorted(self.train.time, times, sorter=self.train.by_time)

    def time_at(self, place: int) -> int:
        """The time of the interaction at a place in time order, from 0."""
        return int(self.train.time[self.train.by_time[place]])

    def before(self, items: IntArray, time: int) -> tuple[IntArray, IntArray]:
        """Where the interactions of each item before a time stand in `keys`.

        Args:
            items: (c,) item codes.
            time: Seconds since 1970; interactions strictly before it count.

        Returns:
            (c,) first places and (c,) end places, the latter exclusive.
        """
        first = items * len(self.train)
        return np.searchsorted(self.keys, first), np.searchsorted(self.keys, first + self.until(time))

    def own(self, user: int, time: int) -> IntArray:
        """Rows of a user's own interactions strictly before a time; none for a user who is not in the data."""
        if not 0 <= user < self.train.n_users:
            return np.zeros(0, dtype=np.int64)
        rows: IntArray = np.arange(int(self.train.offsets[user]), int(self.train.offsets[user + 1]))
        return rows[self.train.time[rows] < time]

    def by_others(self, items: IntArray, user: int, time: int) -> IntArray:
        """(c,) numbers of interactions with each item strictly before a time, by others than the user."""
        own_items = self.train.item[self.own(user, time)]
        n_own = (own_items[None, :] == items[:, None]).sum(axis=1)
        if self.until(time) == len(self.train):  # after the whole log, as when a run answers: counted already
            is_counted = items < self.train.n_items
            return np.where(is_counted, self.train.counts[np.where(is_counted, items, 0)], 0) - n_own
        begin, end = self.before(items, time)
        return end - begin - n_own

    def highest_by_others(self, user: int, time: int) -> int:
        """The number of interactions with the most popular item strictly before a time, by others than the user."""
        items, n_own = np.unique(self.train.item[self.own(user, time)], return_counts=True)
        own_highest = int((self.by_others(items, -1, time) - n_own).max(initial=0))
        n = self.until(time)
        if n == len(self.train):
            leading = self._most_popular[: len(items) + 1]
            return max(own_highest, int(self.train.counts[leading[~np.isin(leading, items)]].max(initial=0)))
        # the most popular of all items is another one, or the user's own are nearly as popular: so this ends soon
        highest, by_count, starts = self._by_count
        for count in range(int(highest[n - 1]) if n else 0, own_highest, -1):
            # of the items that reached this count, in time order, one more than the user's suffices
            leading = by_count[starts[count] : min(int(starts[count + 1]), int(starts[count]) + len(items) + 1)]
            if not np.isin(self.train.item[self.train.by_time[leading[leading < n]]], items).all():
                return count
        return own_highest

    def last_by_others(self, items: IntArray, user: int, time: int) -> IntArray:
        """(c,) times of others' last interaction with each item strictly before a time; -1 where there is none."""
        begin, end = self.before(items, time)
        last = end - 1
        while (own := (last >= begin) & (self.train.user[self.rows(last)] == user)).any():
            last = last - own
        return np.where(last >= begin, self.train.time[self.rows(last)], -1)
