"""Sequential rules: who consumed this consumed that soon after. They are counted, not trained."""

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from mmsrarec.data.dataset import FloatArray, IntArray, Interactions
from mmsrarec.data.splits import Queries
from mmsrarec.rankers.ranker_base import RankerBase, RankerSettings


class SequentialRulesSettings(RankerSettings):
    """Rules "who took this took that soon after"."""

    window: int = Field(default=4, ge=1, le=1000, description="steps between the two items of a rule, at most")


class SequentialRules(RankerBase):
    """A pair of items d <= window steps apart in a training sequence adds 1 / d to the rule "first -> second".

    An item's score is the weight of the rules that lead to it from the last `window` items of the history, each rule
    again divided by how many steps back its item lies.
    """

    name = "sequential-rules"
    Settings = SequentialRulesSettings
    search_space: ClassVar = {"window": (1, 2, 3, 4, 6, 8, 10, 15)}
    proposes = True

    def _fit(self, interactions: Interactions, seed: int) -> None:
        user, item = interactions.user, interactions.item
        pairs: list[IntArray] = []
        weights: list[FloatArray] = []
        for step in range(1, self.settings.window + 1):
            together = user[:-step] == user[step:]
            pairs.append(item[:-step][together] * self.n_items + item[step:][together])
            weights.append(np.full(len(pairs[-1]), 1 / step))
        rules, where = np.unique(np.concatenate(pairs), return_inverse=True)
        self.weights = np.bincount(where, weights=np.concatenate(weights), minlength=len(rules))
        first, self.second = np.divmod(rules, self.n_items)
        self.offsets = np.searchsorted(first, np.arange(self.n_items + 1))

    def _score(self, queries: Queries, candidates: IntArray | None) -> FloatArray:
        scores = np.zeros((len(queries), self.n_items))
        for row, history in enumerate(queries.history):
            for back, item in enumerate(history[::-1][: self.settings.window], start=1):
                if item >= self.n_items:  # joined later: it has its place, and no rules
                    continue
                rules = slice(self.offsets[item], self.offsets[item + 1])
                scores[row, self.second[rules]] += self.weights[rules] / back  # a rule's ends are unique: no collisions
        return scores if candidates is None else np.take_along_axis(scores, candidates, axis=1)

    def _state(self) -> dict[str, NDArray[Any]]:
        return {"weights": self.weights, "second": self.second, "offsets": self.offsets}

    def _restore(self, arrays: dict[str, NDArray[Any]]) -> None:
        self.weights, self.second, self.offsets = (arrays[name] for name in ("weights", "second", "offsets"))
