"""Ranking metrics for one target a user. Tied scores count as their mean over all orders: a constant gets chance."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mmsrarec.data.dataset import FloatArray, IntArray

PUBLISHED = ("HR@5", "NDCG@5", "MRR@5", "AUC")
"""The metrics of the published protocol."""
FULL = ("HR@5", "HR@10", "HR@20", "NDCG@5", "NDCG@10", "NDCG@20", "MRR")
"""The metrics of full ranking."""


def count_competitors(
    target: FloatArray, others: FloatArray, allowed: NDArray[np.bool_] | None = None
) -> tuple[IntArray, IntArray]:
    """Count the items that score higher than the target, and those that score the same.

    Args:
        target: (m,) scores.
        others: (m, c) scores. The target itself is not among them, or is not allowed.
        allowed: (m, c) mask of the scores that compete; None: all.

    Returns:
        (m,) numbers of items above the target, and (m,) of items tied with it.

    Raises:
        ValueError: A score is NaN, which compares as neither higher nor lower, so that a broken scorer would go unseen.
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
    """Compute the metrics of each user from the target's rank, in expectation over random orders of tied items.

    With one relevant item at rank r, HR@k = [r <= k], NDCG@k = [r <= k] / log2(r + 1), MRR@k = [r <= k] / r, and AUC is
    the share of the other items below the target.

    Args:
        above: (m,) numbers of items above the target (`count_competitors`).
        tied: (m,) numbers of items tied with it.
        n_others: Number of items that the target is ranked against, one for all or (m,).
        names: "HR@k", "NDCG@k", "MRR@k", "MRR" or "AUC".

    Returns:
        Name to (m,) values in [0, 1].
    """
    return {name: _expected(name, above, tied, np.asarray(n_others)) for name in names}


def _expected(name: str, above: IntArray, tied: IntArray, n_others: IntArray) -> FloatArray:
    """(m,) values of one metric."""
    kind, _, cutoff = name.partition("@")
    if kind == "AUC":
        if (n_others < 1).any():
            raise ValueError("AUC needs at least one other item a user")
        return (n_others - above - tied / 2) / n_others
    worst_rank = above + tied + 1  # all ranks from above + 1 to the worst are equally likely
    depth = int(cutoff) if cutoff else int(worst_rank.max(initial=0))
    rank = np.arange(1, depth + 1)
    gain = {"HR": np.ones(depth), "NDCG": 1 / np.log2(rank + 1), "MRR": 1 / rank}[kind]
    cumulative_gain = np.concatenate([[0.0], np.cumsum(gain)])
    return (cumulative_gain[np.minimum(worst_rank, depth)] - cumulative_gain[np.minimum(above, depth)]) / (tied + 1)
