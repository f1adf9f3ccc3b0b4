"""How many users consumed an item, in words: a language model cannot see counts unless they are in its prompt.

The counts follow the temporal leakage rule: at a query, only others' training interactions strictly before it count.
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
"""The word of each level."""
LEVELS = len(WORDS)
"""The number of levels."""


def counts(train: Interactions, queries: Queries, candidates: IntArray) -> tuple[IntArray, IntArray]:
    """Count the training interactions of others with each candidate before each query.

    Args:
        train: Training interactions.
        queries: m queries, each with a time.
        candidates: (m, c) item codes.

    Returns:
        (m, c) counts of the candidates, and (m,) counts of the most popular item at each query.

    Raises:
        MmsrarecError: If a query has no time.
    """
    time = query_times(queries)
    ordered = train.by_time
    ends = np.searchsorted(train.times, time, side="left")
    item_counts, n_counted = np.zeros(train.n_items, dtype=np.int64), 0
    if len(ends) and ends.min() == len(train):  # after the whole log, as when a run answers: nothing to count
        item_counts, n_counted = train.counts, len(train)
    candidate_counts = np.zeros(candidates.shape, dtype=np.int64)
    highest_counts = np.zeros(len(queries), dtype=np.int64)
    for i in np.argsort(ends, kind="stable"):
        if ends[i] > n_counted:
            item_counts += np.bincount(train.item[ordered[n_counted : ends[i]]], minlength=train.n_items)
            n_counted = int(ends[i])
        counts_by_others = item_counts
        if 0 <= queries.user[i] < train.n_users:
            rows = train.rows(int(queries.user[i]))
            own_items = train.item[rows][train.time[rows] < time[i]]
            counts_by_others = item_counts - np.bincount(own_items, minlength=train.n_items)
        candidate_counts[i] = counts_by_others[candidates[i]]
        highest_counts[i] = counts_by_others.max(initial=0)
    return candidate_counts, highest_counts


def levels(train: Interactions, queries: Queries, candidates: IntArray) -> IntArray:
    """Rate the popularity of each candidate at each query.

    Level 0 is nobody. Above it, the levels are equal steps of log(1 + count) / log(1 + count of the most popular item).
    The word compares an item with the others of its time, so it means the same in a small and in a large data set.

    Args:
        train: Training interactions.
        queries: m queries, each with a time.
        candidates: (m, c) item codes.

    Returns:
        (m, c) levels from 0 to LEVELS - 1, which index WORDS.

    Raises:
        MmsrarecError: If a query has no time.
    """
    candidate_counts, highest_counts = counts(train, queries, candidates)
    share = np.log1p(candidate_counts) / np.log1p(np.maximum(highest_counts, 1))[:, None]
    steps = LEVELS - 1
    return np.where(candidate_counts > 0, 1 + np.minimum(np.floor(share * steps), steps - 1), 0).astype(np.int64)
