"""When an item was last taken and whether it is rising, in words [extension].

Time is counted in interactions of others, so that the words mean the same in a busy and in a quiet log. Under the
clock: at a query, only others' training interactions strictly before it exist.
"""

import numpy as np

from mmsrarec.data.dataset import IntArray
from mmsrarec.data.splits import Queries
from mmsrarec.retrieve.item_time_index import ItemTimeIndex
from mmsrarec.retrieve.neighbours import query_times

RECENCY: tuple[str, ...] = (
    "never taken",
    "taken ages ago",
    "taken very long ago",
    "taken long ago",
    "taken a while ago",
    "taken not long ago",
    "taken lately",
    "taken just now",
)
TREND: tuple[str, ...] = ("without a trend", "falling", "steady", "rising")
RECENT_SHARE = 0.1  # share of all interactions before the query that is called recent
RISING_RATIO = (
    1.5  # times as many recent interactions as the item's share of all interactions lets expect; falling: as many fewer
)


def recency_levels(past: ItemTimeIndex, queries: Queries, candidates: IntArray) -> IntArray:
    """(m, c) item codes -> (m, c) levels 0 to len(RECENCY) - 1, to be said with RECENCY.

    0 is never. Above it, log(1 + others' interactions since the last one of the item) as a share of log(1 + all of
    them), in equal steps, the latest highest. Events of the same second as the last one are not since. Raises
    MmsrarecError if a query has no time.
    """
    steps = len(RECENCY) - 1
    levels = np.zeros(candidates.shape, dtype=np.int64)
    for i, time in enumerate(query_times(queries).tolist()):
        user = int(queries.user[i])
        own = np.sort(past.train.time[past.own(user, time)])
        last = past.last_by_others(candidates[i], user, time)
        interactions = past.until(time) - len(own)
        since = (
            interactions - np.searchsorted(past.times, last, side="right") + np.searchsorted(own, last, side="right")
        )
        share = np.log1p(since) / np.log1p(max(interactions, 1))
        levels[i] = np.where(last >= 0, steps - np.minimum(np.floor(share * steps), steps - 1), 0)
    return levels


def trend_levels(past: ItemTimeIndex, queries: Queries, candidates: IntArray) -> IntArray:
    """(m, c) item codes -> (m, c) levels 0 to len(TREND) - 1, to be said with TREND.

    0 is never taken. Above it, (1 + recent) / (1 + expected): the item's interactions among the newest RECENT_SHARE of
    others' interactions, and as many as there would be if the item had always been taken as often. Ones are added so
    that a single interaction is no trend. Raises MmsrarecError if a query has no time.
    """
    levels = np.zeros(candidates.shape, dtype=np.int64)
    for i, time in enumerate(query_times(queries).tolist()):
        user = int(queries.user[i])
        own = past.own(user, time)
        interactions = past.until(time) - len(own)
        if not interactions:
            continue
        start = _nth_of_others(past, interactions - max(1, round(RECENT_SHARE * interactions)), own)
        all_consumed = past.by_others(candidates[i], user, time)
        recent = all_consumed - past.by_others(candidates[i], user, start)
        newest = interactions - past.until(start) + int((past.train.time[own] < start).sum())
        got, expected = (
            (1 + recent) * interactions,
            interactions + all_consumed * newest,
        )  # whole: nothing is rounded on the border
        level = np.select([got >= RISING_RATIO * expected, RISING_RATIO * got <= expected], [3, 1], 2)
        levels[i] = np.where(all_consumed > 0, level, 0)
    return levels


def _nth_of_others(past: ItemTimeIndex, n: int, own: IntArray) -> int:
    """The time of the n-th interaction, from 0, that is none of the user's own rows."""
    places = np.sort(past.place[own])
    # before own interaction j stand places[j] - j interactions of others: those with n or fewer of them come first
    skipped = int(np.searchsorted(places - np.arange(len(places)), n, side="right"))
    return int(past.times[n + skipped])
