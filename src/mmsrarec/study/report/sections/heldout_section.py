"""Stage 1 on items that tuning never saw: all measures with intervals, and information against length."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mmsrarec.study.report.environment import Section
from mmsrarec.study.report.formats import number
from mmsrarec.study.report.labels import union
from mmsrarec.study.report.plots.curves import Cloud, cloud_plot
from mmsrarec.study.report.plots.intervals import Dot, dot_plot
from mmsrarec.study.report.summary_facts import MEASURES, TUNED, SummaryFacts

MODALITIES = {"text": "Asked about texts", "picture": "Asked about pictures"}
COPIED = "Share of keywords copied from the title"
Measures = Mapping[str, Mapping[str, float]]
"""Metric -> value, low, high."""


def heldout_section(facts: SummaryFacts) -> Section | None:
    """A table for each modality, and the copied shares as a plot; None without any."""
    tables = [
        {
            "label": MODALITIES.get(modality, modality),
            "policies": list(policies),
            "lines": [
                (MEASURES.get(name, name), [_cell(measures.get(name), name) for measures in policies.values()])
                for name in union(policies.values())
            ],
        }
        for modality, policies in facts.heldout.items()
        if any(policies.values())
    ]
    dots = [dot for modality, policies in facts.heldout.items() for dot in _copied(modality, policies)]
    plot = dot_plot(dots, COPIED) if dots else None
    return Section("summaries/heldout", {"tables": tables, "plot": plot, "plot_title": COPIED}) if tables else None


def _cell(measure: Mapping[str, float] | None, name: str) -> dict[str, Any]:
    """A mean and its interval, with as many decimals; a dash where there is none."""
    mean, low, high = ((measure or {}).get(key) for key in ("value", "low", "high"))
    interval = f"{number(low, name, mean)} to {number(high, name, mean)}" if measure else ""
    return {"mean": number(mean, name), "interval": interval}


def _copied(modality: str, policies: Mapping[str, Measures]) -> Iterator[Dot]:
    for name in union(policies.values()):
        for policy, measures in policies.items() if name.startswith("copied") else ():
            if (share := measures.get(name)) and all(map(math.isfinite, share.values())):
                yield Dot(f"{modality}, {policy}", share["value"], share["low"], share["high"], policy == TUNED)


def length_section(facts: SummaryFacts) -> Section | None:
    """Information against length, item by item and over lists cut short; None where neither was measured."""
    clouds = [
        Cloud(policy, items, means, list(map(str, range(1, len(means) + 1))), policy == TUNED)
        for policy in union((facts.tradeoff, facts.points))
        if (items := _finite(facts.points.get(policy, ()))) + (means := _finite(facts.tradeoff.get(policy, ())))
    ]
    if not clouds:
        return None
    richness = [(policy, [f"{mean:.2f}" for mean in means]) for policy, means in facts.richness.items()]
    plot = cloud_plot(clouds, "Information against length", "tokens", "information")
    return Section("summaries/length", {"plot": plot, "richness": richness})


def _finite(points: Sequence[tuple[float | None, float | None]]) -> list[tuple[float, float]]:
    measured_points = ((x, y) for x, y in points if x is not None and y is not None)
    return [(x, y) for x, y in measured_points if math.isfinite(x) and math.isfinite(y)]
