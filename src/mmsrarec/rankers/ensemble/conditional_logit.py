"""A conditional logit over terms of which some may be missing: what a candidate generator cannot say is expected from
the others.

The logit of P(target) = exp(score) / sum_c exp(score_c) is w'x (McFadden 1974). Where terms are missing, as all of a
candidate generator's are for an item that it has never seen taken, the score is the log of what exp(w'x) is on average
[extension]: terms of one item go together as a Gaussian, so the missing ones, given the known, have a mean e and a
covariance C, and

    log E exp(w'x) = w_known'x_known + w_missing'e + w_missing'C w_missing / 2

so that an item is neither punished nor favoured for what nobody knows of it. Shapes: m queries, c candidates, k terms.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmsrarec.data.dataset import FloatArray, IntArray

RIDGE = 1.0
"""Half of it times the squared weights is taken from the log-likelihood of all queries."""
ROUNDS, CLOSE = 30, 1e-6
"""Rounds of fitting at most where terms are missing, and the change of weights at which they end."""


@dataclass(frozen=True)
class Logit:
    """weights: (k,). mean, covariance: (k,) and (k, k), of the terms of items that all know."""

    weights: tuple[float, ...]
    mean: tuple[float, ...]
    covariance: tuple[tuple[float, ...], ...]

    @classmethod
    def first(cls, k: int) -> "Logit":
        """The first of k terms alone; nothing is known of the others."""
        return cls((1.0,) + (0.0,) * (k - 1), (0.0,) * k, ((0.0,) * k,) * k)

    def behind_nothing(self) -> "Logit":
        """The same with one term more, the first, which counts nothing and tells nothing of the others."""
        wide = [(0.0,) * (1 + len(self.mean)), *((0.0, *row) for row in self.covariance)]
        return Logit((0.0, *self.weights), (0.0, *self.mean), tuple(wide))

    @classmethod
    def load(cls, record: Mapping[str, Any]) -> "Logit":
        """From what `dataclasses.asdict` made, and JSON kept."""
        return cls(tuple(record["weights"]), tuple(record["mean"]), tuple(map(tuple, record["covariance"])))

    @classmethod
    def fit(cls, x: FloatArray, place: IntArray, ridge: float = RIDGE) -> "Logit":
        """Of the greatest likelihood, less the ridge, of targets at `place`, (m,), among (m, c, k) terms. What is not
        finite is missing. A missing term's part depends on the weights, so they are found in rounds."""
        k = x.shape[2]
        holes = ~np.isfinite(x).all(axis=2)
        whole = x[~holes]
        mean = whole.mean(axis=0) if len(whole) else np.zeros(k)
        covariance = np.cov(whole.T, ddof=0).reshape(k, k) if len(whole) else np.zeros((k, k))
        found = cls((0.0,) * k, _row(mean), tuple(map(_row, covariance)))
        for _ in range(ROUNDS):
            before, found = found, cls(_row(likeliest(found.filled(x), place, ridge)), found.mean, found.covariance)
            if np.abs(np.subtract(found.weights, before.weights)).max() < CLOSE or not holes.any():
                break
        return found

    def score(self, ranking_features: Sequence[FloatArray]) -> FloatArray:
        """(m, c) of k arrays (m, c) of terms. What is not finite is missing; every score is finite."""
        missing, patterns = _missing(ranking_features)
        shares = np.zeros((len(ranking_features), 1 << len(ranking_features)))
        constant, w = np.zeros(1 << len(ranking_features)), np.array(self.weights)
        for pattern, gone in patterns:
            slope, start, left = self._expected(gone)
            shares[~gone, pattern] = w[~gone] + w[gone] @ slope
            constant[pattern] = w[gone] @ start + w[gone] @ left @ w[gone] / 2
        scores = constant[missing]
        for ranking_feature, share in zip(ranking_features, shares, strict=True):
            scores += share[missing] * np.where(np.isfinite(ranking_feature), ranking_feature, 0)
        return scores

    def filled(self, x: FloatArray) -> FloatArray:
        """(m, c, k) without holes, so that its products with the weights are the scores."""
        full, w = x.copy(), np.array(self.weights)
        missing, patterns = _missing(list(np.moveaxis(x, 2, 0)))
        for pattern, gone in patterns:
            slope, start, left = self._expected(gone)
            rows = missing == pattern
            found = full[rows]
            found[:, gone] = start + found[:, ~gone] @ slope.T + left @ w[gone] / 2
            full[rows] = found
        return full

    def _expected(self, gone: NDArray[np.bool_]) -> tuple[FloatArray, FloatArray, FloatArray]:
        """The missing terms given the known: slope and start of their mean, and their covariance."""
        mean, s = np.array(self.mean), np.array(self.covariance)
        slope = s[gone][:, ~gone] @ np.linalg.pinv(s[~gone][:, ~gone], hermitian=True)
        return slope, mean[gone] - slope @ mean[~gone], s[gone][:, gone] - slope @ s[~gone][:, gone]


ALONE = Logit.first(1)
"""One term as it is."""


def likeliest(x: FloatArray, place: IntArray, ridge: float = RIDGE) -> FloatArray:
    """(k,) weights of the greatest log-likelihood less ridge / 2 * |w|^2, by Newton's method with halved steps: the
    function is concave. x: (m, c, k), nothing missing."""
    w = np.zeros(x.shape[2])
    target = np.take_along_axis(x, place[:, None, None], axis=1)[:, 0]

    def value(w: FloatArray) -> float:
        return float(log_share(x @ w, place).sum() - ridge / 2 * (w @ w))

    for _ in range(100):
        p = np.exp(x @ w - (x @ w).max(axis=1, keepdims=True))
        p /= p.sum(axis=1, keepdims=True)
        mean = np.einsum("mc,mck->mk", p, x)
        gradient = (target - mean).sum(axis=0) - ridge * w
        hessian = np.einsum("mc,mck,mcl->kl", p, x, x) - mean.T @ mean + ridge * np.eye(len(w))
        step = np.linalg.solve(hessian, gradient)
        while value(w + step) < value(w) and np.abs(step).max() > 1e-12:
            step = step / 2
        w = w + step
        if np.abs(step).max() < 1e-9:
            break
    return w


def _missing(ranking_features: Sequence[FloatArray]) -> tuple[IntArray, list[tuple[int, NDArray[np.bool_]]]]:
    """(m, c) which of k terms are missing, as bits; and each pattern that is there, with its (k,) mask."""
    bits = np.zeros(ranking_features[0].shape, dtype=np.int64)
    for number, ranking_feature in enumerate(ranking_features):
        bits |= (~np.isfinite(ranking_feature)).astype(np.int64) << number
    found = np.flatnonzero(np.bincount(bits.ravel()))
    return bits, [(int(one), (one >> np.arange(len(ranking_features)) & 1).astype(bool)) for one in found]


def log_share(scores: FloatArray, place: IntArray) -> FloatArray:
    """(m,): log of the target's share of exp(scores)."""
    top = scores.max(axis=1, keepdims=True)
    total = np.log(np.exp(scores - top).sum(axis=1)) + top[:, 0]
    return np.take_along_axis(scores, place[:, None], axis=1)[:, 0] - total


def _row(values: FloatArray) -> tuple[float, ...]:
    return tuple(map(float, values))
