"""The curves of tuning on summaries.html: rewards with their spread, keywords, and shares to watch, over steps."""

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np

from mmsrarec.study.report.curves import Line, line_plot
from mmsrarec.study.report.item_examples import METRICS

PHASES = {"warm start": "Warm start", "grpo": "Reinforcement learning (GRPO)"}
DRAWN = 120
"""Points of a curve; neighbouring steps are averaged down to them."""


def tuning_section(curve: Sequence[Mapping[str, Any]]) -> str:
    """HTML of all curves, phase by phase (see `summaries.SummaryFacts.curve`); empty without any."""
    parts = []
    for phase in dict.fromkeys(str(entry.get("phase") or "") for entry in curve):
        if plots := _plots([entry for entry in curve if str(entry.get("phase") or "") == phase]):
            heading = f"<h3>{escape(PHASES.get(phase, phase))}</h3>" if phase else ""
            parts.append(f'{heading}<div class="figures small">{"".join(plots)}</div>')
    if not parts:
        return ""
    note = "What was logged while the policy was tuned."
    if any(entry.get("rewards") for entry in curve):
        note += " A band is one standard deviation to either side of the mean over a step’s answers."
    if len(curve) > DRAWN:
        note += f" Curves of more than {DRAWN} steps are averaged over neighbouring steps."
    return f"<section><h2>Tuning, step by step</h2><p>{note}</p>{''.join(parts)}</section>"


def _plots(entries: Sequence[Mapping[str, Any]]) -> list[str]:
    names: list[str] = list(dict.fromkeys(name for entry in entries for name in entry.get("rewards") or ()))
    found: list[tuple[str, list[Line], bool]] = []
    if "total" not in names:
        found.append(("total reward", [_line("reward", entries, "reward")], False))
    for name in sorted(names, key=lambda name: name != "total"):
        mean, spread = ("rewards", name, "mean"), ("rewards", name, "std")
        found.append((METRICS.get(name, name), [_line(name, entries, *mean, spread=spread)], False))
    shares = [_line("malformed", entries, "malformed"), _line("copied", entries, "copied", strong=False)]
    found.append(("keywords an answer", [_line("keywords", entries, "keywords")], True))
    found.append(("malformed and copied shares", shares, True))
    found.append(("loss", [_line("loss", entries, "loss")], False))
    drawn = ((name, [line for line in lines if line.points], zero) for name, lines, zero in found)
    return [
        f"<figure><figcaption>{escape(name)}</figcaption>{line_plot(lines, name, zero=zero)}</figure>"
        for name, lines, zero in drawn
        if lines
    ]


def _line(
    label: str, entries: Sequence[Mapping[str, Any]], *path: str, spread: Sequence[str] = (), strong: bool = True
) -> Line:
    """What stands at `path` in the entries that have it, over their steps."""
    found = [
        (_at(entry, "step", default=i), value, _at(entry, *spread, default=0.0) if spread else 0.0)
        for i, entry in enumerate(entries)
        if not math.isnan(value := _at(entry, *path))
    ]
    parts = np.array_split(np.array(sorted(found)), min(len(found), DRAWN)) if found else []
    rows = [part.mean(axis=0) for part in parts]
    deviations = [float(row[2]) for row in rows]
    return Line(label, [(float(x), float(y)) for x, y, _ in rows], deviations if any(deviations) else (), strong)


def _at(entry: Any, *path: str, default: float = math.nan) -> float:
    """The finite number at `path`, or the default."""
    for key in path:
        entry = entry.get(key) if isinstance(entry, Mapping) else None
    return float(entry) if isinstance(entry, int | float) and math.isfinite(entry) else default
