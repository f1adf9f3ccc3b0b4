"""How certain a figure is: bootstrap intervals over users, and paired tests of two models on the same users."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from mmsrarec.data.dataset import FloatArray

RESAMPLES = 2000
"""Number of bootstrap resamples of the users."""
PERMUTATIONS = 9999
"""Number of random sign flips of a paired test."""
NUMBERS_PER_BLOCK = 400_000
"""Random numbers held at once: 3 MB, which fit into a processor's cache; more is slower."""


@dataclass(frozen=True)
class Interval:
    """A mean over users with its 95 % bootstrap interval.

    Attributes:
        value: The mean.
        low: The 2.5th percentile of the means of the resamples.
        high: The 97.5th percentile.
    """

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Difference:
    """The difference of two models over the same users.

    Attributes:
        difference: Mean of the first minus mean of the second.
        low: Lower end of its 95 % bootstrap interval.
        high: Upper end.
        p: Two-sided p-value of no difference.
    """

    difference: float
    low: float
    high: float
    p: float


def intervals(metrics: dict[str, FloatArray], seed: int = 0, resamples: int = RESAMPLES) -> dict[str, Interval]:
    """Percentile bootstrap over users (Efron 1979). All metrics share the same resamples.

    Args:
        metrics: Name to (m,) values of the users, m >= 1.
        seed: Seed of the resamples.
        resamples: Number of resamples.

    Returns:
        Name to its mean and 95 % interval.

    Raises:
        ValueError: There are no users.
    """
    if not metrics:
        return {}
    columns = [np.ascontiguousarray(values, dtype=float) for values in metrics.values()]
    users = len(columns[0])
    if users == 0:
        raise ValueError("no users: there is nothing to resample")
    rng = np.random.default_rng(seed)
    means: list[FloatArray] = []
    for size in _blocks(resamples, users):
        sampled_users = rng.integers(users, size=(size, users))
        flat = (sampled_users + np.arange(size)[:, None] * users).ravel()
        sample_counts = np.bincount(flat, minlength=sampled_users.size).reshape(sampled_users.shape).astype(float)
        # one product for each metric: a single product of all would round differently with other metrics
        means.append(np.stack([sample_counts @ values / users for values in columns], axis=1))
    low, high = np.percentile(np.concatenate(means), [2.5, 97.5], axis=0)
    return {name: Interval(float(columns[i].mean()), float(low[i]), float(high[i])) for i, name in enumerate(metrics)}


def paired(a: FloatArray, b: FloatArray, seed: int = 0, resamples: int = RESAMPLES) -> Difference:
    """Compare one metric of two models by a sign-flip permutation test (Fisher 1935).

    If both models are equally good, the difference of each user is as likely negated. p is the share of random
    negations whose mean is at least as far from 0, the observed one included.

    Args:
        a: (m,) values of the first model.
        b: (m,) values of the second, of the same users in the same order.
        seed: Seed of the resamples and sign flips.
        resamples: Number of bootstrap resamples.

    Returns:
        The difference of the means, its interval and p.

    Raises:
        ValueError: The numbers of users differ.
    """
    if a.shape != b.shape:
        raise ValueError(f"a pair needs the same users: {a.shape} against {b.shape}")
    differences = np.asarray(a, dtype=float) - b
    interval = intervals({"difference": differences}, seed, resamples)["difference"]
    nonzero = differences[differences != 0]  # negating a zero changes nothing
    rng = np.random.default_rng([seed, 1])
    observed_sum = abs(nonzero.sum()) - 1e-9  # equal sums in another order of adding count as equal
    n_extreme = 1
    for size in _blocks(PERMUTATIONS, max(len(nonzero), 1)):
        signs = rng.integers(2, size=(size, len(nonzero)), dtype=np.int8) * 2.0 - 1
        n_extreme += int((np.abs(signs @ nonzero) >= observed_sum).sum())
    return Difference(interval.value, interval.low, interval.high, n_extreme / (PERMUTATIONS + 1))


def holm(p: Sequence[float]) -> list[float]:
    """Correct p-values for multiple testing by Holm's step-down rule (Holm 1979).

    The smallest of n is multiplied by n, the next by n - 1, and so on; none falls below the one before it, and none is
    above 1. The chance of any false positive at level a is then at most a, whatever the dependence of the tests.

    Args:
        p: n p-values.

    Returns:
        n corrected p-values in the given order.
    """
    values = np.asarray(p, dtype=float)
    order = np.argsort(values, kind="stable")
    corrected = np.empty(len(values))
    corrected[order] = np.minimum(np.maximum.accumulate(values[order] * np.arange(len(values), 0, -1)), 1.0)
    return corrected.tolist()


def _blocks(total: int, width: int) -> Iterator[int]:
    """Numbers of rows that add up to `total`; a block of rows holds at most `NUMBERS_PER_BLOCK` numbers."""
    size = max(1, NUMBERS_PER_BLOCK // width)
    return (min(size, total - start) for start in range(0, total, size))
