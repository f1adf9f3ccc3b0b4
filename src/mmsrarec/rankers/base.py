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


class CandidateGenerator(Ranker, Protocol):
    """A ranker that declares what it can rank, so that others can be ranked beside it."""

    @property
    def logits(self) -> bool:
        """Whether scores are logits of a softmax over the catalogue, which is a probability of each item."""
        ...

    @property
    def known(self) -> NDArray[np.bool_] | None:
        """(n_items,) mask of the items that it can rank, by number; of items beyond it, it knows nothing.

        None: it ranks whatever it is asked about.
        """
        ...


class RanksEverything:
    """Declares that a ranker ranks whatever it is asked about, by scores that are no logits."""

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
    mask = generator.known
    known = np.full(n_items, mask is None)
    if mask is not None:
        known[: len(mask)] = mask[:n_items]
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


def places(generator: CandidateGenerator, queries: Queries) -> FloatArray:
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
