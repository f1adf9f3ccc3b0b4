"""Ranking metrics for one target a user. Ties are broken in expectation, so a constant scorer reads exactly chance."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mmsrarec.data.dataset import FloatArray, IntArray

PUBLISHED = ("HR@5", "NDCG@5", "MRR@5", "AUC")
FULL = ("HR@5", "HR@10", "HR@20", "NDCG@5", "NDCG@10", "NDCG@20", "MRR")


def count_competitors(
    target: FloatArray, others: FloatArray, allowed: NDArray[np.bool_] | None = None
) -> tuple[IntArray, IntArray]:
    """How many others stand above the target, and how many beside it.

    target: (m,) scores. others: (m, c) scores, the target itself not among them or not allowed. allowed: (m, c), all
    where None. Returns two (m,) counts. Raises ValueError on NaN: it compares as worse than nothing and better than
    nothing, so a broken scorer would go unseen.
    """
    if np.isnan(target).any() or np.isnan(others).any():
        raise ValueError("scores hold NaN")
    above, tied = others > target[:, None], others == target[:, None]
    if allowed is not None:
        above, tied = above & allowed, tied & allowed
    return above.sum(axis=1), tied.sum(axis=1)


def measure(
    above: IntArray, tied: IntArray, n_others: IntArray | int, names: Sequence[str] = PUBLISHED
) -> dict[str, FloatArray]:
    """Per-user metrics from ranks: each the expectation over uniformly random orders of the tied.

    above, tied: (m,) as `count_competitors` gives them; n_others: how many items the target was ranked against. names:
    "HR@k", "NDCG@k", "MRR@k", "MRR" or "AUC". Returns name -> (m,), each in [0, 1].
    With one relevant item at rank r, HR@k = [r <= k], NDCG@k = [r <= k] / log2(r + 1), MRR@k = [r <= k] / r, and AUC
    is the share of others below the target.
    """
    return {name: _expected(name, above, tied, np.asarray(n_others)) for name in names}


def _expected(name: str, above: IntArray, tied: IntArray, n_others: IntArray) -> FloatArray:
    kind, _, cutoff = name.partition("@")
    if kind == "AUC":
        if (n_others < 1).any():
            raise ValueError("AUC needs at least one other item a user")
        return (n_others - above - tied / 2) / n_others
    last = above + tied + 1  # the worst rank the target can take; the best is above + 1, and all between are as likely
    depth = int(cutoff) if cutoff else int(last.max(initial=0))
    rank = np.arange(1, depth + 1)
    gain = {"HR": np.ones(depth), "NDCG": 1 / np.log2(rank + 1), "MRR": 1 / rank}[kind]
    total = np.concatenate([[0.0], np.cumsum(gain)])
    return (total[np.minimum(last, depth)] - total[np.minimum(above, depth)]) / (tied + 1)
