"""Item-to-item transitions: what others consumed soon after the last items of a history [extension].

They are a second source of votes beside the neighbours. They are counted at the query, under the temporal leakage rule,
and nothing is trained.
"""

from collections.abc import Collection

import numpy as np

from mmsrarec.data.dataset import FloatArray, IntArray
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
    left_out = np.zeros(train.n_users, dtype=bool)
    left_out[[user for user in same if user >= 0]] = True
    steps = np.arange(1, window + 1)[:, None]
    places: list[IntArray] = []
    weights: list[FloatArray] = []
    begins, ends = index.before(items, time)
    for back, (item, begin, end) in enumerate(
        zip(items.tolist(), begins.tolist(), ends.tolist(), strict=True), start=1
    ):
        rows = index.rows(slice(begin, end if item >= 0 else begin))
        rows = rows[~left_out[train.user[rows]]]
        next_rows = rows + steps
        inside = np.minimum(next_rows, len(train) - 1)
        step, column = np.nonzero((next_rows < train.offsets[train.user[rows] + 1]) & (train.time[inside] < time))
        places.append(next_rows[step, column])
        weights.append(1 / ((step + 1) * back))
    if not places:
        return Votes.none()
    rows = np.concatenate(places)
    return Votes(train.item[rows], np.concatenate(weights), train.user[rows])
