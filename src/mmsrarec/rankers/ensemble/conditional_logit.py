"""A conditional logit over terms of which some may be missing; a missing term is predicted from the others.

The logit of P(target) = exp(score) / sum_c exp(score_c) is w'x (McFadden 1974). Where terms are missing, as all of a
candidate generator's are for an item that it has never seen taken, the score is the log of what exp(w'x) is on average
[extension]: terms of one item go together as a Gaussian, so the missing ones, given the known, have a mean e and a
covariance C, and

    log E exp(w'x) = w_known'x_known + w_missing'e + w_missing'C w_missing / 2

so that an item is neither punished nor favoured for a missing term. That holds if the items from which mean and
covariance are learned were not selected by the term that is missing: the candidates of generators are, for they were
proposed because their terms are high. `Gaussian` of other items can be given therefore.

Shapes: m queries, c candidates, k terms, r items.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from mmsrarec.data.dataset import FloatArray, IntArray

RIDGE = 1.0
"""Half of it times the squared weights is taken from the log-likelihood of all queries."""
MAX_ROUNDS = 30
"""Largest number of rounds of fitting where terms are missing."""
MIN_WEIGHT_CHANGE = 1e-6
"""Fitting ends after a round in which no weight changed by as much."""


@dataclass(frozen=True, eq=False)
class Gaussian:
    """What is known of terms together.

    Attributes:
        mean: (k,) their means.
        covariance: (k, k) their covariance.
    """

    mean: FloatArray
    covariance: FloatArray

    @classmethod
    def of(cls, x: FloatArray) -> "Gaussian":
        """Of the terms of items without a missing one; zeros where there is no such item.

        Args:
            x: (..., k) terms. A term that is not finite is missing.
        """
        k = int(x.shape[-1])
        whole = x[np.isfinite(x).all(axis=-1)]
        if not len(whole):
            return cls(np.zeros(k), np.zeros((k, k)))
        return cls(whole.mean(axis=0), np.cov(whole.T, ddof=0).reshape(k, k))

    def pick(self, terms: Sequence[int]) -> "Gaussian":
        """Of some of the terms.

        Args:
            terms: Their numbers.
        """
        return Gaussian(self.mean[terms], self.covariance[np.ix_(terms, terms)])

    def with_first(self, x: FloatArray) -> "Gaussian":
        """The same with one term more in front, which was seen of other items only.

        These may be selected by any of the terms of `self`: the linear regression of the first term on the others is
        the same in both, and so is its residual (Pearson 1903, Lawley 1943).

        Args:
            x: (..., 1 + k) terms of the other items, the new one first.
        """
        seen = Gaussian.of(x)
        share = seen.covariance[0, 1:] @ np.linalg.pinv(seen.covariance[1:, 1:], hermitian=True)
        residual = seen.covariance[0, 0] - share @ seen.covariance[1:, 0]
        mean = seen.mean[0] + share @ (self.mean - seen.mean[1:])
        beside = share @ self.covariance
        covariance = np.block(
            [[np.atleast_2d(beside @ share + residual), beside[None]], [beside[:, None], self.covariance]]
        )
        return Gaussian(np.append(mean, self.mean), covariance)


@dataclass(frozen=True)
class Logit:
    """Weights of terms, and what predicts a missing term.

    Attributes:
        weights: (k,) of the terms.
        mean: (k,) mean of the terms: see `Gaussian`.
        covariance: (k, k) covariance of the terms.
    """

    weights: tuple[float, ...]
    mean: tuple[float, ...]
    covariance: tuple[tuple[float, ...], ...]

    @classmethod
    def first(cls, k: int) -> "Logit":
        """A weight of 1 for the first of k terms, 0 for the others."""
        return cls((1.0,) + (0.0,) * (k - 1), (0.0,) * k, ((0.0,) * k,) * k)

    def behind_nothing(self) -> "Logit":
        """The same with one term more in front, which has weight 0 and predicts no other."""
        wide = [(0.0,) * (1 + len(self.mean)), *((0.0, *row) for row in self.covariance)]
        return Logit((0.0, *self.weights), (0.0, *self.mean), tuple(wide))

    @classmethod
    def load(cls, record: Mapping[str, Any]) -> "Logit":
        """Read the record of `dataclasses.asdict`, after it went through JSON."""
        return cls(tuple(record["weights"]), tuple(record["mean"]), tuple(map(tuple, record["covariance"])))

    @classmethod
    def fit(cls, x: FloatArray, place: IntArray, ridge: float = RIDGE, gaussian: Gaussian | None = None) -> "Logit":
        """Maximise the likelihood of the targets, less the ridge.

        The part of a missing term depends on the weights, so they are computed in rounds.

        Args:
            x: (m, c, k) terms. A term that is not finite is missing.
            place: (m,) place of the target among the candidates.
            ridge: Half of it times the squared weights is taken from the log-likelihood.
            gaussian: What predicts a missing term; by default that of `x`.
        """
        has_holes, gaussian = not np.isfinite(x).all(), gaussian or Gaussian.of(x)
        logit = cls((0.0,) * x.shape[2], _row(gaussian.mean), tuple(map(_row, gaussian.covariance)))
        for _ in range(MAX_ROUNDS):
            before, logit = logit, cls(_row(likeliest(logit.filled(x), place, ridge)), logit.mean, logit.covariance)
            if np.abs(np.subtract(logit.weights, before.weights)).max() < MIN_WEIGHT_CHANGE or not has_holes:
                break
        return logit

    def score(self, ranking_features: Sequence[FloatArray]) -> FloatArray:
        """Score candidates.

        Args:
            ranking_features: k arrays (m, c) of terms. A term that is not finite is missing.

        Returns:
            (m, c) finite scores.
        """
        missing, patterns = _missing(ranking_features)
        shares = np.zeros((len(ranking_features), 1 << len(ranking_features)))
        constant, w = np.zeros(1 << len(ranking_features)), np.array(self.weights)
        for pattern, absent in patterns:
            slope, intercept, residual = self._expected(absent)
            shares[~absent, pattern] = w[~absent] + w[absent] @ slope
            constant[pattern] = w[absent] @ intercept + w[absent] @ residual @ w[absent] / 2
        scores = constant[missing]
        for ranking_feature, share in zip(ranking_features, shares, strict=True):
            scores += share[missing] * np.where(np.isfinite(ranking_feature), ranking_feature, 0)
        return scores

    def filled(self, x: FloatArray) -> FloatArray:
        """Replace missing terms, so that the products with the weights are the scores.

        Args:
            x: (m, c, k) terms. A term that is not finite is missing.

        Returns:
            (m, c, k) finite terms.
        """
        full, w = x.copy(), np.array(self.weights)
        missing, patterns = _missing(list(np.moveaxis(x, 2, 0)))
        for pattern, absent in patterns:
            slope, intercept, residual = self._expected(absent)
            rows = missing == pattern
            terms = full[rows]
            terms[:, absent] = intercept + terms[:, ~absent] @ slope.T + residual @ w[absent] / 2
            full[rows] = terms
        return full

    def _expected(self, absent: NDArray[np.bool_]) -> tuple[FloatArray, FloatArray, FloatArray]:
        """The missing terms given the others: slope and intercept of their mean, and their covariance."""
        mean, s = np.array(self.mean), np.array(self.covariance)
        slope = s[absent][:, ~absent] @ np.linalg.pinv(s[~absent][:, ~absent], hermitian=True)
        return slope, mean[absent] - slope @ mean[~absent], s[absent][:, absent] - slope @ s[~absent][:, absent]


ALONE = Logit.first(1)
"""One term as it is."""


def likeliest(x: FloatArray, place: IntArray, ridge: float = RIDGE) -> FloatArray:
    """Maximise the log-likelihood less ridge / 2 * |w|^2 by Newton's method with halved steps; the function is concave.

    Args:
        x: (m, c, k) finite terms.
        place: (m,) place of the target among the candidates.
        ridge: Weight of the penalty.

    Returns:
        (k,) weights.
    """
    terms: NDArray[np.float64] = np.asarray(x, dtype=np.float64)
    w: NDArray[np.float64] = np.zeros(int(x.shape[2]))
    target: NDArray[np.float64] = np.take_along_axis(terms, place[:, None, None], axis=1)[:, 0]

    def value(w: NDArray[np.float64]) -> float:
        return float(log_share(terms @ w, place).sum() - ridge / 2 * (w @ w))

    for _ in range(100):
        scores = terms @ w
        p = np.exp(scores - scores.max(axis=1, keepdims=True))
        p /= p.sum(axis=1, keepdims=True)
        mean: NDArray[np.float64] = np.einsum("mc,mck->mk", p, terms)
        gradient = (target - mean).sum(axis=0) - ridge * w
        outer_products: NDArray[np.float64] = np.einsum("mc,mck,mcl->kl", p, terms, terms)
        hessian = outer_products - mean.T @ mean + ridge * np.eye(len(w))
        step = cast("NDArray[np.float64]", np.linalg.solve(hessian, gradient))
        while value(w + step) < value(w) and np.abs(step).max() > 1e-12:
            step = step / 2
        w = w + step
        if np.abs(step).max() < 1e-9:
            break
    return w


def _missing(ranking_features: Sequence[FloatArray]) -> tuple[IntArray, list[tuple[int, NDArray[np.bool_]]]]:
    """(m, c) bits of the missing terms, and each pattern of bits that occurs, with its (k,) mask."""
    bits = np.zeros(ranking_features[0].shape, dtype=np.int64)
    for number, ranking_feature in enumerate(ranking_features):
        bits |= (~np.isfinite(ranking_feature)).astype(np.int64) << number
    patterns = np.flatnonzero(np.bincount(bits.ravel()))
    terms = np.arange(len(ranking_features))
    return bits, [(int(pattern), (pattern >> terms & 1).astype(bool)) for pattern in patterns]


def log_share(scores: FloatArray, place: IntArray) -> FloatArray:
    """The log-likelihood of each target.

    Args:
        scores: (m, c).
        place: (m,) place of the target among the candidates.

    Returns:
        (m,) log of the target's share of exp(scores).
    """
    top = scores.max(axis=1, keepdims=True)
    total = np.log(np.exp(scores - top).sum(axis=1)) + top[:, 0]
    return np.take_along_axis(scores, place[:, None], axis=1)[:, 0] - total


def _row(values: FloatArray) -> tuple[float, ...]:
    return tuple(map(float, values))
