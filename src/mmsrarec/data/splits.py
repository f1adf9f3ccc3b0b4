"""Splits, and the queries at which something is predicted. The temporal leakage rule starts here.

A query is one user about to take one item. What may be known then: the user's own interactions before it (ties in file
order), and other users' training interactions strictly earlier in time.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mmsrarec.data.dataset import Dataset, IntArray, Interactions
from mmsrarec.errors import RecipeError

SplitName = Literal["leave-one-out", "user-8-1-1", "time-cut"]
Everything = Literal["all"]
EVERYTHING: Everything = "all"
"""Nothing is held out: what a model is fitted on anew once all choices are made, to be served."""
RepeatConsumption = Literal["exclude", "allow"]
"""Whether an item that a user had may be recommended to them again, everywhere: see `Queries.excluded`."""
CLOCKED_SPLITS: tuple[SplitName, ...] = ("time-cut",)
"""Splits that compare the times of different users, so steps will not do."""
TRAINED, VALIDATED = 0.8, 0.9
"""Shares of the log, in time, that lie before the two cuts of "time-cut"."""


@dataclass(frozen=True, eq=False)
class Queries:
    """A batch of m queries.

    user: (m,) codes, -1 for someone who is not in the data. time: (m,) seconds. target: (m,) the item taken then, -1
    where unknown. history: m arrays of item codes, oldest first, everything the user had before. allow_seen: whether
    items of the history may be recommended again. named: (m, c) items that are asked about by name, which are ranked
    whether they were had or not; None where the whole catalogue is asked about.

    Whoever ranks, proposes, counts or chooses asks `excluded` what may not be recommended, and `rankable` whose target
    can be found at all. So one rule holds for every row of a table, for choices on validation, and for serving.
    """

    user: IntArray
    time: IntArray
    target: IntArray
    history: tuple[IntArray, ...]
    allow_seen: bool = False
    named: IntArray | None = None

    def __len__(self) -> int:
        return len(self.user)

    def pick(self, rows: IntArray) -> "Queries":
        histories, named = tuple(self.history[int(r)] for r in rows), None if self.named is None else self.named[rows]
        return Queries(self.user[rows], self.time[rows], self.target[rows], histories, self.allow_seen, named)

    def naming(self, candidates: IntArray) -> "Queries":
        """The same queries, at which the (m, c) candidates are asked about by name."""
        return replace(self, named=candidates)

    @property
    def excluded(self) -> tuple[IntArray, ...]:
        """m arrays of the item codes that may not be recommended: the history without what is named, or nothing where
        `allow_seen`."""
        if self.allow_seen:
            return (np.empty(0, dtype=np.int64),) * len(self)
        if self.named is None:
            return self.history
        return tuple(had[~np.isin(had, row)] for had, row in zip(self.history, self.named, strict=True))

    @cached_property
    def repeated(self) -> NDArray[np.bool_]:
        """(m,): whether the user had the target before."""
        pairs = zip(self.target, self.history, strict=True)
        return np.fromiter((target in history for target, history in pairs), dtype=bool, count=len(self))

    @property
    def rankable(self) -> "Queries":
        """The queries whose target may be recommended: all, or those whose user did not have it before."""
        if self.allow_seen or not self.repeated.any():
            return self
        return self.pick(np.flatnonzero(~self.repeated))


@dataclass(frozen=True, eq=False)
class Split:
    """train: all that any model, index or statistic may be made from. valid, test: one query a user. cut: seconds at
    which the test begins, where it does so for all users at once."""

    name: str
    train: Interactions
    valid: Queries
    test: Queries
    cut: int | None = None


def queries_at(interactions: Interactions, rows: IntArray) -> Queries:
    """The queries at which the given rows of `interactions` happened."""
    starts = interactions.offsets[interactions.user[rows]]
    histories = tuple(interactions.item[s:r] for s, r in zip(starts, rows, strict=True))
    return Queries(interactions.user[rows], interactions.time[rows], interactions.item[rows], histories)


def leave_one_out(interactions: Interactions) -> Split:
    """Last interaction = test, last but one = validation, for every user with at least three interactions."""
    lengths = np.diff(interactions.offsets)
    long_enough = np.flatnonzero(lengths >= 3)
    last = interactions.offsets[long_enough + 1] - 1
    train = np.ones(len(interactions), dtype=bool)
    train[last] = train[last - 1] = False
    return Split(
        "leave-one-out", interactions.where(train), queries_at(interactions, last - 1), queries_at(interactions, last)
    )


def user_8_1_1(interactions: Interactions, seed: int) -> Split:
    """The published split: users 8:1:1 at random; the last item of a validation or test user is its target."""
    users = np.random.default_rng(seed).permutation(np.flatnonzero(np.diff(interactions.offsets) >= 2))
    n_held = max(1, len(users) // 10)
    test, valid = np.sort(users[:n_held]), np.sort(users[n_held : 2 * n_held])
    train = ~np.isin(interactions.user, np.concatenate([test, valid]))
    asked, tested = (queries_at(interactions, interactions.offsets[part + 1] - 1) for part in (valid, test))
    return Split("user-8-1-1", interactions.where(train), asked, tested)


def time_cut(interactions: Interactions) -> Split:
    """Train < T1 <= validation < T2 <= test: of each user the first interaction behind a cut, where one stands before
    it.

    The only split in which nothing that was learned lies behind what is asked. It needs true times, and users who come
    back: whoever is not there on both sides of a cut asks nothing.
    """
    cuts = np.quantile(interactions.time, (TRAINED, VALIDATED), method="higher") if len(interactions) else (0, 0)
    first, second = map(int, cuts)
    valid, test = (_first_behind(interactions, *span) for span in ((first, second), (second, np.inf)))
    return Split("time-cut", interactions.where(interactions.time < first), valid, test, second)


def _first_behind(interactions: Interactions, since: float, until: float) -> Queries:
    """Of each user the first interaction since a query, and before another, that is not the first of all."""
    rows = np.flatnonzero((interactions.time >= since) & (interactions.time < until))
    rows = rows[np.unique(interactions.user[rows], return_index=True)[1]]
    return queries_at(interactions, rows[rows > interactions.offsets[interactions.user[rows]]])


def with_validation(split: Split, interactions: Interactions) -> Interactions:
    """The training and the validation interactions: what a model without choices to make may be fitted on before the
    test.

    interactions: the whole log, of which the last interaction of a tested user is left out, and users in the test
    alone; or where time is cut, all from the cut on.
    """
    if split.cut is not None:
        return interactions.where(interactions.time < split.cut)
    keep = np.isin(interactions.user, np.concatenate([split.train.user, split.valid.user]))
    keep[interactions.offsets[split.test.user + 1] - 1] = False
    return interactions.where(keep)


def check_split(split: Split) -> None:
    """Raise MmsrarecError where there is nothing to train on, or nobody to choose by or to test."""
    if not (len(split.train) and len(split.valid) and len(split.test)):
        parts = (
            f"{len(split.train)} events to train on, {len(split.valid)} users to choose by, {len(split.test)} to test"
        )
        raise RecipeError(f"{split.name} leaves {parts}: name another of evaluate.splits")


def check_clock(dataset: Dataset, splits: Iterable[str], shown: Iterable[str] = ()) -> None:
    """Raise MmsrarecError where times are steps and something asked for needs real ones.

    Args:
        dataset: What is to be run on.
        splits: Names of splits, as in evaluate.splits.
        shown: Settings that are switched on and need a clock, by their names in a recipe.
    """
    if dataset.has_clock:
        return
    if needed := [f'evaluate.splits = "{name}"' for name in splits if name in CLOCKED_SPLITS] + list(shown):
        what = f"the times of {dataset.name} are steps, which tell an order and no dates: {', '.join(needed)}"
        raise RecipeError(f"{what} cannot be had; switch it off, or import the log with its times")


def make_split(
    name: SplitName | Everything, interactions: Interactions, seed: int, repeats: RepeatConsumption = "exclude"
) -> Split:
    """seed: of the users that are drawn for "user-8-1-1". repeats: whether what a user had may be recommended again."""
    if name == EVERYTHING:
        nobody = queries_at(interactions, np.empty(0, dtype=np.int64))
        return Split(name, interactions, nobody, nobody)
    if name == "user-8-1-1":
        split = user_8_1_1(interactions, seed)
    else:
        split = leave_one_out(interactions) if name == "leave-one-out" else time_cut(interactions)
    valid, test = (replace(part, allow_seen=repeats == "allow") for part in (split.valid, split.test))
    return replace(split, valid=valid, test=test)
