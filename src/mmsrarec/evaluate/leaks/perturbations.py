"""Changed logs for the leak checks, and the training interactions that a query may know of."""

from dataclasses import replace

import numpy as np

from mmsrarec.data.dataset import IntArray, Interactions
from mmsrarec.data.splits import Queries, queries_at
from mmsrarec.evaluate.protocols import Candidates


def rows_of(log: Interactions, queries: Queries) -> IntArray:
    """The rows of the log at which queries of its users happen: right behind their histories.

    Args:
        log: The log.
        queries: m queries of its users.

    Returns:
        (m,) rows.
    """
    return log.offsets[queries.user] + np.array([len(history) for history in queries.history], dtype=np.int64)


def with_items(log: Interactions, rows: IntArray, items: IntArray | int) -> Interactions:
    """The log with other items at some rows.

    Args:
        log: The log.
        rows: (m,) rows to change.
        items: (m,) item codes, or one for all.

    Returns:
        The changed log.
    """
    items_changed = log.item.copy()
    items_changed[rows] = items
    return replace(log, item=items_changed)


def free_items(log: Interactions, n: int) -> tuple[Interactions, list[int]]:
    """Remove the least consumed items from a log, so that they can be planted.

    They are codes of the catalogue, so that a lookup of a planted item succeeds.

    Args:
        log: The log.
        n: Number of items.

    Returns:
        The log with another item in their place, and their codes.
    """
    *free_codes, stand_in = np.argsort(log.counts, kind="stable")[: n + 1].tolist()
    return with_items(log, np.flatnonzero(np.isin(log.item, free_codes)), stand_in), free_codes


def all_at_once(log: Interactions, time: int, item: int) -> Interactions:
    """The log in which all interactions from `time` on happen in that second, with one item.

    Args:
        log: The log.
        time: Time in seconds.
        item: Code of the item.

    Returns:
        The changed log.
    """
    is_late = log.time >= time
    return replace(with_items(log, np.flatnonzero(is_late), item), time=np.minimum(log.time, time))


def relabelled(
    log: Interactions, queries: Queries, candidates: Candidates, rng: np.random.Generator
) -> tuple[Interactions, Candidates]:
    """Replace the target of each query in the log by one of its candidates, drawn uniformly.

    By any ranking such a target stands at a uniform place. Targets that are swapped between users would keep their
    popularity, and a ranker by popularity would stay above chance.

    Args:
        log: The log.
        queries: m queries of its users.
        candidates: (m, c) candidates.
        rng: Random numbers that are independent of those of the candidates.

    Returns:
        The changed log, and the candidates with the places of the new targets.
    """
    place = rng.integers(candidates.items.shape[1], size=len(queries))
    targets = candidates.items[np.arange(len(queries)), place]
    return with_items(log, rows_of(log, queries), targets), replace(candidates, place=place)


def shuffled_ties(log: Interactions, rng: np.random.Generator) -> Interactions:
    """The log with the interactions of a user in one second in random order.

    Args:
        log: The log.
        rng: The random numbers.

    Returns:
        The changed log.
    """
    return replace(log, item=log.item[np.lexsort((rng.random(len(log)), log.time, log.user))])


def last_queries(train: Interactions) -> Queries:
    """The last training interaction of every user who has at least two, as queries."""
    with_past = np.flatnonzero(np.diff(train.offsets) >= 2)
    return queries_at(train, train.offsets[with_past + 1] - 1)


def subsample(queries: Queries, n_queries: int, rng: np.random.Generator) -> Queries:
    """At most `n_queries` random queries, in their order."""
    return queries.pick(np.sort(rng.permutation(len(queries))[:n_queries]))


def count_earlier_by_others(train: Interactions, queries: Queries, items: IntArray) -> IntArray:
    """Count the training interactions with items by other users, strictly before each query.

    This is an independent implementation of the temporal leakage rule, to check the code that obeys it.

    Args:
        train: The training log.
        queries: m queries.
        items: (m, c) item codes; -1 is no item.

    Returns:
        (m, c) counts, 0 for -1.
    """
    span = int(max(train.time.max(initial=0), queries.time.max(initial=0))) + 1
    keys = np.sort(train.item * span + train.time)
    counts = np.searchsorted(keys, items * span + queries.time[:, None]) - np.searchsorted(keys, items * span)
    for row, (user, time) in enumerate(zip(queries.user, queries.time, strict=True)):
        if 0 <= user < train.n_users:
            own_items = train.items_of(int(user))[train.time[train.rows(int(user))] < time]
            counts[row] -= (items[row][:, None] == own_items).sum(axis=1)
    return np.where(items >= 0, counts, 0)
