"""Changed logs: what the leak checks plant, and which training interactions a query may know of."""

from dataclasses import replace

import numpy as np

from mmsrarec.data.dataset import IntArray, Interactions
from mmsrarec.data.splits import Queries, queries_at
from mmsrarec.evaluate.protocols import Candidates


def rows_of(log: Interactions, queries: Queries) -> IntArray:
    """(m,) rows of the log at which queries of its users happen: right after what the user had before."""
    return log.offsets[queries.user] + np.array([len(history) for history in queries.history], dtype=np.int64)


def with_items(log: Interactions, rows: IntArray, items: IntArray | int) -> Interactions:
    """The log with other items at some rows."""
    changed = log.item.copy()
    changed[rows] = items
    return replace(log, item=changed)


def free_items(log: Interactions, n: int) -> tuple[Interactions, list[int]]:
    """A log without n of its items, the least taken ones, and their codes: free to be planted.

    Codes of the catalogue, and not new ones, for whatever looks a planted item up must find it.
    """
    *free, stand_in = np.argsort(log.counts, kind="stable")[: n + 1].tolist()
    return with_items(log, np.flatnonzero(np.isin(log.item, free)), stand_in), free


def all_at_once(log: Interactions, time: int, item: int) -> Interactions:
    """The log in which all that happened from `time` on happened in that second, and was `item`."""
    late = log.time >= time
    return replace(with_items(log, np.flatnonzero(late), item), time=np.minimum(log.time, time))


def relabelled(
    log: Interactions, queries: Queries, candidates: Candidates, rng: np.random.Generator
) -> tuple[Interactions, Candidates]:
    """The log in which each query's target is one of its candidates, drawn uniformly, and where it stands among them.

    Whatever is ranked first, such a target stands at a uniform place: unlike targets that are swapped between users,
    which keep their popularity, and so stay above chance for whoever knows what is popular. rng: another than that of
    the candidates, or the places would be theirs.
    """
    place = rng.integers(candidates.items.shape[1], size=len(queries))
    targets = candidates.items[np.arange(len(queries)), place]
    return with_items(log, rows_of(log, queries), targets), replace(candidates, place=place)


def shuffled_ties(log: Interactions, rng: np.random.Generator) -> Interactions:
    """The log with the interactions of a user in one second in random order."""
    return replace(log, item=log.item[np.lexsort((rng.random(len(log)), log.time, log.user))])


def last_queries(train: Interactions) -> Queries:
    """Everybody's last training interaction, of those with a past."""
    with_past = np.flatnonzero(np.diff(train.offsets) >= 2)
    return queries_at(train, train.offsets[with_past + 1] - 1)


def some(queries: Queries, most: int, rng: np.random.Generator) -> Queries:
    """At most `most` of the queries, drawn without order."""
    return queries.pick(np.sort(rng.permutation(len(queries))[:most]))


def by_others_before(train: Interactions, queries: Queries, items: IntArray) -> IntArray:
    """(m, c) items -> (m, c) training interactions of each by others strictly before each query; 0 for -1.

    The temporal leakage rule counted anew, so that it can judge the code that has to obey it.
    """
    span = int(max(train.time.max(initial=0), queries.time.max(initial=0))) + 1
    keys = np.sort(train.item * span + train.time)
    counts = np.searchsorted(keys, items * span + queries.time[:, None]) - np.searchsorted(keys, items * span)
    for row, (user, time) in enumerate(zip(queries.user, queries.time, strict=True)):
        if 0 <= user < train.n_users:
            own = train.items_of(int(user))[train.time[train.rows(int(user))] < time]
            counts[row] -= (items[row][:, None] == own).sum(axis=1)
    return np.where(items >= 0, counts, 0)
