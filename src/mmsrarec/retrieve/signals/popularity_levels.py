"""How many people took an item, in words: a language model cannot see counts unless it is told.

The counts obey the clock: at a query, only others' training interactions strictly before it exist.
"""

import numpy as np

from mmsrarec.data.dataset import IntArray, Interactions
from mmsrarec.data.splits import Queries
from mmsrarec.retrieve.neighbours import query_times

WORDS: tuple[str, ...] = (
    "nobody",
    "hardly anyone",
    "a few",
    "some",
    "quite a few",
    "many",
    "very many",
    "nearly everyone",
)
LEVELS = len(WORDS)


def counts(train: Interactions, queries: Queries, candidates: IntArray) -> tuple[IntArray, IntArray]:
    """(m, c) training interactions of each candidate by others before each query, and (m,) those of the most taken
    item.

    Raises MmsrarecError if a query has no time.
    """
    time = query_times(queries)
    ordered = train.by_time
    until = np.searchsorted(train.time[ordered], time, side="left")
    so_far, done = np.zeros(train.n_items, dtype=np.int64), 0
    taken, most = np.zeros(candidates.shape, dtype=np.int64), np.zeros(len(queries), dtype=np.int64)
    for i in np.argsort(until, kind="stable"):
        if until[i] > done:
            so_far += np.bincount(train.item[ordered[done : until[i]]], minlength=train.n_items)
            done = int(until[i])
        by_others = so_far
        if 0 <= queries.user[i] < train.n_users:
            rows = train.rows(int(queries.user[i]))
            own = train.item[rows][train.time[rows] < time[i]]
            by_others = so_far - np.bincount(own, minlength=train.n_items)
        taken[i], most[i] = by_others[candidates[i]], by_others.max(initial=0)
    return taken, most


def levels(train: Interactions, queries: Queries, candidates: IntArray) -> IntArray:
    """(m, c) item codes -> (m, c) levels 0 to LEVELS - 1, to be said with WORDS.

    0 is nobody. Above it, log(1 + count) as a share of the most taken item's, in equal steps: the word compares an item
    with the others of its time, so it means the same in a small and in a large data set.
    """
    taken, most = counts(train, queries, candidates)
    share = np.log1p(taken) / np.log1p(np.maximum(most, 1))[:, None]
    steps = LEVELS - 1
    return np.where(taken > 0, 1 + np.minimum(np.floor(share * steps), steps - 1), 0).astype(np.int64)
