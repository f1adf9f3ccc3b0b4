"""The items of similar users whose keywords count in a prompt, with the users behind them.

They are kept as arrays, because there are thousands at a query. What is seldom asked, the users behind each item or
keyword, is worked out when it is asked.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, overload

import numpy as np
from numpy.typing import NDArray

from mmsrarec.data.dataset import FloatArray, IntArray
from mmsrarec.retrieve.collaborative_context import Votes


class Vote(NamedTuple):
    """An item of similar users, whose keywords count in the prompt.

    Attributes:
        item: Code of the item.
        weight: Summed weight of the votes for it; 0 for an item that counts for the number of users only.
        people: Numbers of the users behind it. They mean nothing outside the query.
    """

    item: int
    weight: float
    people: frozenset[int]


@dataclass(frozen=True, eq=False)
class ItemVotes(Sequence[Vote]):
    """A sequence of votes: the weighted items, the heaviest first, then the other items of the same users.

    Attributes:
        codes: (n,) codes of the items that weigh.
        weights: (n,) weights above 0.
        item: (e,) item codes: one for each time that a user consumed an item.
        person: (e,) codes of these users.
    """

    codes: IntArray
    weights: FloatArray
    item: IntArray | NDArray[np.int32]
    person: IntArray | NDArray[np.int32]

    @classmethod
    def of(cls, votes: Sequence[Vote]) -> "ItemVotes":
        """The votes as arrays."""
        if isinstance(votes, ItemVotes):
            return votes
        weighted = [vote for vote in votes if vote.weight > 0]
        pairs = [(vote.item, person) for vote in votes for person in sorted(vote.people)]
        return cls(
            np.array([vote.item for vote in weighted], dtype=np.int64),
            np.array([vote.weight for vote in weighted], dtype=np.float64),
            *np.array(pairs, dtype=np.int64).reshape(-1, 2).T,
        )

    @classmethod
    def from_sources(cls, ranked: Sequence[tuple[int, float]], sources: Sequence[Votes]) -> "ItemVotes":
        """The ranked items, and all that the users of several sources consumed.

        Args:
            ranked: The (code, weight) of each item that weighs, the heaviest first.
            sources: Votes whose users count.
        """
        codes, weights = np.array(ranked, dtype=np.float64).reshape(-1, 2).T
        # four bytes each: there are tens of thousands at a query, and a batch of contexts holds all of them
        item, person = (
            np.concatenate([getattr(votes, name) for votes in sources]).astype(np.int32) for name in ("item", "person")
        )
        return cls(codes.astype(np.int64), weights, item, person)

    @cached_property
    def votes(self) -> tuple[Vote, ...]:
        """The votes one by one. The users are numbered in the order in which they come."""
        numbers = {person: number for number, person in enumerate(dict.fromkeys(self.person.tolist()))}
        people: dict[int, set[int]] = {code: set() for code in self.codes.tolist()}
        for code, person in zip(self.item.tolist(), self.person.tolist(), strict=True):
            people.setdefault(code, set()).add(numbers[person])
        weights = dict(zip(self.codes.tolist(), self.weights.tolist(), strict=True))
        return tuple(Vote(code, weights.get(code, 0.0), frozenset(members)) for code, members in people.items())

    def people_behind(self, codes: IntArray) -> int:
        """The number of distinct users who consumed any of the items.

        Args:
            codes: (c,) item codes.
        """
        is_counted = np.zeros(1 + max(int(self.item.max(initial=0)), int(codes.max(initial=0))), dtype=bool)
        is_counted[codes] = True
        return len(np.unique(self.person[is_counted[self.item]]))

    @overload
    def __getitem__(self, index: int) -> Vote: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Vote]: ...
    def __getitem__(self, index: int | slice) -> Vote | Sequence[Vote]:
        return self.votes[index]

    def __len__(self) -> int:
        return len(self.votes)

    def __iter__(self) -> Iterator[Vote]:
        return iter(self.votes)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and self.votes == tuple(other)  # pyright: ignore[reportUnknownArgumentType]

    def __hash__(self) -> int:
        return hash(self.votes)
