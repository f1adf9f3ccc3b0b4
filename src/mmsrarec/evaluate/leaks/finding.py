"""What a leak check says, the world it asks, and the few statistics it needs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from mmsrarec.data.dataset import IntArray, Interactions
from mmsrarec.data.splits import Split
from mmsrarec.rankers.base import Ranker
from mmsrarec.recommend.prompt.prompt_context import Retrieval

Z_999 = 3.29
"""Standard errors: a sound run is beyond them once in a thousand checks."""
SIMULATIONS = 9999


@dataclass(frozen=True)
class Finding:
    """One check. passed: None where it only reports, or could not be made. means: what the figures say; advice: what
    to do where it has not passed."""

    check: str
    passed: bool | None
    measured: Mapping[str, Any]
    means: str
    advice: str
    split: str = field(default="", kw_only=True)

    def record(self) -> dict[str, Any]:
        """A JSON object; the advice only where there is something to do."""
        advice = "" if self.passed else self.advice
        head = {"check": self.check, "split": self.split, "passed": self.passed}
        return head | {"measured": dict(self.measured), "means": self.means, "advice": advice}


class RunView(Protocol):
    """A log as a run sees it: how it is held out, what is retrieved from it, and the rows that rank."""

    @property
    def split(self) -> Split: ...

    @property
    def retrieval(self) -> Retrieval: ...

    def row(self, name: str) -> Ranker:
        """A row of the table by its name, made from this log."""
        ...


Rebuild = Callable[[Interactions], RunView]
"""Makes the world of another log, by the very functions that the run uses: checks change a log and look."""


def uniform_p(counts: IntArray, seed: int) -> float:
    """Chance of counts at least as uneven, (cells,), were every cell as likely: chi-square by simulation."""
    counts = np.asarray(counts)
    mean = counts.sum() / len(counts)
    if not mean:
        return 1.0
    drawn = np.random.default_rng(seed).multinomial(counts.sum(), np.full(len(counts), 1 / len(counts)), SIMULATIONS)
    uneven = ((drawn - mean) ** 2).sum(axis=1) >= ((counts - mean) ** 2).sum() - 1e-9
    return float((1 + uneven.sum()) / (1 + SIMULATIONS))


def share_difference(hits_a: IntArray, strata_a: IntArray, hits_b: IntArray, strata_b: IntArray) -> tuple[float, float]:
    """Share of hits in a minus that in b among equals, and its standard error: (Mantel and Haenszel's difference,
    Greenland and Robins' variance). hits: (m,) 0 or 1; strata: (m,). (0, 0) where no stratum holds both."""
    total = difference = variance = 0.0
    for stratum in np.intersect1d(strata_a, strata_b):
        a, b = hits_a[strata_a == stratum], hits_b[strata_b == stratum]
        weight = len(a) * len(b) / (len(a) + len(b))
        total += weight
        difference += weight * (a.mean() - b.mean())
        variance += weight**2 * (a.var() / len(a) + b.var() / len(b))
    return (difference / total, variance**0.5 / total) if total else (0.0, 0.0)
