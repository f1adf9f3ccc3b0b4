"""The two protocols: 1 positive among 20 uniform negatives, and the whole catalogue. What ranks is a Scorer."""

import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmsrarec.data.dataset import FloatArray, IntArray, Interactions
from mmsrarec.data.splits import Queries, Split
from mmsrarec.errors import MmsrarecError
from mmsrarec.evaluate.metrics import FULL, PUBLISHED, count_competitors, measure
from mmsrarec.rankers.base import Ranker, mask_seen

COVERED = 10
"""An item is covered that stands among so many of anybody's."""
HEAD = 0.2
"""The share of the catalogue, the most taken first, that is its head; what else was taken is its tail."""
CHUNK = 1024
"""Queries scored at once: bounds a chunk of scores over 20,000 items to 160 MB."""


@dataclass(frozen=True, eq=False)
class Candidates:
    """What the published protocol ranks. user: (m,). items: (m, 1 + n) codes. place: (m,) column of the positive.

    rows: (m,) where these users stand among the queries that the candidates were drawn for, some of whom may have been
    left out. Left empty, they are all of them.
    """

    user: IntArray
    items: IntArray
    place: IntArray
    seed: int
    rows: IntArray = field(default_factory=lambda: np.empty(0, dtype=np.int64))

    def __post_init__(self) -> None:
        if not len(self.rows):
            object.__setattr__(self, "rows", np.arange(len(self.user)))

    def pick(self, chosen: IntArray) -> "Candidates":
        """Those at the places `chosen` only."""
        return Candidates(self.user[chosen], self.items[chosen], self.place[chosen], self.seed, self.rows[chosen])

    @cached_property
    def digest(self) -> str:
        """sha256 of users, items and places: equal digests mean the same question was asked."""
        parts = (np.ascontiguousarray(a, dtype="<i8").tobytes() for a in (self.user, self.items, self.place))
        return hashlib.sha256(b"|".join((str(self.items.shape).encode(), *parts))).hexdigest()


def published_candidates(queries: Queries, interactions: Interactions, seed: int, n: int = 20) -> Candidates:
    """One positive at a uniformly random place among n distinct negatives, drawn uniformly.

    interactions: the whole log, held-out parts included: a negative is an item the user touches at no time. Users who
    leave fewer than n such items are left out; `Candidates.rows` says who is not. Raises MmsrarecError where nobody is.
    """
    _need_targets(queries)
    kept = np.flatnonzero(enough_untouched(queries, interactions, n))
    if len(queries) and not len(kept):
        raise MmsrarecError(
            f"none of {len(queries)} users leaves {n} of {interactions.n_items} items untouched, which are wanted as "
            "negatives: set evaluate.negatives lower"
        )
    queries = queries.pick(kept)
    rng = np.random.default_rng(seed)
    place = rng.integers(n + 1, size=len(queries))
    items = np.empty((len(queries), n + 1), dtype=np.int64)
    for row, (user, target, history) in enumerate(zip(queries.user, queries.target, queries.history, strict=True)):
        pool = np.flatnonzero(_untouched(int(user), int(target), history, interactions))
        items[row] = np.insert(rng.choice(pool, n, replace=False), place[row], target)
    return Candidates(queries.user, items, place, seed, kept)


def enough_untouched(queries: Queries, interactions: Interactions, n: int) -> NDArray[np.bool_]:
    """(m,): whether a user leaves n items untouched at all times, which the published protocol needs."""
    parts = zip(queries.user, queries.target, queries.history, strict=True)
    found = (_untouched(int(user), int(target), history, interactions).sum() >= n for user, target, history in parts)
    return np.fromiter(found, dtype=bool, count=len(queries))


def _untouched(user: int, target: int, history: IntArray, interactions: Interactions) -> NDArray[np.bool_]:
    """(n_items,): what the user of a query touches at no time."""
    free = np.ones(interactions.n_items, dtype=bool)
    free[history] = free[target] = False
    if user >= 0:
        free[interactions.items_of(user)] = False
    return free


def evaluate_published(scorer: Ranker, queries: Queries, candidates: Candidates) -> dict[str, FloatArray]:
    """HR@5, NDCG@5, MRR@5 and AUC, each (m,). queries: those of the candidates, `queries.pick(candidates.rows)`."""
    if not np.array_equal(queries.user, candidates.user):
        raise ValueError("the candidates are of other moments: pick candidates.rows of those they were drawn for")
    queries = queries.naming(candidates.items)
    above, tied = np.zeros((2, len(queries)), dtype=np.int64)
    n_others = candidates.items.shape[1] - 1
    for rows in _chunks(len(queries)):
        scores = _scores(scorer, queries.pick(rows), candidates.items[rows], n_others + 1)
        place = candidates.place[rows, None]
        positive = np.take_along_axis(scores, place, axis=1)[:, 0]
        above[rows], tied[rows] = count_competitors(positive, scores, np.arange(n_others + 1) != place)
    return measure(above, tied, n_others, PUBLISHED)


def evaluate_full(scorer: Ranker, queries: Queries, n_items: int, names: Sequence[str] = FULL) -> dict[str, FloatArray]:
    """HR and NDCG at 5, 10 and 20, and MRR, each (m,): the target among all items that may be recommended.

    queries: `Queries.rankable` ones. names: other metrics of `metrics.measure`.
    """
    _need_targets(queries)
    above, tied = np.zeros((2, len(queries)), dtype=np.int64)
    for rows in _chunks(len(queries)):
        part = queries.pick(rows)
        above[rows], tied[rows] = count_unseen(_scores(scorer, part, None, n_items), part)
    return measure(above, tied, n_items, names)


class CoverageRecorder:
    """A scorer that is watched while the whole catalogue is ranked: which items stand among anybody's first COVERED.

    seconds: what watching took.
    """

    def __init__(self, scorer: Ranker, n_items: int):
        self.scorer, self.name = scorer, scorer.name
        self.recommended = np.zeros(n_items, dtype=bool)
        self.seconds = 0.0

    def score(self, queries: Queries, candidates: IntArray | None) -> FloatArray:
        scores = self.scorer.score(queries, candidates)
        started = time.perf_counter()
        if candidates is None:
            for row in mask_seen(scores, queries):
                best = np.argpartition(-row, min(COVERED, len(row)) - 1)[:COVERED]
                self.recommended[best[np.isfinite(row[best])]] = True
        self.seconds += time.perf_counter() - started
        return scores

    @property
    def coverage(self) -> float:
        """The share of the catalogue that was recommended."""
        return float(self.recommended.mean())


def count_unseen(scores: FloatArray, queries: Queries) -> tuple[IntArray, IntArray]:
    """(m,) items above the target and (m,) level with it, by (m, n_items) scores, of what may be recommended.

    Raises ValueError where a target may not be: it would be found by whoever is not filtered, and by nobody else.
    """
    if len(queries.rankable) < len(queries):
        raise ValueError("a target that may not be recommended cannot be ranked: ask Moments.rankable")
    allowed = np.ones(scores.shape, dtype=bool)
    for row, excluded in zip(allowed, queries.excluded, strict=True):
        row[excluded] = False
    np.put_along_axis(allowed, queries.target[:, None], False, axis=1)  # the target does not compete with itself
    target = np.take_along_axis(scores, queries.target[:, None], axis=1)[:, 0]
    return count_competitors(target, scores, allowed)


def ndcg_of_lists(depth: int) -> Callable[[FloatArray, IntArray], float]:
    """The mean NDCG at `depth` of (m, c) scores whose targets stand in (m,) columns, as a function of the two."""

    def quality(scores: FloatArray, place: IntArray) -> float:
        target, others = np.take_along_axis(scores, place[:, None], axis=1), scores.shape[1] - 1
        counts = count_competitors(target[:, 0], scores, np.arange(others + 1) != place[:, None])
        return float(measure(*counts, others, [f"NDCG@{depth}"])[f"NDCG@{depth}"].mean())

    return quality


def facts(
    split: Split,
    interactions: Interactions,
    seed: int,
    candidates: Candidates | None = None,
    asked: int | None = None,
    sealed: int = 0,
) -> dict[str, Any]:
    """What is reported beside a table: a JSON object. candidates None means the full ranking.

    interactions: the whole log. candidates: as drawn for all of the test. asked: users the table asks, of `sealed` ones
    that it does not; all of the test where None. Shares are of all test queries, for they tell of the data and of no
    row: tied_share, at whose second the user took something else too, so that the order of the file decides what counts
    as last; cold_share, whose target training never shows; repeat_share, whose target the user had before. left_out:
    test users whom the protocol cannot ask, sealed or not.
    """
    test = split.test
    left_out = len(test) - (len(test.rankable) if candidates is None else len(candidates.user))
    times = (interactions.time[interactions.rows(int(user))] if user >= 0 else () for user in test.user)
    tied = [np.count_nonzero(np.asarray(own) == time) > 1 for own, time in zip(times, test.time, strict=True)]
    cold = split.train.counts[test.target] == 0
    return {
        "protocol": "full" if candidates is None else "published",
        "split": split.name,
        "candidates": ("every item" if test.allow_seen else "every item the user has not had")
        if candidates is None
        else f"1 positive and {candidates.items.shape[1] - 1} uniform negatives the user never touched",
        "negatives": None if candidates is None else candidates.items.shape[1] - 1,
        "seed": seed if candidates is None else candidates.seed,
        "candidate_hash": None if candidates is None else candidates.digest,
        "users": len(test) - left_out if asked is None else asked,
        "test_users": len(test),
        "sealed_users": sealed,
        "left_out": left_out,
        "left_out_reason": _left_out_reason(left_out, candidates),
        "items": interactions.n_items,
        "tied_share": float(np.mean(tied)) if len(test) else 0.0,
        "cold_share": float(cold.mean()) if len(test) else 0.0,
        "repeat_share": float(test.repeated.mean()) if len(test) else 0.0,
        "repeat_consumption": "allow" if test.allow_seen else "exclude",
        "history": _history_words(test.allow_seen, candidates),
        "ties": "tied scores count as their mean over all orders",
    }


def _left_out_reason(left_out: int, candidates: Candidates | None) -> str | None:
    if not left_out:
        return None
    return "their target was had before" if candidates is None else "they leave too few items untouched"


def _history_words(allow_seen: bool, candidates: Candidates | None) -> str:
    if candidates is not None:
        return "negatives were never touched; a target that was had before is ranked like any other"
    if allow_seen:
        return "items the user had before are ranked like all others, by every row"
    return "items the user had before are not ranked, by no row; queries whose target is one are left out"


def target_slices(queries: Queries, train: Interactions, has_image: NDArray[np.bool_]) -> dict[str, NDArray[np.bool_]]:
    """Test users whose figures are also given apart, as (m,) masks. has_image: (n_items,)."""
    taken, head = train.counts, np.zeros(train.n_items, dtype=bool)
    head[np.argsort(-taken, kind="stable")[: round(HEAD * train.n_items)]] = True
    head &= taken > 0
    return {
        "target unseen in training": taken[queries.target] == 0,
        "target in the head, the fifth of the catalogue that training takes most": head[queries.target],
        "target in the tail": (taken > 0)[queries.target] & ~head[queries.target],
        "target without an image": ~has_image[queries.target],
    }


def _chunks(n: int) -> Iterator[IntArray]:
    return (np.arange(start, min(start + CHUNK, n)) for start in range(0, n, CHUNK))


def _scores(scorer: Ranker, queries: Queries, candidates: IntArray | None, width: int) -> FloatArray:
    scores = np.asarray(scorer.score(queries, candidates))
    if scores.shape != (len(queries), width):
        raise ValueError(f"{scorer.name}: scores have the shape {scores.shape}, not {(len(queries), width)}")
    if bad := int(np.isnan(scores).sum()):
        raise MmsrarecError(f"{scorer.name} gave {bad} scores that are not a number: retrain it or lower its step size")
    return scores


def _need_targets(queries: Queries) -> None:
    if (queries.target < 0).any():
        raise MmsrarecError("a moment without a known target cannot be evaluated: give moments of a split")
