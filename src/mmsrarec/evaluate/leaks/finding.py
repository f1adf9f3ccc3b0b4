"""The result of a leak check, the view of a run that it inspects, and the statistics that it needs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from mmsrarec.data.dataset import IntArray, Interactions
from mmsrarec.data.splits import Split
from mmsrarec.rankers.base import Ranker
from mmsrarec.recommend.prompt.prompt_context import Retrieval

Z_999 = 3.29
"""Standard errors that a sound run exceeds once in a thousand checks: the two-sided 99.9 % quantile of the normal."""
Hits: TypeAlias = NDArray[np.bool_] | IntArray
SIMULATIONS = 9999
"""Number of simulated draws of a chi-square test."""


@dataclass(frozen=True)
class Finding:
    """The result of one check.

    Attributes:
        check: Name of the check.
        passed: Whether it passed; None where it only reports, or could not be made.
        measured: Name to figure.
        means: What the figures say.
        advice: What to do where it did not pass.
        split: Name of the split.
    """

    check: str
    passed: bool | None
    measured: Mapping[str, Any]
    means: str
    advice: str
    split: str = field(default="", kw_only=True)

    def record(self) -> dict[str, Any]:
        """The result as a JSON object, with the advice only where the check did not pass."""
        advice = "" if self.passed else self.advice
        head = {"check": self.check, "split": self.split, "passed": self.passed}
        return head | {"measured": dict(self.measured), "means": self.means, "advice": advice}


class RunView(Protocol):
    """A log as a run sees it: its split, its retrieval, and the models that rank."""

    @property
    def split(self) -> Split:
        """The log with its held-out parts."""
        ...

    @property
    def retrieval(self) -> Retrieval:
        """Stage 2, built from the training part."""
        ...

    def row(self, name: str) -> Ranker:
        """The model of a row of the table, fitted on this log."""
        ...


Rebuild = Callable[[Interactions], RunView]
"""Builds the view of another log by the functions that the run uses. A check changes a log and looks at the view."""


def uniform_p(counts: IntArray, seed: int) -> float:
    """Test whether counts are uniform by a simulated chi-square test (Pearson 1900).

    Args:
        counts: (cells,) counts.
        seed: Seed of the simulation.

    Returns:
        p-value of counts at least as uneven where all cells are equally likely.
    """
    counts = np.asarray(counts)
    mean = counts.sum() / len(counts)
    if not mean:
        return 1.0
    draws = np.random.default_rng(seed).multinomial(counts.sum(), np.full(len(counts), 1 / len(counts)), SIMULATIONS)
    uneven = ((draws - mean) ** 2).sum(axis=1) >= ((counts - mean) ** 2).sum() - 1e-9
    return float((1 + uneven.sum()) / (1 + SIMULATIONS))


def share_difference(hits_a: Hits, strata_a: IntArray, hits_b: Hits, strata_b: IntArray) -> tuple[float, float]:
    """The difference of two shares of hits within strata.

    It is the Mantel-Haenszel risk difference (Mantel and Haenszel 1959) with the variance of Greenland and Robins
    (1985).

    Args:
        hits_a: (m,) 0 or 1 of the first group.
        strata_a: (m,) strata of the first group.
        hits_b: (n,) 0 or 1 of the second group.
        strata_b: (n,) strata of the second group.

    Returns:
        Share of the first minus share of the second, and its standard error; (0, 0) where no stratum holds both groups.
    """
    total = difference = variance = 0.0
    for stratum in np.intersect1d(strata_a, strata_b):
        a, b = hits_a[strata_a == stratum], hits_b[strata_b == stratum]
        weight = len(a) * len(b) / (len(a) + len(b))
        total += weight
        difference += weight * (a.mean() - b.mean())
        variance += weight**2 * (a.var() / len(a) + b.var() / len(b))
    return (difference / total, variance**0.5 / total) if total else (0.0, 0.0)
