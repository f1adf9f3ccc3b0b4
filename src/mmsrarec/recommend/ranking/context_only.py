"""The row "context-only": what the mere presence among the collaborative items tells, without a language model."""

import numpy as np

from mmsrarec.data.dataset import FloatArray, IntArray
from mmsrarec.data.splits import Queries
from mmsrarec.recommend.prompt.prompt_context import Retrieval
from mmsrarec.recommend.settings import RecommendSettings


class ContextOnly:
    """Scores 1 for an item that a prompt would show as taken next by similar users, 0 for others.

    A model that has learned to copy its context gets this far; a context that holds the answer too often is a leak.
    """

    name = "context-only"

    def __init__(self, retrieval: Retrieval, settings: RecommendSettings) -> None:
        self.retrieval = retrieval
        self.settings = settings

    def score(self, queries: Queries, candidates: IntArray | None) -> FloatArray:
        """(m, c) candidates -> (m, c); None -> (m, n_items)."""
        nothing = np.zeros((len(queries), 0), dtype=np.int64)
        scores = np.zeros((len(queries), self.retrieval.train.n_items))
        for row, context in enumerate(self.retrieval.gather(queries, nothing, self.settings)):
            scores[row, list(context.similar)] = 1
        return scores if candidates is None else np.take_along_axis(scores, candidates, axis=1)
