"""When an item was last taken and whether it is rising, in words [ours].

Time is counted in events of others, so that the words mean the same in a busy and in a quiet log. Under the clock: at
a moment, only others' training events strictly before it exist.
"""

import numpy as np

from mmsrarec.data.dataset import IntArray
from mmsrarec.data.splits import Moments
from mmsrarec.retrieve.item_time_index import Past
from mmsrarec.retrieve.neighbours import clock

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
RECENT = 0.1  # share of all events before the moment that is called recent
RISING = 1.5  # times as many recent events as the item's share of all events lets expect; falling: as many fewer


def recency_levels(past: Past, moments: Moments, candidates: IntArray) -> IntArray:
    """(m, c) item codes -> (m, c) levels 0 to len(RECENCY) - 1, to be said with RECENCY.

    0 is never. Above it, log(1 + others' events since the last one of the item) as a share of log(1 + all of them), in
    equal steps, the latest highest. Events of the same second as the last one are not since. Raises MmsrarecError if a
    moment has no time.
    """
    steps = len(RECENCY) - 1
    levels = np.zeros(candidates.shape, dtype=np.int64)
    for i, time in enumerate(clock(moments).tolist()):
        user = int(moments.user[i])
        own = np.sort(past.train.time[past.own(user, time)])
        last = past.last_by_others(candidates[i], user, time)
        events = past.until(time) - len(own)
        since = events - np.searchsorted(past.times, last, side="right") + np.searchsorted(own, last, side="right")
        share = np.log1p(since) / np.log1p(max(events, 1))
        levels[i] = np.where(last >= 0, steps - np.minimum(np.floor(share * steps), steps - 1), 0)
    return levels


def trend_levels(past: Past, moments: Moments, candidates: IntArray) -> IntArray:
    """(m, c) item codes -> (m, c) levels 0 to len(TREND) - 1, to be said with TREND.

    0 is never taken. Above it, (1 + recent) / (1 + expected): the item's events among the newest RECENT of others'
    events, and as many as there would be if the item had always been taken as often. Ones are added so that a single
    event is no trend. Raises MmsrarecError if a moment has no time.
    """
    levels = np.zeros(candidates.shape, dtype=np.int64)
    for i, time in enumerate(clock(moments).tolist()):
        user = int(moments.user[i])
        own = past.own(user, time)
        events = past.until(time) - len(own)
        if not events:
            continue
        start = _nth_of_others(past, events - max(1, round(RECENT * events)), own)
        all_taken = past.by_others(candidates[i], user, time)
        recent = all_taken - past.by_others(candidates[i], user, start)
        newest = events - past.until(start) + int((past.train.time[own] < start).sum())
        got, expected = (1 + recent) * events, events + all_taken * newest  # whole: nothing is rounded on the border
        level = np.select([got >= RISING * expected, RISING * got <= expected], [3, 1], 2)
        levels[i] = np.where(all_taken > 0, level, 0)
    return levels


def _nth_of_others(past: Past, n: int, own: IntArray) -> int:
    """The time of the n-th event, from 0, that is none of the user's own rows."""
    places = np.sort(past.place[own])
    # before own event j stand places[j] - j events of others: those with n or fewer of them come first
    skipped = int(np.searchsorted(places - np.arange(len(places)), n, side="right"))
    return int(past.times[n + skipped])
