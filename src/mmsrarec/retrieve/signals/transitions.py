"""What others took soon after the last items of a history: item-to-item transitions, a second source beside the
neighbours [extension]. Counted at the query, under the clock; nothing is trained."""

from collections.abc import Collection

import numpy as np

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
SHARES = (0.1, 0.25, 0.5)
"""Levels of `context.share_levels`, of the item that follows most."""


def transitions(past: ItemTimeIndex, queries: Queries, i: int, same: Collection[int], window: int) -> Votes:
    """What was taken up to `window` interactions after one of the last `window` items of query i's history, by others.

    A taking weighs 1 / (steps after the item * steps of the item back from the end of the history), as in sequential
    rules. same: codes of the query's user and its copies, whose interactions do not count. Both interactions lie
    strictly before the query. Raises MmsrarecError if the query has no time.
    """
    train, time = past.train, int(query_times(queries)[i])
    items = np.asarray(queries.history[i][-window:][::-1], dtype=np.int64)
    found: list[tuple[np.ndarray, np.ndarray, float]] = []
    begins, ends = past.before(items, time)
    for back, (item, begin, end) in enumerate(zip(items, begins, ends, strict=True), start=1):
        rows = past.rows[begin:end] if item >= 0 else past.rows[:0]
        rows = rows[~np.isin(train.user[rows], list(same))]
        for step in range(1, window + 1):
            after = rows + step
            inside = np.minimum(after, len(train) - 1)
            real = (after < len(train)) & (train.user[inside] == train.user[rows]) & (train.time[inside] < time)
            found.append((train.item[after[real]], train.user[after[real]], 1 / (step * back)))
    if not found:
        return Votes.none()
    weights = [np.full(len(item), weight) for item, _, weight in found]
    taken, people = ([part[column] for part in found] for column in (0, 1))
    return Votes(np.concatenate(taken), np.concatenate(weights), np.concatenate(people))
