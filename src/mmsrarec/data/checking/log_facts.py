"""Counts a log: how much there is, how it is spread over users and items, and what repeats."""

from dataclasses import dataclass

import numpy as np

from mmsrarec.data.dataset import IntArray, Interactions

QUANTILES = {"min": 0.0, "q25": 0.25, "median": 0.5, "q75": 0.75, "q95": 0.95, "max": 1.0}


@dataclass(frozen=True)
class Spread:
    """How counts are spread over users or items; those without any interaction are part of it.

    Attributes:
        min: The least.
        q25: The first quartile.
        median: The median.
        q75: The third quartile.
        q95: The 95th percentile.
        max: The most.
        mean: The mean.
        top_share: The share of all interactions that the busiest hundredth has, in [0, 1].
        histogram: Upper bound of a count (1, 2, 5, 10, 20, ...) -> how many have at most that, and more than the bound
            before.
    """

    min: float
    q25: float
    median: float
    q75: float
    q95: float
    max: float
    mean: float
    top_share: float
    histogram: dict[int, int]

    @classmethod
    def of(cls, counts: IntArray) -> "Spread":
        """The spread of (n,) counts."""
        if not len(counts):
            return cls(0, 0, 0, 0, 0, 0, 0, 0, {})
        quantiles = {name: float(np.quantile(counts, share)) for name, share in QUANTILES.items()}
        top: IntArray = np.sort(counts)[-max(1, len(counts) // 100) :]
        share = float(top.sum()) / max(float(counts.sum()), 1.0)
        return cls(**quantiles, mean=float(counts.mean()), top_share=share, histogram=_histogram(counts))


def _histogram(counts: IntArray) -> dict[int, int]:
    """Counts by size, in steps of 1, 2, 5, 10, ..."""
    bounds = [0]
    power = 1
    while bounds[-1] < int(counts.max()):
        bounds += [factor * power for factor in (1, 2, 5)]
        power *= 10
    numbers = np.bincount(np.searchsorted(bounds, counts))
    return {bound: int(number) for bound, number in zip(bounds, numbers, strict=False)}


def density(interactions: Interactions) -> float:
    """The share of all pairs of a user and an item that occur, in [0, 1]; 1 minus it is the sparsity."""
    cells = interactions.n_users * interactions.n_items
    return interactions.n_pairs / cells if cells else 0.0


def repeat_share(interactions: Interactions) -> float:
    """The share of interactions with an item that the user consumed before."""
    return 1 - interactions.n_pairs / len(interactions) if len(interactions) else 0.0


def immediate_repeat_share(interactions: Interactions) -> float:
    """The share of interactions with the item that the user consumed just before."""
    if len(interactions) < 2:
        return 0.0
    same = (np.diff(interactions.user) == 0) & (np.diff(interactions.item) == 0)
    return float(same.sum() / len(interactions))


def users_at_one_time(interactions: Interactions) -> int:
    """The number of users with several interactions who have all of them at one time: nothing orders them."""
    offsets = interactions.offsets
    lengths = np.diff(offsets)
    several = lengths > 1
    return int((interactions.time[offsets[:-1][several]] == interactions.time[offsets[1:][several] - 1]).sum())
