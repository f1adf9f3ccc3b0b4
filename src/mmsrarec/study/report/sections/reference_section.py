"""Figures beside those of the run: what papers print, and how a figure moves with what was swept."""

from collections.abc import Mapping, Sequence
from typing import Any

from mmsrarec.study.report.environment import Section
from mmsrarec.study.report.labels import HEADLINE, OURS, row_label, union
from mmsrarec.study.report.plots.curves import Line, line_plot

WIDE = 20
"""How many times the first count the last one is, at least, where a plot has a logarithmic axis."""


def reference_section(report: Mapping[str, Any]) -> Section | None:
    """Figures of papers beside our own of the same protocol; None where none are known."""
    papers = report.get("published", ())
    metrics = union(row["metrics"] for row in papers)
    ours: list[dict[str, Any]] = [
        {
            "model": row_label(row),
            "source": f"this run, {row['split']}",
            "ours": True,
            "metrics": {name: metric["value"] for name, metric in row["metrics"].items()},
        }
        for row in report["rows"]
        if row["protocol"] == "published" and row["model"] == OURS
    ]
    rows = [
        {"ours": False, **row, "figures": [row["metrics"].get(name) for name in metrics]} for row in (*ours, *papers)
    ]
    return Section("report/reference_results", {"metrics": metrics, "rows": rows}) if papers else None


def sweeps_section(report: Mapping[str, Any]) -> Section | None:
    """How the headline of the published protocol moves with what was swept; None where nothing was."""
    metric = HEADLINE["published"]
    plots = [
        (line_plot([_curve(metric, points)], name, name, powers=_is_wide(points)), name)
        for name, points in report.get("sweeps", {}).items()
    ]
    return Section("report/sweeps", {"metric": metric, "plots": plots}) if plots else None


def _is_wide(points: Sequence[Mapping[str, Any]]) -> bool:
    """Whether counts lie so far apart that the small ones would fall together on a linear axis."""
    return points[-1]["count"] >= WIDE * points[0]["count"] > 0


def _curve(metric: str, points: Sequence[Mapping[str, Any]]) -> Line:
    figures = [(point["count"], point["metrics"][metric]) for point in points]
    spread = [(figure["high"] - figure["low"]) / 2 for _, figure in figures]
    return Line(metric, [(count, figure["value"]) for count, figure in figures], spread, strong=True)
