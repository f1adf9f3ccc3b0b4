"""What a second model would add if it were right on a share of the first one's errors.

The error of a user is 1 - HR@5. Being right puts the target first, where HR@5 and NDCG@5 are 1; where it was missed,
both were 0. The mended errors are a random share of all, so each metric rises by share * (1 - HR@5) in the mean.
"""

from collections.abc import Sequence
from typing import NamedTuple

from mmsrarec.data.dataset import FloatArray

SHARES = (0.1, 0.25, 0.5, 1.0)
"""Shares of the errors for which the headroom is reported."""


class Headroom(NamedTuple):
    """The expected metrics with a share of the errors mended.

    Attributes:
        share: The share.
        hr: HR@5.
        ndcg: NDCG@5.
    """

    share: float
    hr: float
    ndcg: float


def headroom(hits: FloatArray, ndcg: FloatArray, shares: Sequence[float] = SHARES) -> list[Headroom]:
    """The metrics of a model, some of whose errors are mended.

    Args:
        hits: (m,) HR@5 of the users.
        ndcg: (m,) NDCG@5 of the users.
        shares: Shares of the errors, in [0, 1].

    Returns:
        The metrics for each share.
    """
    missed = float((1 - hits).mean())  # a miss has no NDCG, so both metrics gain as much
    return [
        Headroom(share, float(hits.mean()) + share * missed, float(ndcg.mean()) + share * missed) for share in shares
    ]


def mended(hits: FloatArray, other_hits: FloatArray) -> float:
    """The share of one model's errors on which another one hits; 0 where there are no errors.

    Args:
        hits: (m,) hits of the model.
        other_hits: (m,) hits of the other.
    """
    missed = 1 - hits
    return float((missed * other_hits).sum() / missed.sum()) if missed.any() else 0.0
