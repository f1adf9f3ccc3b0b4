"""How sure a figure is: bootstrap intervals over users, and paired tests between two models asked the same."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from mmsrarec.data.dataset import FloatArray

RESAMPLES = 2000
PERMUTATIONS = 9999
BLOCK = 400_000
"""Random numbers held at once: 3 MB, which a processor's cache holds; more is slower."""


@dataclass(frozen=True)
class Interval:
    """A mean over users, and where it lies in 95 % of bootstrap resamples of them."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Difference:
    """Mean of a minus mean of b over the same users, its 95 % interval, and the two-sided p of no difference."""

    difference: float
    low: float
    high: float
    p: float


def intervals(metrics: dict[str, FloatArray], seed: int = 0, resamples: int = RESAMPLES) -> dict[str, Interval]:
    """Percentile bootstrap, one resampling of users for all metrics. Each metric is (m,), m >= 1."""
    if not metrics:
        return {}
    columns = [np.ascontiguousarray(values, dtype=float) for values in metrics.values()]
    users = len(columns[0])
    if users == 0:
        raise ValueError("no users: there is nothing to resample")
    rng = np.random.default_rng(seed)
    means = []
    for size in _blocks(resamples, users):
        drawn = rng.integers(users, size=(size, users))
        flat = (drawn + np.arange(size)[:, None] * users).ravel()
        times = np.bincount(flat, minlength=drawn.size).reshape(drawn.shape).astype(float)
        # one product a metric: a product of all rounds differently with other metrics beside
        means.append(np.stack([times @ values / users for values in columns], axis=1))
    low, high = np.percentile(np.concatenate(means), [2.5, 97.5], axis=0)
    return {name: Interval(float(columns[i].mean()), float(low[i]), float(high[i])) for i, name in enumerate(metrics)}


def paired(a: FloatArray, b: FloatArray, seed: int = 0, resamples: int = RESAMPLES) -> Difference:
    """Compare one metric of two models over the same users in the same order, (m,) each.

    p: sign-flip permutation test. Were both models equally good, each user's difference would be as likely negated;
    p is the share of random negations whose mean is as far from 0, the one observed counted in.
    """
    if a.shape != b.shape:
        raise ValueError(f"a pair needs the same users: {a.shape} against {b.shape}")
    differences = np.asarray(a, dtype=float) - b
    interval = intervals({"difference": differences}, seed, resamples)["difference"]
    moving = differences[differences != 0]  # negating a zero changes nothing
    rng = np.random.default_rng([seed, 1])
    observed = abs(moving.sum()) - 1e-9  # equal sums in another order of adding count as equal
    extreme = 1
    for size in _blocks(PERMUTATIONS, max(len(moving), 1)):
        signs = rng.integers(2, size=(size, len(moving)), dtype=np.int8) * 2.0 - 1
        extreme += int((np.abs(signs @ moving) >= observed).sum())
    return Difference(interval.value, interval.low, interval.high, extreme / (PERMUTATIONS + 1))


def holm(p: Sequence[float]) -> list[float]:
    """Each p corrected for all of them by Holm's step-down rule (1979), in the given order.

    The smallest of n is taken n times, the next n - 1 times, and so on, none below one before it, at most 1: the chance
    that any true equality among the n is called a difference at level a is then at most a, however they hang together.
    """
    values = np.asarray(p, dtype=float)
    order = np.argsort(values, kind="stable")
    corrected = np.empty(len(values))
    corrected[order] = np.minimum(np.maximum.accumulate(values[order] * np.arange(len(values), 0, -1)), 1.0)
    return corrected.tolist()


def _blocks(total: int, width: int) -> Iterator[int]:
    """Sizes that add up to total, each a block of at most BLOCK numbers."""
    size = max(1, BLOCK // width)
    return (min(size, total - start) for start in range(0, total, size))
