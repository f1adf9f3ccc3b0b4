"""When an item was last consumed and whether its demand rises, in words [extension].

Time is counted in interactions of others, so that the words mean the same in a busy and in a quiet log. At a query,
only others' training interactions strictly before it count (the temporal leakage rule).
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
"""The word of each recency level."""
TREND: tuple[str, ...] = ("without a trend", "falling", "steady", "rising")
"""The word of each trend level."""
RECENT_SHARE = 0.1
"""The newest interactions before the query that count as recent, as a share of all of them."""
RISING_RATIO = 1.5
"""An item rises from this ratio of recent to expected interactions on, and falls from its inverse on."""


def recency_levels(index: ItemTimeIndex, queries: Queries, candidates: IntArray) -> IntArray:
    """Rate how recently others consumed each candidate at each query.

    Level 0 is never. Above it, the levels are equal steps of log(1 + others' interactions since the item's last one) /
    log(1 + all of others' interactions), and the latest is the highest. Interactions of the same second as the last one
    are not since.

    Args:
        index: Training interactions by item and time.
        queries: m queries, each with a time.
        candidates: (m, c) item codes.

    Returns:
        (m, c) levels from 0 to len(RECENCY) - 1, which index RECENCY.

    Raises:
        MmsrarecError: If a query has no time.
    """
    steps = len(RECENCY) - 1
    levels = np.zeros(candidates.shape, dtype=np.int64)
    for i, time in enumerate(query_times(queries).tolist()):
        user = int(queries.user[i])
        own_times = np.sort(index.train.time[index.own(user, time)])
        last = index.last_by_others(candidates[i], user, time)
        n_interactions = index.until(time) - len(own_times)
        since = n_interactions - index.n_before(last + 1) + np.searchsorted(own_times, last, side="right")
        share = np.log1p(since) / np.log1p(max(n_interactions, 1))
        levels[i] = np.where(last >= 0, steps - np.minimum(np.floor(share * steps), steps - 1), 0)
    return levels


def trend_levels(index: ItemTimeIndex, queries: Queries, candidates: IntArray) -> IntArray:
    """Rate whether the demand for each candidate rises or falls at each query.

    Level 0 is never consumed. Above it, (1 + recent) / (1 + expected) decides: recent counts the item's interactions
    among the newest RECENT_SHARE of others' interactions, expected is their number if demand had always been the same.
    Ones are added so that a single interaction is no trend.

    Args:
        index: Training interactions by item and time.
        queries: m queries, each with a time.
        candidates: (m, c) item codes.

    Returns:
        (m, c) levels from 0 to len(TREND) - 1, which index TREND.

    Raises:
        MmsrarecError: If a query has no time.
    """
    levels = np.zeros(candidates.shape, dtype=np.int64)
    for i, time in enumerate(query_times(queries).tolist()):
        user = int(queries.user[i])
        own_rows = index.own(user, time)
        n_interactions = index.until(time) - len(own_rows)
        if not n_interactions:
            continue
        start = _nth_of_others(index, n_interactions - max(1, round(RECENT_SHARE * n_interactions)), own_rows)
        item_counts = index.by_others(candidates[i], user, time)
        recent = item_counts - index.by_others(candidates[i], user, start)
        n_recent = n_interactions - index.until(start) + int((index.train.time[own_rows] < start).sum())
        # both sides times the number of interactions: whole numbers, so that nothing is rounded at the border
        observed = (1 + recent) * n_interactions
        expected = n_interactions + item_counts * n_recent
        level = np.select([observed >= RISING_RATIO * expected, RISING_RATIO * observed <= expected], [3, 1], 2)
        levels[i] = np.where(item_counts > 0, level, 0)
    return levels


def _nth_of_others(index: ItemTimeIndex, n: int, own_rows: IntArray) -> int:
    """The time of the n-th interaction, from 0, that is not among the user's own rows."""
    own_times = np.sort(index.train.time[own_rows])
    # own interaction j counts as the first of its second: n or fewer of others come before it, or it comes after
    others_before = index.n_before(own_times) - np.searchsorted(own_times, own_times)
    n_skipped = int(np.searchsorted(others_before, n, side="right"))
    return index.time_at(n + n_skipped)
