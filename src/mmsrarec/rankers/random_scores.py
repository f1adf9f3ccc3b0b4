"""The floor of every table: scores drawn at random."""

import numpy as np

from mmsrarec.data.dataset import FloatArray, IntArray
from mmsrarec.data.splits import Queries


class Random:
    """A score is drawn from (seed, user, time) and the item, so the same question always gets the same answer."""

    name = "random"

    def __init__(self, n_items: int, seed: int) -> None:
        self.n_items = n_items
        self.seed = seed

    def score(self, queries: Queries, candidates: IntArray | None) -> FloatArray:
        rows = []
        for row, (user, time) in enumerate(zip(queries.user, queries.time, strict=True)):
            entropy = [self.seed, int(user) % 2**32, int(time) % 2**64]  # seeds are never negative
            drawn = np.random.default_rng(entropy).random(self.n_items)
            rows.append(drawn if candidates is None else drawn[candidates[row]])
        return np.stack(rows) if rows else np.empty((0, self.n_items if candidates is None else candidates.shape[1]))
