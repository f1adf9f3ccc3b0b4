"""The interface of every ranker, and what is read off its scores: known items, allowed items, places."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from mmsrarec.data.dataset import FloatArray, IntArray
from mmsrarec.data.splits import Queries


class Ranker(Protocol):
    """Ranks items. A score may depend on the query and the item, never on the other candidates or queries."""

    @property
    def name(self) -> str:
        """The row's name."""
        ...

    def score(self, queries: Queries, candidates: IntArray | None) -> FloatArray:
        """Score items for each query; higher is better.

        Args:
            queries: m queries.
            candidates: (m, c) item codes; None: every item.

        Returns:
            (m, c) scores, or (m, n_items).
        """
        ...


class CandidateGenerator(Ranker, Protocol):
    """A ranker that declares what it can rank, so that others can be ranked beside it."""

    @property
    def logits(self) -> bool:
        """Whether scores are logits of a softmax over the catalogue, which is a probability of each item."""
        ...

    @property
    def known(self) -> NDArray[np.bool_] | None:
        """(n_items,) mask of the items that it can rank, by number; of items beyond it, it knows nothing.

        None: it ranks every item.
        """
        ...


class RanksEverything:
    """Declares that a ranker ranks every item, by scores that are no logits."""

    @property
    def known(self) -> NDArray[np.bool_] | None:
        """None: see `CandidateGenerator`."""
        return None

    @property
    def logits(self) -> bool:
        """See `CandidateGenerator`."""
        return False


def known_items(generator: CandidateGenerator, n_items: int) -> NDArray[np.bool_]:
    """The items that a generator can rank.

    Args:
        generator: Declares its items by `known`, whatever the log says since it was fitted.
        n_items: Size of the catalogue now.

    Returns:
        (n_items,) mask.
    """
    own = generator.known
    mask = np.full(n_items, own is None)
    if own is not None:
        mask[: len(own)] = own[:n_items]
    return mask


def n_trained_items(generator: CandidateGenerator, n_items: int) -> int:
    """How many items a generator was trained on, which come first; the others joined later, known by content.

    Args:
        generator: Declares the number by `n_trained` where items may join it.
        n_items: Size of the catalogue now.
    """
    return int(getattr(generator, "n_trained", n_items))


def unseen(generator: Ranker, queries: Queries) -> FloatArray:
    """(m, n_items) float64 scores of a generator, -inf for what may not be recommended."""
    return mask_seen(generator.score(queries, None), queries)


def mask_seen(scores: FloatArray, queries: Queries) -> FloatArray:
    """Give -inf to what may not be recommended, and to what has no score (NaN).

    Args:
        scores: (m, n_items) scores.
        queries: m queries, whose `excluded` may not be recommended.

    Returns:
        (m, n_items) float64.
    """
    masked = np.array(scores, dtype=np.float64)
    masked[np.isnan(masked)] = -np.inf
    for row, excluded in zip(masked, queries.excluded, strict=True):
        row[excluded] = -np.inf
    return masked


def first_items(scores: FloatArray, n: int) -> IntArray:
    """The first n items of an order, without the order of all others.

    Args:
        scores: (m, n_items), without NaN.
        n: How many; all, where there are fewer.

    Returns:
        (m, n) item codes, the highest score first and of equals the lower code, as `ordered` has them.
    """
    n_items = scores.shape[1]
    n = min(n, n_items)
    codes_of_row = np.empty((len(scores), n), dtype=np.int64)
    for row, own in enumerate(scores if n else scores[:0]):
        # scores are dealt into groups: n of the groups' maxima reach the n-th largest of them, so n scores do
        size = max(1, min(64, n_items // (2 * n)))
        n_groups = n_items // size
        maxima = own[: size * n_groups].reshape(size, n_groups).max(axis=0)
        least = np.partition(maxima, n_groups - n)[n_groups - n]
        codes = np.flatnonzero(own > least)
        if len(codes) < n:
            codes = np.concatenate([codes, np.flatnonzero(own == least)[: n - len(codes)]])
        codes_of_row[row] = codes[np.lexsort((codes, -own[codes]))[:n]]
    return codes_of_row


def places(generator: CandidateGenerator, queries: Queries) -> FloatArray:
    """The place of each item by a generator.

    Args:
        generator: Ranks those of its `known_items` that it gives a score.
        queries: m queries.

    Returns:
        (m, n_items) places: 1 is the best, tied items have their mean, what may not be recommended is last, and an item
        that the generator does not rank has NaN.
    """
    scores = np.asarray(generator.score(queries, None))
    has_score = known_items(generator, scores.shape[1]) & ~np.isnan(scores)
    item_places = mask_seen(scores, queries)
    for row, mask in zip(item_places, has_score, strict=True):
        row[mask] = _mean_places(row[mask])
        row[~mask] = np.nan
    return item_places


def _mean_places(scores: FloatArray) -> FloatArray:
    """The place of each of (n,) scores, from 1; equal ones have their mean. Scores of 0, often most, are not sorted."""
    rest = scores != 0
    _, where, count = np.unique(-scores[rest], return_inverse=True, return_counts=True)
    own = (np.cumsum(count) - (count - 1) / 2)[where.ravel()]
    n_zero, n_above = len(scores) - len(own), int(np.count_nonzero(scores > 0))
    mean_places = np.full(len(scores), n_above + (n_zero + 1) / 2)
    mean_places[rest] = own + np.where(scores[rest] < 0, n_zero, 0)
    return mean_places


def ordered(scores: FloatArray) -> tuple[IntArray, FloatArray]:
    """Order items by their scores.

    Args:
        scores: (m, n_items).

    Returns:
        (m, n_items) item codes, the highest score first and of equals the lower code, and (m, n_items) the rank of each
        item, from 0.
    """
    order, ranks = np.argsort(-scores, axis=1, kind="stable"), np.empty_like(scores)
    np.put_along_axis(ranks, order, np.arange(scores.shape[1], dtype=scores.dtype)[None], axis=1)
    return order, ranks
