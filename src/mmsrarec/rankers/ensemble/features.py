"""What a generator says of every item, on a scale that generators can be fused on."""

import numpy as np

from mmsrarec.data.dataset import FloatArray
from mmsrarec.data.splits import Queries
from mmsrarec.rankers.base import CandidateGenerator, known_items, places

MOST, LEAST = 1e300, 1e-300
"""A maximum of nothing, and a sum of nothing, that numpy can go on with; nobody's score is there."""


def ranking_feature(ranker: CandidateGenerator, queries: Queries) -> FloatArray:
    """(m, n_items): what a candidate generator says of every item; NaN, and nothing else that is no number, where it
    cannot say anything: of what it does not know (`base.known_items`), and where its score is not finite."""
    if not ranker.logits:
        return -np.log(places(ranker, queries))
    every = np.asarray(ranker.score(queries, None), dtype=np.float64)
    said, known = np.full(every.shape, np.nan), known_items(ranker, every.shape[1])
    scores = every[:, known]  # the others take no part even in the order of summing
    told = np.isfinite(scores)
    scores -= np.max(scores, axis=1, keepdims=True, initial=-MOST, where=told)
    total = np.exp(scores, out=np.zeros_like(scores), where=told).sum(axis=1, keepdims=True)
    said[:, known] = np.where(told, scores - np.log(np.maximum(total, LEAST)), np.nan)
    return said
