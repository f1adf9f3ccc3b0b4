"""How many users consumed an item, in words: a language model cannot see counts unless they are in its prompt.

The counts follow the temporal leakage rule: at a query, only others' training interactions strictly before it count.
"""

import numpy as np

from mmsrarec.data.dataset import IntArray, Interactions
from mmsrarec.data.splits import Queries
from mmsrarec.retrieve.item_time_index import ItemTimeIndex
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
    index = ItemTimeIndex.of(train)
    candidate_counts = np.zeros(candidates.shape, dtype=np.int64)
    highest_counts = np.zeros(len(queries), dtype=np.int64)
    for i, time in enumerate(query_times(queries).tolist()):
        user = int(queries.user[i])
        candidate_counts[i] = index.by_others(candidates[i], user, time)
        highest_counts[i] = index.highest_by_others(user, time)
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
