"""Changed logs: what the leak checks plant, and which training events a moment may know of."""

from dataclasses import replace

import numpy as np

from mmsrarec.data.dataset import Events, IntArray
from mmsrarec.data.splits import Moments, moments_at
from mmsrarec.evaluate.protocols import Candidates


def rows_of(log: Events, moments: Moments) -> IntArray:
    """(m,) rows of the log at which moments of its users happen: right after what the user had before."""
    return log.offsets[moments.user] + np.array([len(history) for history in moments.history], dtype=np.int64)


def with_items(log: Events, rows: IntArray, items: IntArray | int) -> Events:
    """The log with other items at some rows."""
    changed = log.item.copy()
    changed[rows] = items
    return replace(log, item=changed)


def free_items(log: Events, n: int) -> tuple[Events, list[int]]:
    """A log without n of its items, the least taken ones, and their codes: free to be planted.

    Codes of the catalogue, and not new ones, for whatever looks a planted item up must find it.
    """
    *free, stand_in = np.argsort(log.counts, kind="stable")[: n + 1].tolist()
    return with_items(log, np.flatnonzero(np.isin(log.item, free)), stand_in), free


def all_at_once(log: Events, time: int, item: int) -> Events:
    """The log in which all that happened from `time` on happened in that second, and was `item`."""
    late = log.time >= time
    return replace(with_items(log, np.flatnonzero(late), item), time=np.minimum(log.time, time))


def relabelled(
    log: Events, moments: Moments, candidates: Candidates, rng: np.random.Generator
) -> tuple[Events, Candidates]:
    """The log in which each moment's target is one of its candidates, drawn uniformly, and where it stands among them.

    Whatever is ranked first, such a target stands at a uniform place: unlike targets that are swapped between users,
    which keep their popularity, and so stay above chance for whoever knows what is popular. rng: another than that of
    the candidates, or the places would be theirs.
    """
    place = rng.integers(candidates.items.shape[1], size=len(moments))
    targets = candidates.items[np.arange(len(moments)), place]
    return with_items(log, rows_of(log, moments), targets), replace(candidates, place=place)


def shuffled_ties(log: Events, rng: np.random.Generator) -> Events:
    """The log with the events of a user in one second in random order."""
    return replace(log, item=log.item[np.lexsort((rng.random(len(log)), log.time, log.user))])


def last_moments(train: Events) -> Moments:
    """Everybody's last training event, of those with a past."""
    with_past = np.flatnonzero(np.diff(train.offsets) >= 2)
    return moments_at(train, train.offsets[with_past + 1] - 1)


def some(moments: Moments, most: int, rng: np.random.Generator) -> Moments:
    """At most `most` of the moments, drawn without order."""
    return moments.pick(np.sort(rng.permutation(len(moments))[:most]))


def by_others_before(train: Events, moments: Moments, items: IntArray) -> IntArray:
    """(m, c) items -> (m, c) training events of each by others strictly before each moment; 0 for -1.

    The clock rule counted anew, so that it can judge the code that has to obey it.
    """
    span = int(max(train.time.max(initial=0), moments.time.max(initial=0))) + 1
    keys = np.sort(train.item * span + train.time)
    counts = np.searchsorted(keys, items * span + moments.time[:, None]) - np.searchsorted(keys, items * span)
    for row, (user, time) in enumerate(zip(moments.user, moments.time, strict=True)):
        if 0 <= user < train.n_users:
            own = train.items_of(int(user))[train.time[train.rows(int(user))] < time]
            counts[row] -= (items[row][:, None] == own).sum(axis=1)
    return np.where(items >= 0, counts, 0)
