"""The curves of tuning on summaries.html: rewards with their spread, keywords, and shares to watch, over steps."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np
from markupsafe import Markup

from mmsrarec.study.report.environment import Section
from mmsrarec.study.report.labels import union
from mmsrarec.study.report.plots.curves import Line, line_plot
from mmsrarec.study.report.summary_facts import MEASURES

PHASES = {"warm start": "Warm start", "grpo": "Reinforcement learning (GRPO)"}
MAX_POINTS = 120
"""Points of a curve; neighbouring steps are averaged down to them."""


def tuning_section(curve: Sequence[Mapping[str, Any]]) -> Section | None:
    """All curves, phase by phase (see `summary_facts.SummaryFacts.curve`); None without any."""
    phases: dict[str, list[Mapping[str, Any]]] = {}
    for entry in curve:
        phases.setdefault(str(entry.get("phase") or ""), []).append(entry)
    data = {
        "bands": any(entry.get("rewards") for entry in curve),
        "most_points": MAX_POINTS if len(curve) > MAX_POINTS else None,
        "phases": [(PHASES.get(phase, phase), plots) for phase, own in phases.items() if (plots := _plots(own))],
    }
    return Section("summaries/tuning", data) if data["phases"] else None


def _plots(entries: Sequence[Mapping[str, Any]]) -> list[tuple[Markup, str]]:
    """Plots with their names."""
    rewards = sorted(union(entry.get("rewards") or {} for entry in entries), key=lambda name: name != "total")
    plots: list[tuple[str, list[Line], bool]] = []
    if "total" not in rewards:
        plots.append(("total reward", [_line("reward", entries, "reward")], False))
    for name in rewards:
        line = _line(name, entries, "rewards", name, "mean", spread=("rewards", name, "std"))
        plots.append((MEASURES.get(name, name), [line], False))
    shares = [_line("malformed", entries, "malformed"), _line("copied", entries, "copied", strong=False)]
    plots.append(("keywords an answer", [_line("keywords", entries, "keywords")], True))
    plots.append(("malformed and copied shares", shares, True))
    plots.append(("loss", [_line("loss", entries, "loss")], False))
    plots_with_points = ((name, [line for line in lines if line.points], zero) for name, lines, zero in plots)
    return [(line_plot(lines, name, zero=zero), name) for name, lines, zero in plots_with_points if lines]


def _line(
    label: str, entries: Sequence[Mapping[str, Any]], *path: str, spread: Sequence[str] = (), strong: bool = True
) -> Line:
    """What stands at `path` in the entries that have it, over their steps."""
    points = [
        (_at(entry, "step", default=i), value, _at(entry, *spread, default=0.0) if spread else 0.0)
        for i, entry in enumerate(entries)
        if not math.isnan(value := _at(entry, *path))
    ]
    parts = np.array_split(np.array(sorted(points)), min(len(points), MAX_POINTS)) if points else []
    rows = [part.mean(axis=0) for part in parts]
    deviations = [float(row[2]) for row in rows]
    return Line(label, [(float(x), float(y)) for x, y, _ in rows], deviations if any(deviations) else (), strong)


def _at(entry: Any, *path: str, default: float = math.nan) -> float:
    """The finite number at `path`, or the default."""
    for key in path:
        entry = cast("Mapping[str, Any]", entry).get(key) if isinstance(entry, Mapping) else None
    return float(entry) if isinstance(entry, int | float) and math.isfinite(entry) else default
