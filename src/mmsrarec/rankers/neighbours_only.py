"""The row "neighbours-only": stage 2 alone, without a language model."""

import numpy as np

from mmsrarec.data.dataset import Events, FloatArray, IntArray
from mmsrarec.data.splits import Moments
from mmsrarec.retrieve.collaborative_context import crowds, item_weights
from mmsrarec.retrieve.neighbours import Neighbours


class NeighboursOnly:
    """Scores an item by the summed weight of the neighbours that took it next.

    k may be larger than what a prompt can show: a ranking wants more voices than a sentence.
    """

    name = "neighbours-only"

    def __init__(self, train: Events, neighbours: Neighbours, n_next: int = 3, k: int = 50) -> None:
        self.train = train
        self.neighbours = neighbours
        self.n_next = n_next
        self.k = k

    def score(self, moments: Moments, candidates: IntArray | None) -> FloatArray:
        """(m, c) candidates -> (m, c) sums of weights, 0 for what no neighbour took; None -> (m, n_items)."""
        width = self.train.n_items if candidates is None else candidates.shape[1]
        scores = np.zeros((len(moments), width))
        for these, _, found, items in crowds(self.neighbours, self.train, moments, self.k, self.n_next):
            weights = item_weights(items, found.similarity)
            for place, i in enumerate(these.tolist()):
                took = np.maximum(items[place].ravel(), 0)
                voted = np.bincount(took, weights[place].ravel(), self.train.n_items)
                scores[i] = voted if candidates is None else voted[candidates[i]]
        return scores
