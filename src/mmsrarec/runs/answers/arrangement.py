"""Rules for the order of an answer beside the scores: pinned items, boosts, a cap for each category, variants."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mmsrarec.data.dataset import FloatArray, IntArray

POOL = 3
"""Candidates for each item of an answer from which some may be left out."""


@dataclass(frozen=True, eq=False)
class Arrangement:
    """Rules for the order of one answer. Scores of items do not depend on it, but for the boosts.

    Attributes:
        pinned: Codes of items that stand first, in this order, whatever their scores are.
        boosts: Log-odds that items gain or lose, by code.
        max_per_group: Items of one group, at most; None: any number.
        groups: (items,) the group of each item, such as its first category; -1 for none, which has no limit.
        products: (items,) the product of each item, of which one variant is named; None: all are.
    """

    pinned: tuple[int, ...] = ()
    boosts: Mapping[int, float] = field(default_factory=dict[int, float])
    max_per_group: int | None = None
    groups: IntArray | None = None
    products: IntArray | None = None

    def pool(self, k: int) -> int:
        """How many candidates are needed for k items."""
        return k * POOL if self.max_per_group is not None or self.products is not None else k

    def joined(self, proposed: IntArray, may: NDArray[np.bool_]) -> IntArray:
        """The (n,) proposed candidates, with the items that the rules name.

        Args:
            proposed: (n,) codes.
            may: (items,) what may be recommended.
        """
        boosted = [code for code, gain in self.boosts.items() if gain > 0 and may[code]]
        named = [code for code in dict.fromkeys([*self.pinned, *boosted]) if code not in set(proposed.tolist())]
        return np.concatenate([proposed, np.array(named, dtype=np.int64)])

    def boosted(self, codes: IntArray, scores: FloatArray) -> FloatArray:
        """(m, c) scores of (m, c) candidates, with the boosts of their items."""
        gains = [self.boosts.get(code, 0.0) for code in codes.ravel().tolist()]
        return scores + np.array(gains).reshape(codes.shape)

    def best(self, codes: IntArray, scores: FloatArray, k: int) -> IntArray:
        """The places of the k best candidates, in order.

        Args:
            codes: (c,) candidates.
            scores: (c,) their scores.
            k: How many.
        """
        place_of: dict[int, int] = {code: place for place, code in enumerate(codes.tolist())}
        pinned = [place_of[code] for code in self.pinned]
        by_score: list[int] = np.argsort(-scores, kind="stable").tolist()
        chosen: list[int] = []
        n_of_group: Counter[int] = Counter()
        products: set[int] = set()
        for place in dict.fromkeys([*pinned, *by_score]):
            code, is_pinned = int(codes[place]), place in pinned
            group = -1 if self.groups is None else int(self.groups[code])
            product = None if self.products is None else int(self.products[code])
            full = self.max_per_group is not None and group >= 0 and n_of_group[group] >= self.max_per_group
            if not is_pinned and (full or product in products):
                continue
            chosen.append(place)
            n_of_group[group] += 1
            if product is not None:
                products.add(product)
            if len(chosen) == k:
                break
        return np.array(chosen, dtype=np.int64)


NO_RULES = Arrangement()
"""The order of the scores."""


def numbered(labels: Sequence[str | None]) -> IntArray:
    """(n,) the number of each label; -1 for none."""
    numbers: dict[str, int] = {}
    return np.array(
        [-1 if label is None else numbers.setdefault(label, len(numbers)) for label in labels], dtype=np.int64
    )
