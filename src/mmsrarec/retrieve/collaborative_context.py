"""The collaborative context: what a query's neighbours took next, as items and as keywords (stage 2)."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import log
from typing import Protocol

import numpy as np

from mmsrarec.data.dataset import FloatArray, IntArray, Interactions
from mmsrarec.data.splits import Queries
from mmsrarec.retrieve.neighbours import NeighbourLists, Neighbours, query_times

SHARPNESS = 4
"""Power of a neighbour's cosine: a voting neighbours may be large, and those who are most alike still speak loudest
[extension]."""

MAX_NEXT_ITEMS_HELD = 4_000_000
"""Items that neighbours took next, held at once: 32 MB."""


class HasKeywords(Protocol):
    """What is asked of stage 1's result."""

    def united(self, code: int) -> tuple[str, ...]: ...


@dataclass(frozen=True, eq=False)
class Votes:
    """What people took next, an entry for every taking: item (n,) codes, weight (n,), person (n,) user codes."""

    item: IntArray
    weight: FloatArray
    person: IntArray

    @classmethod
    def none(cls) -> "Votes":
        return cls(np.zeros(0, dtype=np.int64), np.zeros(0), np.zeros(0, dtype=np.int64))

    @classmethod
    def of(cls, items: IntArray, similarity: FloatArray, users: IntArray) -> "Votes":
        """items: (k, n_next) from `next_items`, similarity and users: (k,). What weighs nothing is left out."""
        weight = item_weights(items, similarity).ravel()
        real = weight > 0
        return cls(items.ravel()[real], weight[real], np.repeat(users, items.shape[1])[real])

    def joined(self, other: "Votes") -> "Votes":
        """Two sources as one, each weighing 1 in all."""
        parts = [one for one in (self, other) if len(one.item)]
        if not parts:
            return self
        weight = np.concatenate([one.weight / one.weight.sum() for one in parts])
        item, person = (np.concatenate([getattr(one, name) for one in parts]) for name in ("item", "person"))
        return Votes(item, weight, person)

    def ranked(self, history: IntArray) -> list[tuple[int, float]]:
        """(code, weight) of each item that is none of the history, the heaviest first; equals: the first met."""
        codes, first, place = np.unique(self.item, return_index=True, return_inverse=True)
        weight = np.bincount(place, self.weight, len(codes))
        order = np.lexsort((first, -weight))
        order = order[~np.isin(codes[order], history)]
        return list(zip(codes[order].tolist(), weight[order].tolist(), strict=True))

    def people(self, codes: IntArray) -> IntArray:
        """(c,): distinct people who took each."""
        _, first = np.unique(self.item * (self.person.max(initial=0) + 1) + self.person, return_index=True)
        return (self.item[first] == np.asarray(codes)[:, None]).sum(axis=1)


def share_levels(votes: Votes, candidates: IntArray, shares: Sequence[float]) -> IntArray:
    """(c,) item codes -> (c,) levels: 0 for what nobody took, else 1 + how many of the shares its weight reaches, as a
    share of the heaviest item's."""
    per_item = np.bincount(votes.item, votes.weight, int(candidates.max(initial=0)) + 1)
    share = per_item[candidates] / max(float(per_item.max()), 1e-12)
    return np.where(share > 0, 1 + np.searchsorted(shares, share, side="right"), 0)


def blocks(queries: int, takings: int) -> Iterator[IntArray]:
    """Numbers of queries, few enough at a time that what a voting neighbours took next, so many `takings` a query,
    fits."""
    size = max(1, MAX_NEXT_ITEMS_HELD // takings)
    for begin in range(0, queries, size):
        yield np.arange(begin, min(begin + size, queries))


def voting_neighbours(
    neighbours: Neighbours, train: Interactions, queries: Queries, k: int, n_next: int
) -> Iterator[tuple[IntArray, Queries, NeighbourLists, IntArray]]:
    """What the k nearest of each query took next, few queries at a time: their numbers, the queries, who is nearest,
    and (m, k, n_next) codes as `next_items` gives them."""
    for these in blocks(len(queries), k * n_next):
        asked = queries.pick(these)
        found = neighbours.find(asked, k)
        yield these, asked, found, next_items(found, train, asked, n_next)


def next_items(found: NeighbourLists, train: Interactions, queries: Queries, n_next: int) -> IntArray:
    """(m, k, n_next) codes of the items each neighbour took from its row on, in order; -1 where there is none.

    Only interactions strictly before the query count: a neighbour's later interactions are the future.
    """
    time = query_times(queries)[:, None, None]
    rows = found.row[:, :, None] + np.arange(n_next)
    inside = np.minimum(rows, len(train) - 1)
    real = (found.row[:, :, None] >= 0) & (rows < len(train))
    real &= (train.user[inside] == found.user[:, :, None]) & (train.time[inside] < time)
    return np.where(real, train.item[inside], -1)


def item_weights(items: IntArray, similarity: FloatArray) -> FloatArray:
    """(..., k, n_next): how much each item speaks: its neighbour's cosine to the power of SHARPNESS, divided by the
    step (1, 2, 3, ...).

    Nothing where there is no item, or where the neighbour is unlike the user (a cosine below 0).
    """
    near = np.maximum(np.asarray(similarity, dtype=np.float64), 0)[..., None] ** SHARPNESS
    return np.where(items >= 0, near / np.arange(1, items.shape[-1] + 1), 0.0)


def rarity(keywords: HasKeywords, n_items: int) -> dict[str, float]:
    """Each keyword's inverse document frequency over the catalogue, log((1 + n_items) / (1 + items with it)) + 1."""
    seen = Counter(word for code in range(n_items) for word in set(keywords.united(code)))
    return {word: log((1 + n_items) / (1 + count)) + 1 for word, count in seen.items()}


def weigh_keywords(
    items: Iterable[tuple[int, float]],
    keywords_of: Callable[[int], Sequence[str]],
    rare: Mapping[str, float] | None = None,
) -> list[str]:
    """The keywords of weighted items (code, weight), the weightiest first, each once.

    A keyword weighs the sum of its items' weights, times `rare` (see `rarity`; None: all keywords are equally rare).
    Equally weighty ones keep the order in which they are met.
    """
    weights: dict[str, float] = {}
    for code, weight in items:
        for word in dict.fromkeys(keywords_of(code)):
            weights[word] = weights.get(word, 0.0) + weight
    if rare is not None:
        weights = {word: weight * rare.get(word, 1.0) for word, weight in weights.items()}
    return sorted(weights, key=lambda word: -weights[word])  # sorted is stable
