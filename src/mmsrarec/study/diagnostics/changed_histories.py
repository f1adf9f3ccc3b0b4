"""Queries whose history is changed: shuffled, empty, or somebody else's. Nothing else of a query changes.

What a model computes from a history, such as the neighbours of a query, follows from the changed one.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Literal, get_args

import numpy as np

from mmsrarec.data.dataset import IntArray
from mmsrarec.data.splits import Queries

History = Literal["shuffled", "empty", "another user's"]
HISTORIES: tuple[History, ...] = get_args(History)
TRUE = "true"
"""Name of the history as it is."""


def with_changed_histories(queries: Queries, seed: int) -> Mapping[History, Queries]:
    """The same queries with each kind of changed history.

    Args:
        queries: m queries.
        seed: Seed of the draws.

    Returns:
        Kind to m queries; without the history of another user where there is one query only.
    """
    rng = np.random.default_rng(seed)
    nothing: IntArray = np.empty(0, dtype=np.int64)
    histories: dict[History, tuple[IntArray, ...]] = {
        "shuffled": tuple(rng.permutation(history) for history in queries.history),
        "empty": (nothing,) * len(queries),
    }
    if len(queries) > 1:
        donors = donor_rows(queries.time, rng)
        histories["another user's"] = tuple(queries.history[int(row)] for row in donors)
    return {kind: replace(queries, history=changed) for kind, changed in histories.items()}


def donor_rows(time: IntArray, rng: np.random.Generator) -> IntArray:
    """Draw for each query the one whose history it gets: another one whose time is not later.

    A later history would tell of the query's future. The earliest query has none before it and gets the next one's.

    Args:
        time: (m,) times of the queries, m at least 2.
        rng: The random numbers.

    Returns:
        (m,) rows, none of them the query's own.
    """
    order = np.argsort(time, kind="stable")
    places = rng.integers(0, np.maximum(np.arange(len(time)), 1))
    places[0] = 1
    donors = np.empty(len(time), dtype=np.int64)
    donors[order] = order[places]
    return donors
