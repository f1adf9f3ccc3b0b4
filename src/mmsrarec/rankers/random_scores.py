"""The floor of every table: scores drawn at random."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmsrarec.data.dataset import FloatArray, IntArray, Interactions
from mmsrarec.data.splits import Queries
from mmsrarec.rankers.ranker_base import RankerBase


class Random(RankerBase):
    """A score is drawn from (seed, user, time) and the item, so the same question always gets the same answer."""

    name = "random"
    ranks_new_items = True

    def _fit(self, interactions: Interactions, seed: int) -> None:
        self.seed = seed

    def _score(self, queries: Queries, candidates: IntArray | None) -> FloatArray:
        rows: list[FloatArray] = []
        for row, (user, time) in enumerate(zip(queries.user, queries.time, strict=True)):
            entropy = [self.seed, int(user) % 2**32, int(time) % 2**64]  # seeds are never negative
            scores = np.random.default_rng(entropy).random(self.n_items)
            rows.append(scores if candidates is None else scores[candidates[row]])
        return np.stack(rows) if rows else np.empty((0, self.n_items if candidates is None else candidates.shape[1]))

    def _state(self) -> dict[str, NDArray[Any]]:
        return {"seed": np.array(self.seed, dtype=np.int64)}

    def _restore(self, arrays: dict[str, NDArray[Any]]) -> None:
        self.seed = int(arrays["seed"])
