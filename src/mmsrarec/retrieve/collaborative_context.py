"""The collaborative context: what a query's neighbours consumed next, as items and as keywords (stage 2)."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import log
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from mmsrarec.data.dataset import FloatArray, IntArray, Interactions
from mmsrarec.data.splits import Queries
from mmsrarec.retrieve.neighbours import NeighbourLists, Neighbours, query_times
from mmsrarec.retrieve.search.nearest_search import Float32Array

SHARPNESS = 4
"""Power of a neighbour's cosine in the weight of its votes: among many neighbours, the nearest still weigh most
[extension]."""

MAX_NEXT_ITEMS_HELD = 4_000_000
"""Next items of neighbours held at once: 32 MB."""


class HasKeywords(Protocol):
    """What is needed of stage 1's result."""

    def united(self, code: int) -> tuple[str, ...]:
        """All keywords of an item."""
        ...


@dataclass(frozen=True, eq=False)
class Votes:
    """What users consumed next, an entry for every interaction.

    Attributes:
        item: (n,) item codes.
        weight: (n,) weights above 0.
        person: (n,) user codes.
    """

    item: IntArray
    weight: FloatArray
    person: IntArray

    @classmethod
    def none(cls) -> "Votes":
        """No votes."""
        return cls(np.zeros(0, dtype=np.int64), np.zeros(0), np.zeros(0, dtype=np.int64))

    @classmethod
    def of(cls, items: IntArray, similarity: FloatArray, users: IntArray) -> "Votes":
        """The votes of k neighbours; entries without weight are left out.

        Args:
            items: (k, n_next) item codes from `next_items`.
            similarity: (k,) cosines.
            users: (k,) user codes.
        """
        weight = item_weights(items, similarity).ravel()
        voted = np.flatnonzero(weight > 0)
        return cls(items.ravel()[voted], weight[voted], np.repeat(users, items.shape[1])[voted])

    @classmethod
    def after(
        cls,
        rows: IntArray,
        users: IntArray,
        similarity: Float32Array,
        train: Interactions,
        time: int,
        n_next: int,
    ) -> "Votes":
        """The votes of k neighbours for what each consumed from its row on: those of `next_items`, without its table.

        Args:
            rows: (k,) row numbers, the most similar first; -1 where there is no neighbour.
            users: (k,) user codes.
            similarity: (k,) cosines.
            train: Training interactions.
            time: Seconds since 1970; interactions strictly before it count.
            n_next: Next items of a neighbour.
        """
        k = int(np.count_nonzero((similarity > 0) & (rows >= 0)))
        rows, users = rows[:k], users[:k]
        n_items = np.minimum(train.offsets[users + 1] - rows, n_next)
        begins = np.cumsum(n_items) - n_items
        places = np.arange(int(n_items.sum())) + np.repeat(rows - begins, n_items)
        past = np.flatnonzero(train.time[places] < time)
        places, neighbour = places[past], np.repeat(np.arange(k), n_items)[past]
        near = similarity[:k].astype(np.float64) ** SHARPNESS
        return cls(train.item[places], near[neighbour] / (places - rows[neighbour] + 1), users[neighbour])

    def joined(self, other: "Votes") -> "Votes":
        """The votes of two sources together; each source weighs 1 in all."""
        sources = [votes for votes in (self, other) if len(votes.item)]
        if not sources:
            return self
        weight = np.concatenate([votes.weight / votes.weight.sum() for votes in sources])
        item, person = (np.concatenate([getattr(votes, name) for votes in sources]) for name in ("item", "person"))
        return Votes(item, weight, person)

    def ranked(self, history: IntArray) -> list[tuple[int, float]]:
        """The (code, weight) of each item outside the history, the heaviest first; among equals, the first met."""
        codes, first, place = np.unique(self.item, return_index=True, return_inverse=True)
        weight = np.bincount(place, self.weight, len(codes))
        order = np.lexsort((first, -weight))
        order = order[~np.isin(codes[order], history)]
        return list(zip(codes[order].tolist(), weight[order].tolist(), strict=True))

    def people(self, codes: IntArray) -> IntArray:
        """(c,) numbers of distinct users who consumed each of (c,) items."""
        return count_people((self,), codes)


def count_people(sources: Sequence[Votes], codes: IntArray) -> IntArray:
    """Count the distinct users who consumed items, by several sources of votes together.

    Args:
        sources: The votes of each source.
        codes: (c,) item codes; nobody consumed an unknown item, -1.

    Returns:
        (c,) numbers of users.
    """
    codes = np.asarray(codes, dtype=np.int64)
    size = 1 + max(int(codes.max(initial=-1)), *(int(votes.item.max(initial=-1)) for votes in sources))
    is_counted = np.zeros(size + 1, dtype=bool)  # the last place is that of -1
    is_counted[codes] = True
    chosen = [(votes, np.flatnonzero(is_counted[votes.item])) for votes in sources]
    item, person = (
        np.concatenate([getattr(votes, name)[rows] for votes, rows in chosen]) for name in ("item", "person")
    )
    n_users = int(person.max(initial=0)) + 1
    pairs = np.unique(item * n_users + person)
    return np.where(codes >= 0, np.bincount(pairs // n_users, minlength=size + 1)[codes], 0)


def share_levels(votes: Votes, candidates: IntArray, shares: Sequence[float]) -> IntArray:
    """Rate candidates by their votes.

    Args:
        votes: The votes of one query.
        candidates: (c,) item codes.
        shares: Ascending lower bounds of the levels from 2 on, as shares of the heaviest item's weight.

    Returns:
        (c,) levels: 0 without votes, else 1 plus the number of bounds that the candidate's weight reaches.
    """
    weight = np.bincount(votes.item, votes.weight, int(candidates.max(initial=0)) + 1)
    share = weight[candidates] / max(float(weight.max()), 1e-12)
    return np.where(share > 0, 1 + np.searchsorted(shares, share, side="right"), 0)


def blocks(queries: int, next_items_per_query: int) -> Iterator[IntArray]:
    """Yield numbers of queries in blocks whose next items fit in MAX_NEXT_ITEMS_HELD.

    Args:
        queries: How many queries there are.
        next_items_per_query: Neighbours of a query times next items of a neighbour.
    """
    size = max(1, MAX_NEXT_ITEMS_HELD // next_items_per_query)
    for begin in range(0, queries, size):
        yield np.arange(begin, min(begin + size, queries))


def voting_neighbours(
    neighbours: Neighbours, train: Interactions, queries: Queries, k: int, n_next: int
) -> Iterator[tuple[IntArray, Queries, NeighbourLists, IntArray]]:
    """Yield what the k nearest users of each query consumed next, in blocks of queries.

    Args:
        neighbours: The index of `train`.
        train: Training interactions.
        queries: Queries, each with a time.
        k: Neighbours of a query.
        n_next: Next items of a neighbour.

    Yields:
        The (m,) numbers of the block's queries, these queries, their neighbours, and (m, k, n_next) codes from
        `next_items`.

    Raises:
        MmsrarecError: If a query has no time.
    """
    for numbers in blocks(len(queries), k * n_next):
        block = queries.pick(numbers)
        neighbour_lists = neighbours.find(block, k)
        yield numbers, block, neighbour_lists, next_items(neighbour_lists, train, block, n_next)


def next_items(neighbour_lists: NeighbourLists, train: Interactions, queries: Queries, n_next: int) -> IntArray:
    """The items that each neighbour consumed from its row on.

    Only interactions strictly before the query count: a neighbour's later interactions are the future.

    Args:
        neighbour_lists: (m, k) neighbours of the queries.
        train: Training interactions.
        queries: m queries, each with a time.
        n_next: Items of a neighbour.

    Returns:
        (m, k, n_next) item codes in the order of consumption; -1 where there is none.

    Raises:
        MmsrarecError: If a query has no time.
    """
    items = np.empty((*neighbour_lists.row.shape, n_next), dtype=np.int64)
    pairs = zip(neighbour_lists.row, neighbour_lists.user, query_times(queries).tolist(), strict=True)
    for number, (rows, users, time) in enumerate(pairs):
        items[number] = next_items_at(rows, users, train, time, n_next)
    return items


def next_items_at(rows: IntArray, users: IntArray, train: Interactions, time: int, n_next: int) -> IntArray:
    """The items that each neighbour of one query consumed from its row on, strictly before the query.

    Args:
        rows: (k,) row numbers of the neighbours; -1 where there is none.
        users: (k,) user codes of the neighbours.
        train: Training interactions.
        time: Seconds since 1970.
        n_next: Items of a neighbour.

    Returns:
        (k, n_next) item codes in the order of consumption; -1 where there is none.
    """
    places = rows[:, None] + np.arange(n_next)
    ends = np.where(rows >= 0, train.offsets[users + 1], -1)
    own = places < ends[:, None]
    np.minimum(places, len(train) - 1, out=places)
    return np.where(own & (train.time[places] < time), train.item[places], -1)


def item_weights(items: IntArray, similarity: FloatArray) -> FloatArray:
    """Weigh each next item: its neighbour's cosine to the power of SHARPNESS, divided by the step (1, 2, 3, ...).

    Args:
        items: (..., k, n_next) item codes; -1 where there is none.
        similarity: (..., k) cosines.

    Returns:
        (..., k, n_next) weights; 0 where there is no item, or where the cosine is below 0.
    """
    near: NDArray[np.float64] = np.maximum(np.asarray(similarity, dtype=np.float64), 0)[..., None] ** SHARPNESS
    n_next = int(items.shape[-1])
    return np.where(items >= 0, near / np.arange(1, n_next + 1), 0.0)


def rarity(keywords: HasKeywords, n_items: int) -> dict[str, float]:
    """Each keyword's inverse document frequency over the catalogue, log((1 + n_items) / (1 + items with it)) + 1."""
    item_counts = Counter(word for code in range(n_items) for word in set(keywords.united(code)))
    return {word: log((1 + n_items) / (1 + count)) + 1 for word, count in item_counts.items()}


def weigh_keywords(
    items: Iterable[tuple[int, float]],
    keywords_of: Callable[[int], Sequence[str]],
    rare: Mapping[str, float] | None = None,
) -> list[str]:
    """Rank the keywords of weighted items.

    A keyword weighs the sum of its items' weights, times its rarity. Equally weighty ones keep the order in which they
    are met.

    Args:
        items: (code, weight) pairs.
        keywords_of: The keywords of an item code.
        rare: The rarity of each keyword, as from `rarity`; None: all are equally rare.

    Returns:
        The distinct keywords, the weightiest first.
    """
    weights: dict[str, float] = {}
    for code, weight in items:
        for word in dict.fromkeys(keywords_of(code)):
            weights[word] = weights.get(word, 0.0) + weight
    if rare is not None:
        weights = {word: weight * rare.get(word, 1.0) for word, weight in weights.items()}
    return sorted(weights, key=lambda word: -weights[word])  # sorted is stable
