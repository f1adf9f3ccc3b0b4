"""Sequential rules: who took this took that soon after. Counting, no training, and hard to beat."""

import numpy as np

from mmsrarec.data.dataset import FloatArray, IntArray, Interactions
from mmsrarec.data.splits import Queries


class SequentialRules:
    """A pair of items d <= window steps apart in a training sequence adds 1 / d to the rule "first -> second".

    An item's score is the weight of the rules that lead to it from the last `window` items of the history, each rule
    again divided by how many steps back its item lies.
    """

    name = "sequential-rules"

    def __init__(self, train: Interactions, window: int = 4) -> None:
        self.window = window
        self.n_items, self.known = train.n_items, train.counts > 0
        pairs, weights = [], []
        for step in range(1, window + 1):
            together = train.user[:-step] == train.user[step:]
            pairs.append(train.item[:-step][together] * self.n_items + train.item[step:][together])
            weights.append(np.full(len(pairs[-1]), 1 / step))
        rules, where = np.unique(np.concatenate(pairs), return_inverse=True)
        self.weights = np.bincount(where, weights=np.concatenate(weights), minlength=len(rules))
        first, self.second = np.divmod(rules, self.n_items)
        self.offsets = np.searchsorted(first, np.arange(self.n_items + 1))

    def score(self, queries: Queries, candidates: IntArray | None) -> FloatArray:
        scores = np.zeros((len(queries), self.n_items))
        for row, history in enumerate(queries.history):
            for back, item in enumerate(history[::-1][: self.window], start=1):
                rules = slice(self.offsets[item], self.offsets[item + 1])
                scores[row, self.second[rules]] += self.weights[rules] / back  # a rule's ends are unique: no collisions
        return scores if candidates is None else np.take_along_axis(scores, candidates, axis=1)
