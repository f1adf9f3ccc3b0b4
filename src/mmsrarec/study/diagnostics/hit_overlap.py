"""Which users each row hits, and how far two rows hit the same ones.

Where ties leave open whether the target is among the first five, the hit is its chance, a number between 0 and 1. Two
such users are compared as fuzzy sets are (Zadeh 1965): the intersection takes the smaller chance, the union the larger.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mmsrarec.data.dataset import FloatArray


class Overlap(NamedTuple):
    """The hits of r rows in pairs.

    Attributes:
        jaccard: (r, r) users hit by both rows as a share of those hit by either; 0 where neither hits anybody.
        union: (r, r) share of all users hit by either row; its diagonal is HR.
    """

    jaccard: FloatArray
    union: FloatArray


def overlap(hits: FloatArray) -> Overlap:
    """Compare the hits of each pair of rows.

    Args:
        hits: (r, m) hits of the m users by r rows, in [0, 1].

    Returns:
        The overlap of each pair.
    """
    both = np.stack([np.minimum(row, hits).sum(axis=1) for row in hits])
    either = np.stack([np.maximum(row, hits).sum(axis=1) for row in hits])
    jaccard = np.divide(both, either, out=np.zeros_like(both), where=either > 0)
    return Overlap(jaccard, either / max(hits.shape[1], 1))


def hit_by_any(hits: Sequence[FloatArray]) -> float:
    """The share of m users whom at least one row hits.

    Args:
        hits: (m,) hits of each row; at least one row.
    """
    return float(np.max(np.stack(list(hits)), axis=0).mean())
