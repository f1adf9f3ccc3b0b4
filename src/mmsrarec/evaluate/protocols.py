"""The two protocols: 1 positive among 20 uniform negatives (published), and the whole catalogue (full ranking)."""

import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from mmsrarec.core.memory import rows_at_once
from mmsrarec.data.dataset import FloatArray, IntArray, Interactions
from mmsrarec.data.splits import Queries
from mmsrarec.errors import MmsrarecError
from mmsrarec.evaluate.metrics import FULL, PUBLISHED, count_competitors, measure
from mmsrarec.rankers.base import Ranker, mask_seen

COVERAGE_DEPTH = 10
"""Number of first places that count for coverage."""
QUERIES_PER_CHUNK = 1024
"""Number of queries scored at once, at most: in a large catalogue fewer, see `core.memory.rows_at_once`."""


@dataclass(frozen=True, eq=False)
class Candidates:
    """The items that the published protocol ranks.

    Attributes:
        user: (m,) codes of the users.
        items: (m, 1 + n) item codes.
        place: (m,) columns of the positives.
        seed: Seed of the draw.
        rows: (m,) rows of these users among the queries that the candidates were drawn for, some of which may have been
            left out. Given empty, they are all rows.
    """

    user: IntArray
    items: IntArray
    place: IntArray
    seed: int
    rows: IntArray = field(default_factory=lambda: np.empty(0, dtype=np.int64))

    def __post_init__(self) -> None:
        if not len(self.rows):
            object.__setattr__(self, "rows", np.arange(len(self.user)))

    def pick(self, places: IntArray) -> "Candidates":
        """The candidates of the queries at `places` only."""
        return Candidates(self.user[places], self.items[places], self.place[places], self.seed, self.rows[places])

    @cached_property
    def digest(self) -> str:
        """The sha256 of users, items and places: equal digests mean equal candidates."""
        parts = (np.ascontiguousarray(a, dtype="<i8").tobytes() for a in (self.user, self.items, self.place))
        return hashlib.sha256(b"|".join((str(self.items.shape).encode(), *parts))).hexdigest()


def published_candidates(queries: Queries, interactions: Interactions, seed: int, n: int = 20) -> Candidates:
    """Draw for each query one positive at a uniform place among n distinct uniform negatives.

    A negative is an item that the user consumes at no time. Users who leave fewer than n such items are left out.

    Args:
        queries: Queries with their targets.
        interactions: The whole log, with its held-out parts.
        seed: Seed of the draw.
        n: Negatives of a query.

    Returns:
        The candidates; `Candidates.rows` names the queries that are not left out.

    Raises:
        MmsrarecError: All users are left out, or a query has no target.
    """
    _require_targets(queries)
    rows = np.flatnonzero(enough_untouched(queries, interactions, n))
    if len(queries) and not len(rows):
        raise MmsrarecError(
            f"none of {len(queries)} users leaves {n} of {interactions.n_items} items untouched, which are wanted as "
            "negatives: set evaluate.negatives lower"
        )
    queries = queries.pick(rows)
    rng = np.random.default_rng(seed)
    place = rng.integers(n + 1, size=len(queries))
    items = np.empty((len(queries), n + 1), dtype=np.int64)
    for number, (user, target, history) in enumerate(zip(queries.user, queries.target, queries.history, strict=True)):
        touched = _touched(int(user), int(target), history, interactions)
        numbers = rng.choice(interactions.n_items - len(touched), n, replace=False)  # numbers of untouched items
        negatives = numbers + np.searchsorted(touched - np.arange(len(touched)), numbers, side="right")
        items[number] = np.insert(negatives, place[number], target)
    return Candidates(queries.user, items, place, seed, rows)


def enough_untouched(queries: Queries, interactions: Interactions, n: int) -> NDArray[np.bool_]:
    """The queries whose users leave enough items unconsumed for the published protocol.

    Args:
        queries: m queries with their targets.
        interactions: The whole log, with its held-out parts.
        n: Negatives of a query.

    Returns:
        (m,) mask.
    """
    parts = zip(queries.user, queries.target, queries.history, strict=True)
    n_items = interactions.n_items
    enough = (
        n_items - len(_touched(int(user), int(target), history, interactions)) >= n for user, target, history in parts
    )
    return np.fromiter(enough, dtype=bool, count=len(queries))


def _touched(user: int, target: int, history: IntArray, interactions: Interactions) -> IntArray:
    """The codes of the items that the user of a query consumes at any time, ascending; most leave most untouched."""
    own = interactions.items_of(user) if user >= 0 else history[:0]
    return np.unique(np.concatenate([history, own, [target]]))


def evaluate_published(scorer: Ranker, queries: Queries, candidates: Candidates) -> dict[str, FloatArray]:
    """Rank the candidates of the published protocol.

    Args:
        scorer: The ranker to evaluate.
        queries: The m queries of the candidates, `queries.pick(candidates.rows)`.
        candidates: The items to rank.

    Returns:
        HR@5, NDCG@5, MRR@5 and AUC, (m,) each.

    Raises:
        MmsrarecError: A score is not a number.
        ValueError: The queries are not those of the candidates.
    """
    if not np.array_equal(queries.user, candidates.user):
        raise ValueError("the candidates are of other queries: pick candidates.rows of those they were drawn for")
    queries = queries.naming(candidates.items)
    above, tied = np.zeros((2, len(queries)), dtype=np.int64)
    n_others = candidates.items.shape[1] - 1
    # rankers score the whole catalogue, of which candidates are part; its size is not known better here
    n_items = int(candidates.items.max(initial=0)) + 1
    for rows in _chunks(len(queries), n_items):
        scores = _scores(scorer, queries.pick(rows), candidates.items[rows], n_others + 1)
        place = candidates.place[rows, None]
        positive = np.take_along_axis(scores, place, axis=1)[:, 0]
        columns: IntArray = np.arange(int(n_others) + 1)
        above[rows], tied[rows] = count_competitors(positive, scores, columns != place)
    return measure(above, tied, n_others, PUBLISHED)


def evaluate_full(scorer: Ranker, queries: Queries, n_items: int, names: Sequence[str] = FULL) -> dict[str, FloatArray]:
    """Rank the target among all items that may be recommended.

    Args:
        scorer: The ranker to evaluate.
        queries: m queries of `Queries.rankable`.
        n_items: Number of items of the catalogue.
        names: Metrics of `metrics.measure`.

    Returns:
        Metric to (m,) values.

    Raises:
        MmsrarecError: A query has no target, or a score is not a number.
    """
    _require_targets(queries)
    above, tied = np.zeros((2, len(queries)), dtype=np.int64)
    for rows in _chunks(len(queries), n_items):
        part = queries.pick(rows)
        above[rows], tied[rows] = count_unseen(_scores(scorer, part, None, n_items), part)
    return measure(above, tied, n_items, names)


class CoverageRecorder:
    """A ranker that records which items it puts among the first `COVERAGE_DEPTH` of any user.

    Attributes:
        scorer: The ranker that is recorded while it ranks the whole catalogue.
        name: Its name.
        recommended: (n_items,) mask of the recorded items.
        seconds: Time that recording took.
    """

    def __init__(self, scorer: Ranker, n_items: int):
        self.scorer, self.name = scorer, scorer.name
        self.recommended = np.zeros(n_items, dtype=bool)
        self.seconds = 0.0

    def score(self, queries: Queries, candidates: IntArray | None) -> FloatArray:
        """Score as the ranker does, and record the first items where the whole catalogue is ranked."""
        scores = self.scorer.score(queries, candidates)
        start = time.perf_counter()
        if candidates is None:
            for row in mask_seen(scores, queries):
                top_items = np.argpartition(-row, min(COVERAGE_DEPTH, len(row)) - 1)[:COVERAGE_DEPTH]
                self.recommended[top_items[np.isfinite(row[top_items])]] = True
        self.seconds += time.perf_counter() - start
        return scores

    @property
    def coverage(self) -> float:
        """The share of the catalogue that was recommended."""
        return float(self.recommended.mean())


def count_unseen(scores: FloatArray, queries: Queries) -> tuple[IntArray, IntArray]:
    """Count the competitors of the targets among the items that may be recommended.

    Args:
        scores: (m, n_items) scores.
        queries: m queries of `Queries.rankable`.

    Returns:
        (m,) numbers of items above the target, and (m,) of items tied with it.

    Raises:
        ValueError: A target may not be recommended; only a ranker that filters nothing could hit it.
    """
    if len(queries.rankable) < len(queries):
        raise ValueError("a target that may not be recommended cannot be ranked: ask Queries.rankable")
    allowed = np.ones(scores.shape, dtype=bool)
    for row, excluded in zip(allowed, queries.excluded, strict=True):
        row[excluded] = False
    np.put_along_axis(allowed, queries.target[:, None], False, axis=1)  # the target does not compete with itself
    target = np.take_along_axis(scores, queries.target[:, None], axis=1)[:, 0]
    return count_competitors(target, scores, allowed)


def ndcg_of_lists(depth: int) -> Callable[[FloatArray, IntArray], float]:
    """The mean NDCG of lists as a function.

    Args:
        depth: Number of first places that count.

    Returns:
        A function from (m, c) scores and the (m,) columns of the targets to the mean NDCG.
    """

    def quality(scores: FloatArray, place: IntArray) -> float:
        target, others = np.take_along_axis(scores, place[:, None], axis=1), scores.shape[1] - 1
        columns: IntArray = np.arange(int(others) + 1)
        counts = count_competitors(target[:, 0], scores, columns != place[:, None])
        return float(measure(*counts, others, [f"NDCG@{depth}"])[f"NDCG@{depth}"].mean())

    return quality


def _chunks(n: int, n_items: int) -> Iterator[IntArray]:
    """The rows of n queries in parts that are scored at once, each over a catalogue of n_items."""
    step = rows_at_once(n_items, QUERIES_PER_CHUNK)
    return (np.arange(start, min(start + step, n)) for start in range(0, n, step))


def _scores(scorer: Ranker, queries: Queries, candidates: IntArray | None, width: int) -> FloatArray:
    """(m, width) scores, checked to be numbers of this shape."""
    scores = np.asarray(scorer.score(queries, candidates))
    if scores.shape != (len(queries), width):
        raise ValueError(f"{scorer.name}: scores have the shape {scores.shape}, not {(len(queries), width)}")
    if n_nan := int(np.isnan(scores).sum()):
        raise MmsrarecError(
            f"{scorer.name} gave {n_nan} scores that are not a number: retrain it or lower its step size"
        )
    return scores


def _require_targets(queries: Queries) -> None:
    """Raise MmsrarecError where a query has no target."""
    if (queries.target < 0).any():
        raise MmsrarecError("a query without a known target cannot be evaluated: give queries of a split")
