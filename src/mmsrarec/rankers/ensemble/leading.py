"""The first items of a ranker, found without an order of the whole catalogue where the ranker knows a way."""

from collections.abc import Callable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from typing_extensions import TypeIs

from mmsrarec.data.dataset import IntArray
from mmsrarec.data.splits import Queries
from mmsrarec.rankers.base import Ranker, first_items, unseen

MORE = 64
"""Items beside those wanted that are asked for at first, as some of them are left out."""


class Leads(Protocol):
    """A ranker that finds its first items faster than by ordering all its scores."""

    def leading(self, queries: Queries, n: int) -> IntArray:
        """(m, n) codes of the first items of m queries, as `base.ordered` has them; all, where there are fewer."""
        ...


def leads(ranker: object) -> TypeIs[Leads]:
    """Whether a ranker finds its first items by itself."""
    return hasattr(ranker, "leading")


def proposals(generator: Ranker, queries: Queries, n: int) -> IntArray:
    """The first items of a generator that may be recommended.

    Args:
        generator: Ranks the whole catalogue.
        queries: m queries, whose `excluded` are left out.
        n: How many; all, where there are fewer.

    Returns:
        (m, n) item codes, as `base.ordered` has those of `base.unseen`. What is left out stands last; it is proposed
        only where less than n may be recommended.
    """
    if not leads(generator):
        return first_items(unseen(generator, queries), n)
    excluded = queries.excluded
    return first_allowed(generator, queries, n, lambda row, codes: ~np.isin(codes, excluded[row]))


def first_allowed(
    generator: Leads, queries: Queries, n: int, may: Callable[[int, IntArray], NDArray[np.bool_]]
) -> IntArray:
    """The first items of a generator that are not left out.

    Args:
        generator: Finds its first items.
        queries: m queries.
        n: How many; all, where there are fewer.
        may: Which of (c,) codes are not left out at a query, by its number.

    Returns:
        (m, n) item codes. What is left out stands last, by code.
    """
    reach = n + MORE
    while True:
        codes = generator.leading(queries, reach)
        is_all = codes.shape[1] < reach
        remaining = [_kept_first(own, may(row, own), is_all) for row, own in enumerate(codes)]
        if is_all or all(len(own) >= n for own in remaining):
            n = min(n, codes.shape[1])
            return np.array([own[:n] for own in remaining], dtype=np.int64).reshape(len(queries), n)
        reach *= 4


def _kept_first(codes: IntArray, keep: NDArray[np.bool_], is_all: bool) -> IntArray:
    """The codes that are kept, and behind those of a whole catalogue the others, ascending."""
    return np.concatenate([codes[keep], np.sort(codes[~keep])]) if is_all else codes[keep]
