"""What every ranker offers, and what is read off its scores: what it knows, what a user may be recommended, places."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from mmsrarec.data.dataset import FloatArray, IntArray
from mmsrarec.data.splits import Queries


class Ranker(Protocol):
    """Whatever ranks. A score may depend on the query and the item, never on the other candidates or queries."""

    @property
    def name(self) -> str: ...

    def score(self, queries: Queries, candidates: IntArray | None) -> FloatArray:
        """Higher is better. candidates: (m, c) item codes -> (m, c); None: every item -> (m, n_items)."""
        ...


def known_items(generator: Ranker, n_items: int) -> NDArray[np.bool_]:
    """(n_items,): the items of which a generator can say anything.

    A generator tells it by its attribute `known`, a mask over the first items of the catalogue: what its own training
    saw taken, or what it can rank by what an item is. Beyond the mask it knows nothing, whatever the log says since.
    A generator without the attribute can rank everything.
    """
    told = getattr(generator, "known", None)
    known = np.full(n_items, told is None)
    if told is not None:
        known[: len(told)] = told[:n_items]
    return known


def unseen(generator: Ranker, queries: Queries) -> FloatArray:
    """(m, n_items) float64 scores of a generator, -inf for what may not be recommended."""
    return mask_seen(generator.score(queries, None), queries)


def mask_seen(scores: FloatArray, queries: Queries) -> FloatArray:
    """(m, n_items): the scores as float64, -inf for what may not be recommended (`Queries.excluded`) and where there is
    none (NaN)."""
    found = np.array(scores, dtype=np.float64)
    found[np.isnan(found)] = -np.inf
    for row, excluded in zip(found, queries.excluded, strict=True):
        row[excluded] = -np.inf
    return found


def places(generator: Ranker, queries: Queries) -> FloatArray:
    """(m, n_items): each item's place by a generator among those that it knows (`known_items`), NaN for all others.

    1 is the best, tied items have their mean, and what may not be recommended is last.
    """
    scores = np.asarray(generator.score(queries, None))
    told = known_items(generator, scores.shape[1]) & ~np.isnan(scores)
    found = mask_seen(scores, queries)
    for row, known in zip(found, told, strict=True):
        _, where, count = np.unique(-row[known], return_inverse=True, return_counts=True)
        row[known] = (np.cumsum(count) - (count - 1) / 2)[where.ravel()]
        row[~known] = np.nan
    return found


def ordered(scores: FloatArray) -> tuple[IntArray, FloatArray]:
    """(m, items) codes, the highest score first, and each item's rank, from 0; equals: the lower code."""
    order, ranks = np.argsort(-scores, axis=1, kind="stable"), np.empty_like(scores)
    np.put_along_axis(ranks, order, np.arange(scores.shape[1], dtype=scores.dtype)[None], axis=1)
    return order, ranks
