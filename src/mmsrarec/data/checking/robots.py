"""Finds users who are hardly persons: far too many interactions, at a pace or with a regularity that nobody has."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mmsrarec.data.dataset import Dataset, IntArray, Interactions
from mmsrarec.data.times import DAY_SECONDS

MIN_INTERACTIONS = 50
"""Users with fewer are not looked at."""
OUTLIER_RATIO = 10
"""Times the 99th percentile of all users."""
CATALOGUE_SHARE = 0.5
"""Of the catalogue that one user consumed, where the catalogue has MIN_CATALOGUE items."""
MIN_CATALOGUE = 200
MIN_DAY_HOURS = 23
"""Hours of a day, each with an interaction: a person sleeps."""
MIN_SLEEPLESS_DAYS = 2
MAX_REGULARITY = 0.1
"""The deviation of the times between interactions, as a share of their mean, below which they are a clock's."""
MIN_ONE_ITEM_SHARE = 0.9
"""The share of a user's interactions with a single item."""
MAX_PER_MINUTE = 60
"""Interactions in one minute, at different seconds. Many at one second are a batch, which people do upload."""


@dataclass(frozen=True)
class Suspect:
    """A user who may be a program, or many people under one id.

    Attributes:
        user_id: The id.
        interactions: How many the user has.
        reasons: Why.
    """

    user_id: str
    interactions: int
    reasons: tuple[str, ...]


def suspects(dataset: Dataset) -> list[Suspect]:
    """Find users who are hardly persons.

    Args:
        dataset: The data set. What needs a clock is left out where times are steps.

    Returns:
        The users, those with the most interactions first.
    """
    interactions = dataset.interactions
    lengths = np.diff(interactions.offsets)
    if not len(lengths):
        return []
    outlier = OUTLIER_RATIO * float(np.quantile(lengths, 0.99))
    suspicious: list[Suspect] = []
    for user in _worth_a_look(interactions, outlier, dataset.has_clock):
        rows = interactions.rows(int(user))
        items, times = interactions.item[rows], interactions.time[rows]
        reasons = list(_by_items(items, len(dataset.items)))
        if len(items) > outlier:
            reasons.insert(0, f"{len(items) / max(np.median(lengths), 1):,.0f} times the median user")
        if dataset.has_clock:
            reasons += _by_times(times)
        if reasons:
            suspicious.append(Suspect(dataset.user_ids[int(user)], len(items), tuple(reasons)))
    return sorted(suspicious, key=lambda suspect: (-suspect.interactions, suspect.user_id))


def _worth_a_look(interactions: Interactions, outlier: float, has_clock: bool) -> IntArray:
    """The users of whom something may be suspicious, found for all at once: nearly all others are passed over.

    Args:
        interactions: The log.
        outlier: More interactions than this are suspicious.
        has_clock: Whether times are seconds.

    Returns:
        User codes, ascending.
    """
    lengths, n_items = np.diff(interactions.offsets), max(interactions.n_items, 1)
    long_enough = lengths >= MIN_INTERACTIONS
    rows = np.flatnonzero(long_enough[interactions.user])
    user, time = interactions.user[rows], interactions.time[rows]
    pairs, counts = np.unique(user * n_items + interactions.item[rows], return_counts=True)
    several = np.bincount(pairs // n_items, minlength=len(lengths)) > CATALOGUE_SHARE * n_items
    several &= n_items >= MIN_CATALOGUE
    most = np.zeros(len(lengths), dtype=np.int64)
    np.maximum.at(most, pairs // n_items, counts)
    suspicious = (lengths > outlier) | several | (most >= MIN_ONE_ITEM_SHARE * lengths)
    if has_clock:
        for users in _of_odd_times(user, time):
            suspicious[users] = True
    return np.flatnonzero(suspicious & long_enough)


def _of_odd_times(user: IntArray, time: IntArray) -> Iterator[IntArray]:
    """The users of (n,) rows, sorted by user, then time, of whom `_by_times` may say something."""
    if not len(user):
        return
    new_hour = _changes(user, time // 3_600)
    day_user, day = user[new_hour], time[new_hour] // DAY_SECONDS
    starts = np.flatnonzero(_changes(day_user, day))
    yield day_user[starts[np.diff(starts, append=len(day)) >= MIN_DAY_HOURS]]
    new_second = _changes(user, time)
    user, seconds = user[new_second], time[new_second]
    ahead = min(MAX_PER_MINUTE - 1, len(user))
    behind = len(user) - ahead
    yield user[ahead:][(user[ahead:] == user[:behind]) & (seconds[ahead:] - seconds[:behind] < 60)]
    gaps, own = np.diff(seconds).astype(np.float64), user[1:] == user[:-1]
    gap_user, n_users = user[1:][own], int(user[-1]) + 1
    n = np.maximum(np.bincount(gap_user, minlength=n_users), 1)
    means = np.bincount(gap_user, gaps[own], n_users) / n
    deviations = np.sqrt(np.bincount(gap_user, (gaps[own] - means[gap_user]) ** 2, n_users) / n)
    yield np.flatnonzero(deviations <= 1.01 * MAX_REGULARITY * means)  # sums are rounded in another order here


def _changes(user: IntArray, value: IntArray) -> NDArray[np.bool_]:
    """(n,) mask of the rows that differ from the row before in user or value."""
    changes = np.ones(len(user), dtype=bool)
    changes[1:] = (user[1:] != user[:-1]) | (value[1:] != value[:-1])
    return changes


def _by_items(items: IntArray, n_items: int) -> Iterator[str]:
    """What is suspicious of a user's items."""
    counts = np.unique(items, return_counts=True)[1]
    if n_items >= MIN_CATALOGUE and len(counts) > CATALOGUE_SHARE * n_items:
        yield f"consumed {len(counts) / n_items:.0%} of the catalogue"
    if counts.max() >= MIN_ONE_ITEM_SHARE * len(items):
        yield f"{counts.max() / len(items):.0%} of the interactions are with one item"


def _by_times(times: IntArray) -> Iterator[str]:
    """What is suspicious of a user's times, in seconds, ascending."""
    hours = np.unique(times // 3_600)
    days, hour_counts = np.unique(hours * 3_600 // DAY_SECONDS, return_counts=True)
    sleepless = int((hour_counts >= MIN_DAY_HOURS).sum())
    if sleepless >= MIN_SLEEPLESS_DAYS:
        yield f"active around the clock on {sleepless} of {len(days)} days"
    seconds = np.unique(times)
    if len(seconds) >= MIN_INTERACTIONS:
        gaps = np.diff(seconds)
        if gaps.std() < MAX_REGULARITY * gaps.mean() and not (gaps % DAY_SECONDS == 0).all():
            yield f"one interaction every {gaps.mean():,.0f} s, like a clock"
        ends = np.searchsorted(seconds, seconds + 60)
        fastest = int((ends - np.arange(len(seconds))).max())
        if fastest >= MAX_PER_MINUTE:
            yield f"{fastest} interactions within a minute, at different seconds"
