"""Splits a log into training interactions and queries, the points at which an item is predicted.

A query is one user just before one interaction. The temporal leakage rule says what may be known there: the user's own
interactions before it (ties in file order), and the training interactions of other users strictly earlier in time.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal, overload

import numpy as np
from numpy.typing import NDArray

from mmsrarec.data.dataset import Dataset, IntArray, Interactions
from mmsrarec.errors import RecipeError

SplitName = Literal["leave-one-out", "user-8-1-1", "time-cut", "amazon-2023", "file"]
OWN_SPLIT: SplitName = "file"
"""The split that a file of the user's own says."""
Everything = Literal["all"]
EVERYTHING: Everything = "all"
"""The split that holds nothing out: a model is fitted on it again once all choices are made, and then served."""
RepeatConsumption = Literal["exclude", "allow"]
"""Whether an item that a user consumed may be recommended to them again: see `Queries.excluded`."""
CLOCKED_SPLITS: tuple[SplitName, ...] = ("time-cut", "amazon-2023")
"""Splits that compare the times of different users, which steps cannot do."""
USUAL_SPLITS: tuple[SplitName, ...] = ("leave-one-out", "user-8-1-1", "time-cut")
"""Splits that fit any log."""
AMAZON_2023_CUTS = (1_628_643_414, 1_658_002_729)
"""The seconds at which the published split by time of Amazon's reviews of 2023 cuts all domains; the published cuts are
1628643414042 and 1658002729837 milliseconds."""
FIRST_CUT, SECOND_CUT = 0.8, 0.9
"""Quantiles of the times at which "time-cut" cuts: validation starts at the first, the test at the second."""


@dataclass(frozen=True, eq=False)
class Queries:
    """A batch of m queries.

    Every ranker, candidate generator and metric reads `excluded` for the items that may not be recommended, and
    `rankable` for the queries whose target can be found. So one rule holds for every row of a table, for choices on
    validation, and for serving.

    Attributes:
        user: (m,) user codes, -1 for a user who is not in the data.
        time: (m,) seconds or steps.
        target: (m,) codes of the items that were consumed then, -1 where unknown.
        history: m arrays of item codes, oldest first: everything that the user consumed before.
        allow_seen: Whether items of the history may be recommended again.
        named: (m, c) codes of items that the caller names, which are ranked even if they are in the history; None
            where the whole catalogue is ranked.
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
        """The queries of the given rows."""
        histories = tuple(self.history[int(row)] for row in rows)
        named = None if self.named is None else self.named[rows]
        return Queries(self.user[rows], self.time[rows], self.target[rows], histories, self.allow_seen, named)

    def naming(self, candidates: IntArray) -> "Queries":
        """The same queries, for which only the (m, c) candidates are to be ranked, those of the history included."""
        return replace(self, named=candidates)

    @property
    def excluded(self) -> tuple[IntArray, ...]:
        """The codes of the items that may not be recommended, one array for each of the m queries.

        They are the history without the `named` items; with `allow_seen` they are empty.
        """
        if self.allow_seen:
            return (np.empty(0, dtype=np.int64),) * len(self)
        if self.named is None:
            return self.history
        pairs = zip(self.history, self.named, strict=True)
        return tuple(history[~np.isin(history, candidates)] for history, candidates in pairs)

    @cached_property
    def repeated(self) -> NDArray[np.bool_]:
        """(m,) bool, whether the user consumed the target before."""
        pairs = zip(self.target, self.history, strict=True)
        return np.fromiter((target in history for target, history in pairs), dtype=bool, count=len(self))

    @property
    def rankable(self) -> "Queries":
        """The queries whose target may be recommended: all with `allow_seen`, else those with a new target."""
        if self.allow_seen or not self.repeated.any():
            return self
        return self.pick(np.flatnonzero(~self.repeated))


@dataclass(frozen=True, eq=False)
class Split:
    """A log in three parts.

    Attributes:
        name: The name of the split, as in evaluate.splits.
        train: The interactions from which any model, index or statistic may be made.
        valid: The queries of validation, at most one a user.
        test: The queries of the test, at most one a user.
        cut: The time in seconds at which the test begins for all users; None where each user has another time.
    """

    name: str
    train: Interactions
    valid: Queries
    test: Queries
    cut: int | None = None


class HistoriesBefore(Sequence[IntArray]):
    """The histories of `queries_at`, each made when it is asked for: all of a large log would fill the memory.

    Attributes:
        interactions: The log.
        rows: (m,) row numbers, each of the interaction that a history ends before.
    """

    def __init__(self, interactions: Interactions, rows: IntArray) -> None:
        self.interactions, self.rows = interactions, rows

    def __len__(self) -> int:
        return len(self.rows)

    @overload
    def __getitem__(self, index: int) -> IntArray: ...
    @overload
    def __getitem__(self, index: slice) -> "HistoriesBefore": ...
    def __getitem__(self, index: int | slice) -> "IntArray | HistoriesBefore":
        if isinstance(index, slice):
            return HistoriesBefore(self.interactions, self.rows[index])
        row = int(self.rows[index])
        return self.interactions.item[int(self.interactions.offsets[self.interactions.user[row]]) : row]


def queries_at(interactions: Interactions, rows: IntArray) -> Queries:
    """The queries whose targets are the given rows of `interactions`, each with the user's history before the row."""
    starts = interactions.offsets[interactions.user[rows]]
    histories = tuple(interactions.item[start:row] for start, row in zip(starts, rows, strict=True))
    return Queries(interactions.user[rows], interactions.time[rows], interactions.item[rows], histories)


def leave_one_out(interactions: Interactions) -> Split:
    """Hold out the last interaction for the test and the one before for validation, of users with at least three.

    Args:
        interactions: The whole log.

    Returns:
        The split; users with fewer interactions are in the training part only.
    """
    lengths = np.diff(interactions.offsets)
    long_enough = np.flatnonzero(lengths >= 3)
    last = interactions.offsets[long_enough + 1] - 1
    train = np.ones(len(interactions), dtype=bool)
    train[last] = train[last - 1] = False
    return Split(
        "leave-one-out", interactions.where(train), queries_at(interactions, last - 1), queries_at(interactions, last)
    )


def user_8_1_1(interactions: Interactions, seed: int) -> Split:
    """Split users 8:1:1 at random; the last interaction of a validation or test user is the target.

    The paper of the method (MMSRARec) splits its data this way.

    Args:
        interactions: The whole log.
        seed: The seed of the random order of users.

    Returns:
        The split; validation and test users have no training interactions.
    """
    users = np.random.default_rng(seed).permutation(np.flatnonzero(np.diff(interactions.offsets) >= 2))
    n_held = max(1, len(users) // 10)
    parts = np.zeros(interactions.n_users, dtype=np.int64)
    parts[users[n_held : 2 * n_held]], parts[users[:n_held]] = 1, 2
    return by_users(interactions, parts, "user-8-1-1")


def by_users(interactions: Interactions, parts: IntArray, name: SplitName = OWN_SPLIT) -> Split:
    """Split by users; the last interaction of a validation or test user is the target.

    Args:
        interactions: The whole log.
        parts: (n_users,) the part of each user: 0 for training, 1 for validation, 2 for the test, -1 for none.
        name: The name of the split.

    Returns:
        The split; validation and test users have no training interactions, and those with fewer than two interactions
        are not asked.
    """
    last, long_enough = interactions.offsets[1:] - 1, np.diff(interactions.offsets) >= 2
    valid, test = (queries_at(interactions, last[(parts == part) & long_enough]) for part in (1, 2))
    return Split(name, interactions.where(parts[interactions.user] == 0), valid, test)


def time_cut(interactions: Interactions, cuts: tuple[int, int] | None = None, name: str = "time-cut") -> Split:
    """Split at two times: training lies before the first, validation between them, the test after the second.

    A user's query is the first interaction after a cut, if the user has an earlier interaction. In no other split are
    all training interactions earlier than all queries. It needs real times, and users on both sides of a cut.

    Args:
        interactions: The whole log, in seconds.
        cuts: The seconds at which validation and the test begin; None takes the quantiles FIRST_CUT and SECOND_CUT.
        name: The name of the split.

    Returns:
        The split, with `cut` set.
    """
    if cuts is None:
        quantiles = (FIRST_CUT, SECOND_CUT)
        drawn_cuts = np.quantile(interactions.time, quantiles, method="higher") if len(interactions) else (0, 0)
        cuts = (int(drawn_cuts[0]), int(drawn_cuts[1]))
    first, second = cuts
    valid, test = (_first_since(interactions, *span) for span in ((first, second), (second, np.inf)))
    return Split(name, interactions.where(interactions.time < first), valid, test, second)


def _first_since(interactions: Interactions, since: float, until: float) -> Queries:
    """Each user's first interaction in [since, until) seconds, unless it is the user's first interaction of all."""
    rows = np.flatnonzero((interactions.time >= since) & (interactions.time < until))
    rows = rows[np.unique(interactions.user[rows], return_index=True)[1]]
    return queries_at(interactions, rows[rows > interactions.offsets[interactions.user[rows]]])


def with_validation(split: Split, interactions: Interactions) -> Interactions:
    """The training and the validation interactions, on which a model without choices may be fitted before the test.

    Args:
        split: A split of the log.
        interactions: The whole log.

    Returns:
        The log without the targets of the test and without users who are only in the test; where the split has a
        `cut`, the log before the cut.
    """
    if split.cut is not None:
        return interactions.where(interactions.time < split.cut)
    keep = np.isin(interactions.user, np.concatenate([split.train.user, split.valid.user]))
    keep[interactions.offsets[split.test.user + 1] - 1] = False
    return interactions.where(keep)


def check_split(split: Split) -> None:
    """Check that all three parts of a split hold something.

    Raises:
        RecipeError: There are no training interactions, or no queries to validate or to test.
    """
    if not (len(split.train) and len(split.valid) and len(split.test)):
        parts = (
            f"{len(split.train)} events to train on, {len(split.valid)} users to choose by, {len(split.test)} to test"
        )
        raise RecipeError(f"{split.name} leaves {parts}: name another of evaluate.splits")


def check_clock(dataset: Dataset, splits: Iterable[str], clocked_settings: Iterable[str] = ()) -> None:
    """Check that the data set has real times where something needs them.

    Args:
        dataset: The data set of a run.
        splits: Names of splits, as in evaluate.splits.
        clocked_settings: Settings that are switched on and need a clock, by their names in a recipe.

    Raises:
        RecipeError: The times are steps, and a split or a setting needs real ones.
    """
    if dataset.has_clock:
        return
    clocked_splits = [f'evaluate.splits = "{name}"' for name in splits if name in CLOCKED_SPLITS]
    if names := [*clocked_splits, *clocked_settings]:
        what = f"the times of {dataset.name} are steps, which tell an order and no dates: {', '.join(names)}"
        raise RecipeError(f"{what} cannot be had; switch it off, or import the log with its times")


def make_split(
    name: SplitName | Everything,
    interactions: Interactions,
    seed: int,
    repeats: RepeatConsumption = "exclude",
    parts: IntArray | None = None,
) -> Split:
    """Split a log by the name of a split.

    Args:
        name: The name, as in evaluate.splits; "all" holds nothing out.
        interactions: The whole log.
        seed: The seed of the users that are drawn for "user-8-1-1".
        repeats: Whether an item that a user consumed may be recommended to them again.
        parts: The part of each user, as `by_users` takes it; only the split "file" needs it.

    Returns:
        The split.

    Raises:
        RecipeError: The split is "file", and no file says the parts.
    """
    if name == EVERYTHING:
        no_queries = queries_at(interactions, np.empty(0, dtype=np.int64))
        return Split(name, interactions, no_queries, no_queries)
    match name:
        case "user-8-1-1":
            split = user_8_1_1(interactions, seed)
        case "leave-one-out":
            split = leave_one_out(interactions)
        case "time-cut":
            split = time_cut(interactions)
        case "amazon-2023":
            split = time_cut(interactions, AMAZON_2023_CUTS, name)
        case "file":
            if parts is None:
                raise RecipeError('the split "file" needs evaluate.split_file, a table with user_id and part')
            split = by_users(interactions, parts)
    valid, test = (replace(part, allow_seen=repeats == "allow") for part in (split.valid, split.test))
    return replace(split, valid=valid, test=test)
