"""Sequential rules: who consumed this consumed that soon after. They are counted, not trained."""

from typing import Any, ClassVar, cast

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from mmsrarec.data.dataset import FloatArray, IntArray, Interactions
from mmsrarec.data.splits import Queries
from mmsrarec.rankers.interaction_matrix import block_ends
from mmsrarec.rankers.ranker_base import RankerBase, RankerSettings
from mmsrarec.retrieve.sequence_copies import code_type

MAX_PAIRS_HELD = 2_000_000
"""Pairs of items, window steps apart at most, that are counted together, about."""
MAX_ITEMS_UNCUT = 200_000
"""In a larger catalogue an item keeps its LARGE_K heaviest rules, of equals those to the lower codes."""
LARGE_K = 200


class SequentialRulesSettings(RankerSettings):
    """Rules "who took this took that soon after"."""

    window: int = Field(default=4, ge=1, le=1000, description="steps between the two items of a rule, at most")


class SequentialRules(RankerBase):
    """A pair of items d <= window steps apart in a training sequence adds 1 / d to the rule "first -> second".

    An item's score is the weight of the rules that lead to it from the last `window` items of the history, each rule
    again divided by how many steps back its item lies. Rules are counted in blocks of first items, as all pairs of a
    large log would not fit into memory; above `MAX_ITEMS_UNCUT` items only the heaviest of each item are kept.
    """

    name = "sequential-rules"
    Settings = SequentialRulesSettings
    search_space: ClassVar = {"window": (1, 2, 3, 4, 6, 8, 10, 15)}
    proposes = True

    def _fit(self, interactions: Interactions, seed: int) -> None:
        n_pairs = self.settings.window * interactions.counts
        by_item = np.argsort(interactions.item, kind="stable").astype(code_type(len(interactions)))
        starts = np.concatenate([[0], np.cumsum(interactions.counts)])
        ends = block_ends(n_pairs, MAX_PAIRS_HELD)
        rules = [
            self._rules(interactions, by_item[starts[begin] : starts[end]])
            for begin, end in zip([0, *ends], ends, strict=False)
        ]
        first, second, weights = (
            np.concatenate([block.pop(0) for block in rules]) if rules else np.zeros(0, dtype=np.int64)
            for _ in range(3)
        )
        self.second, self.weights = second, weights.astype(np.float64)
        self.offsets = np.searchsorted(first, np.arange(self.n_items + 1))

    def _rules(self, interactions: Interactions, rows: NDArray[np.signedinteger]) -> list[NDArray[Any]]:
        """The rules from the items of some rows: first and second item in ascending order, and weights."""
        user, item, n = interactions.user, interactions.item, len(interactions)
        pairs: list[IntArray] = []
        weights: list[FloatArray] = []
        for step in range(1, self.settings.window + 1):
            inside = rows[rows < n - step]
            together = inside[user[inside] == user[inside + step]]
            pairs.append(item[together] * self.n_items + item[together + step])
            weights.append(np.full(len(together), 1 / step))
        rules, where = np.unique(np.concatenate(pairs), return_inverse=True)
        weight = np.bincount(where, weights=np.concatenate(weights), minlength=len(rules))
        first, second = np.divmod(rules, self.n_items)
        if self.n_items > MAX_ITEMS_UNCUT:
            heaviest = np.lexsort((second, -weight, first))
            starts: IntArray = np.searchsorted(first, first)  # of the rules of each rule's item
            place: IntArray = np.arange(len(first)) - starts
            heaviest = np.sort(heaviest[place < LARGE_K])
            first, second, weight = first[heaviest], second[heaviest], weight[heaviest]
        small = code_type(self.n_items)
        return [first.astype(small), second.astype(small), weight]

    def _score(self, queries: Queries, candidates: IntArray | None) -> FloatArray:
        scores = np.zeros((len(queries), self.n_items if candidates is None else candidates.shape[1]))
        for row, history in enumerate(queries.history):
            for back, item in enumerate(history[::-1][: self.settings.window], start=1):
                if item >= self.n_items:  # joined later: it has its place, and no rules
                    continue
                rules = slice(int(self.offsets[item]), int(self.offsets[item + 1]))
                second: NDArray[np.signedinteger] = self.second[rules]
                weights: FloatArray = self.weights[rules]
                if candidates is None:
                    scores[row, second] += weights / back  # a rule's ends are unique: no collisions
                elif len(second):
                    after = cast(IntArray, np.searchsorted(second, candidates[row]))
                    place: IntArray = np.minimum(after, len(second) - 1)
                    scores[row] += np.where(second[place] == candidates[row], weights[place] / back, 0.0)
        return scores

    def _state(self) -> dict[str, NDArray[Any]]:
        return {"weights": self.weights, "second": self.second, "offsets": self.offsets}

    def _restore(self, arrays: dict[str, NDArray[Any]]) -> None:
        self.weights, self.second, self.offsets = (arrays[name] for name in ("weights", "second", "offsets"))
