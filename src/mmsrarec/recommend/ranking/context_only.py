"""The row "context-only": it ranks by presence in the collaborative context, without a language model."""

import numpy as np

from mmsrarec.data.dataset import FloatArray, IntArray
from mmsrarec.data.splits import Queries
from mmsrarec.recommend.prompt.prompt_context import Retrieval
from mmsrarec.recommend.settings import RecommendSettings


class ContextOnly:
    """Scores 1 for an item that a prompt shows as consumed next by similar users, and 0 for every other item.

    A model that only copies its context ranks this well. A context that holds the answer too often is a leak.

    Attributes:
        name: Name of the row.
        retrieval: Gathers the prompt contexts.
        settings: What a prompt shows.
    """

    name = "context-only"

    def __init__(self, retrieval: Retrieval, settings: RecommendSettings) -> None:
        self.retrieval = retrieval
        self.settings = settings

    def score(self, queries: Queries, candidates: IntArray | None) -> FloatArray:
        """Score candidates.

        Args:
            queries: m queries.
            candidates: (m, c) item codes; None scores the whole catalogue.

        Returns:
            (m, c) scores, or (m, n_items).
        """
        no_candidates = np.zeros((len(queries), 0), dtype=np.int64)
        scores = np.zeros((len(queries), self.retrieval.train.n_items))
        for row, context in enumerate(self.retrieval.gather(queries, no_candidates, self.settings)):
            scores[row, list(context.similar)] = 1
        return scores if candidates is None else np.take_along_axis(scores, candidates, axis=1)
