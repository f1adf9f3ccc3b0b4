"""What was measured under one protocol and split: the table of all rows, its plots, and parts of the users."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from markupsafe import Markup

from mmsrarec.evaluate.metrics import measure
from mmsrarec.study.report.environment import Section
from mmsrarec.study.report.labels import HEADLINE, OURS, PROTOCOLS, is_leaky, of_table, row_label, union
from mmsrarec.study.report.plots.intervals import Dot, dot_plot
from mmsrarec.study.report.plots.scatter import Point, scatter

COSTS = {"tokens_per_user": "tokens", "calls_per_user": "calls", "ms_per_user": "ms", "peak_mb": "peak MB"}
Rows = Sequence[tuple[str, Mapping[str, Any]]]
"""(label, row of report.json or of a part of its users)."""


@dataclass(frozen=True)
class MetricsTable:
    """Metrics of rows, as `tables.html` writes them.

    Attributes:
        rows: (label, row); a row has model and metrics, and may have users, coverage and cost.
        users: Whether each row tells how many users it speaks of.
    """

    rows: Rows
    users: bool = False
    ours = OURS

    @cached_property
    def metrics(self) -> list[str]:
        """The names of all metrics."""
        return union(row["metrics"] for _, row in self.rows)

    @cached_property
    def best(self) -> dict[str, float]:
        """The largest value of each metric, of the rows that do not leak."""
        rows = [row for _, row in self.rows if not is_leaky(row)]
        columns = {name: [row["metrics"].get(name) for row in rows] for name in self.metrics}
        return {name: max((m["value"] for m in column if m), default=np.inf) for name, column in columns.items()}

    @cached_property
    def coverage(self) -> bool:
        """Whether any row has a coverage."""
        return any(row.get("coverage") is not None for _, row in self.rows)

    @cached_property
    def costs(self) -> list[str]:
        """The costs that any row has."""
        return [key for key in COSTS if any(key in row.get("cost", {}) for _, row in self.rows)]

    @cached_property
    def heads(self) -> list[str]:
        """The heads of the columns."""
        users, coverage = ["users"] * self.users, ["coverage"] * self.coverage
        return ["model", *users, *self.metrics, *coverage, *(COSTS[key] for key in self.costs)]


def metrics_section(report: Mapping[str, Any], protocol: str, split: str) -> Section:
    """The rows of one protocol and split."""
    rows = of_table(report["rows"], protocol, split)
    labels = [row_label(row) for row in rows]
    if len(set(labels)) < len(labels):
        labels = [f"{label}, seed {row['seed']}" for label, row in zip(labels, rows, strict=True)]
    named = list(zip(labels, rows, strict=True))
    facts = of_table(report["facts"], protocol, split)
    return Section(
        "report/metrics",
        {
            "protocol": protocol,
            "heading": PROTOCOLS.get(protocol, protocol),
            "split": split,
            "users": rows[0]["users"],
            "sealed": sum(fact.get("sealed_users") or 0 for fact in facts),
            "table": MetricsTable(named),
            "plots": _plots(named, facts, HEADLINE.get(protocol, "")),
            "parts": _parts(named),
        },
    )


def _plots(named: Rows, facts: Sequence[Mapping[str, Any]], metric: str) -> list[tuple[Markup, str]]:
    """Plots with their captions: the headline with its intervals, and against time where that was measured."""
    if metric not in named[0][1]["metrics"]:
        metric = next(iter(named[0][1]["metrics"]))
    named = [(label, row) for label, row in named if metric in row["metrics"]]
    chance = _chance(facts, metric)
    dots = [Dot(label, **row["metrics"][metric], strong=row["model"] == OURS) for label, row in named]
    dashed = "" if chance is None else " The dashed line is chance."
    plots = [(dot_plot(dots, metric, chance), f"{metric}, with 95 % intervals over users.{dashed}")]
    points = [
        Point(label, row["cost"]["ms_per_user"], row["metrics"][metric]["value"], row["model"] == OURS)
        for label, row in named
        if row["cost"].get("ms_per_user", 0) > 0 and not is_leaky(row)
    ]
    if points:
        title = f"{metric} against time"
        caption = f"{title}. The line joins what nothing cheaper is as good as; point at a dot for its name."
        plots.append((scatter(points, title), caption))
    return plots


def _chance(facts: Sequence[Mapping[str, Any]], metric: str) -> float | None:
    """What a constant scorer reaches where the number of negatives is known."""
    for fact in facts:
        if n := fact.get("negatives"):
            return float(measure(np.zeros(1, dtype=np.int64), np.array([n]), n, (metric,))[metric][0])
    return None


def _parts(named: Rows) -> list[tuple[str, MetricsTable]]:
    """The same metrics over parts of the users, those without any left out."""
    parts = {
        name: [
            (label, {"model": row["model"], **row["slices"][name]})
            for label, row in named
            if row["slices"].get(name, {}).get("users")
        ]
        for name in union(row["slices"] for _, row in named)
    }
    return [(name, MetricsTable(rows, users=True)) for name, rows in parts.items() if rows]
