"""A generator's scores of all items, on a scale on which generators can be fused."""

import numpy as np

from mmsrarec.data.dataset import FloatArray
from mmsrarec.data.splits import Queries
from mmsrarec.rankers.base import CandidateGenerator, known_items, n_trained_items, places

LOWEST_SCORE = -1e300
"""The maximum of no scores, finite so that numpy can subtract it."""
MIN_TOTAL = 1e-300
"""The sum of no exponentials, positive so that it has a logarithm."""


def ranking_feature(ranker: CandidateGenerator, queries: Queries) -> FloatArray:
    """The term of a candidate generator: log-probabilities of its logits, else the negative log of an item's place.

    Args:
        ranker: The generator.
        queries: m queries.

    Returns:
        (m, n_items) finite terms; NaN for items that it does not know (`base.known_items`) and where its score is not
        finite. The probabilities of the items that it was trained on sum to one: an item that joined later, whatever
        its content, changes no other's.
    """
    if not ranker.logits:
        return -np.log(places(ranker, queries))
    every = np.asarray(ranker.score(queries, None), dtype=np.float64)
    terms, mask = np.full(every.shape, np.nan), known_items(ranker, every.shape[1])
    scores = every[:, mask]  # the others take no part even in the order of summing
    has_score = np.isfinite(scores)
    n_trained = np.count_nonzero(mask[: n_trained_items(ranker, len(mask))])
    trained, has_trained = scores[:, :n_trained], has_score[:, :n_trained]
    scores -= np.max(trained, axis=1, keepdims=True, initial=LOWEST_SCORE, where=has_trained)
    total = np.exp(trained, out=np.zeros_like(trained), where=has_trained).sum(axis=1, keepdims=True)
    terms[:, mask] = np.where(has_score, scores - np.log(np.maximum(total, MIN_TOTAL)), np.nan)
    return terms
