"""The row "neighbours-only": stage 2 alone, without a language model."""

import numpy as np

from mmsrarec.data.dataset import FloatArray, IntArray, Interactions
from mmsrarec.data.splits import Queries
from mmsrarec.retrieve.collaborative_context import item_weights, voting_neighbours
from mmsrarec.retrieve.neighbours import Neighbours


class NeighboursOnly:
    """Scores an item by the summed weight of the neighbours that took it next.

    k may be larger than what a prompt can show: a ranking wants more votes than a sentence.
    """

    name = "neighbours-only"

    def __init__(self, train: Interactions, neighbours: Neighbours, n_next: int = 3, k: int = 50) -> None:
        self.train = train
        self.neighbours = neighbours
        self.n_next = n_next
        self.k = k

    def score(self, queries: Queries, candidates: IntArray | None) -> FloatArray:
        """(m, c) candidates -> (m, c) sums of weights, 0 for what no neighbour took; None -> (m, n_items)."""
        width = self.train.n_items if candidates is None else candidates.shape[1]
        scores = np.zeros((len(queries), width))
        for these, _, found, items in voting_neighbours(self.neighbours, self.train, queries, self.k, self.n_next):
            weights = item_weights(items, found.similarity)
            for place, i in enumerate(these.tolist()):
                took = np.maximum(items[place].ravel(), 0)
                voted = np.bincount(took, weights[place].ravel(), self.train.n_items)
                scores[i] = voted if candidates is None else voted[candidates[i]]
        return scores
