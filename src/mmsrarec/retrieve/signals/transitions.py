"""Item-to-item transitions: what others consumed soon after the last items of a history [extension].

They are a second source of votes beside the neighbours. They are counted at the query, under the temporal leakage rule,
and nothing is trained.
"""

from collections.abc import Collection

import numpy as np

from mmsrarec.data.dataset import IntArray
from mmsrarec.data.splits import Queries
from mmsrarec.retrieve.collaborative_context import Votes
from mmsrarec.retrieve.item_time_index import ItemTimeIndex
from mmsrarec.retrieve.neighbours import query_times

TRANSITION_LEVELS: tuple[str, ...] = (
    "never follows",
    "seldom follows",
    "sometimes follows",
    "often follows",
    "mostly follows",
)
"""The word of each level, by `collaborative_context.share_levels`."""
SHARES = (0.1, 0.25, 0.5)
"""Lower bounds of levels 2 to 4, as shares of the weight of the item that follows most. Level 1 is any transition."""


def transitions(index: ItemTimeIndex, queries: Queries, i: int, same: Collection[int], window: int) -> Votes:
    """Collect what others consumed after the last items of one query's history.

    A vote weighs 1 / (steps after the item * steps of the item back from the end of the history), as in sequential
    rules. Both interactions of a transition lie strictly before the query.

    Args:
        index: Training interactions by item and time.
        queries: Queries, each with a time.
        i: The number of the query.
        same: Codes of the query's user and its copies, whose interactions do not count.
        window: How many items of the history count, and how many interactions after each of them.

    Returns:
        A vote for each transition.

    Raises:
        MmsrarecError: If the query has no time.
    """
    train, time = index.train, int(query_times(queries)[i])
    items = np.asarray(queries.history[i][-window:][::-1], dtype=np.int64)
    item_parts: list[IntArray] = []
    user_parts: list[IntArray] = []
    weights: list[float] = []
    begins, ends = index.before(items, time)
    for back, (item, begin, end) in enumerate(zip(items, begins, ends, strict=True), start=1):
        rows = index.rows[begin:end] if item >= 0 else index.rows[:0]
        rows = rows[~np.isin(train.user[rows], list(same))]
        for step in range(1, window + 1):
            next_rows = rows + step
            inside = np.minimum(next_rows, len(train) - 1)
            valid = (next_rows < len(train)) & (train.user[inside] == train.user[rows]) & (train.time[inside] < time)
            item_parts.append(train.item[next_rows[valid]])
            user_parts.append(train.user[next_rows[valid]])
            weights.append(1 / (step * back))
    if not weights:
        return Votes.none()
    weight_parts = [np.full(len(part), weight) for part, weight in zip(item_parts, weights, strict=True)]
    return Votes(np.concatenate(item_parts), np.concatenate(weight_parts), np.concatenate(user_parts))
