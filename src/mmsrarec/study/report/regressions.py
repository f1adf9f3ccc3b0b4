"""Regressions: where our row falls behind the strongest other row, by part of the users and user by user."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from mmsrarec.data.dataset import IntArray
from mmsrarec.evaluate.significance import RESAMPLES, holm, paired
from mmsrarec.rankers.registry.registry import leak_of
from mmsrarec.study.report.labels import HEADLINE, OURS
from mmsrarec.study.results import ModelResult

HIT_METRICS = {"published": "HR@5", "full": "HR@10"}
"""Protocol to the metric by which the target of a user counts as hit or missed."""


def regressions(
    ours: ModelResult, competitor: ModelResult, seed: int = 0, resamples: int = RESAMPLES
) -> dict[str, Any]:
    """Compare two rows in every part of their users.

    Args:
        ours: A row of the same users as `competitor`.
        competitor: The row to beat.
        seed: Of the bootstrap and the permutations, as `resamples` is.
        resamples: How often users are drawn anew.

    Returns:
        An entry of report.json's "worse": for all users and each slice of them a paired test of the headline, and how
        many users were gained and lost; the worst part first.
    """
    metric, hit_metric = HEADLINE[ours.protocol], HIT_METRICS[ours.protocol]
    parts: list[dict[str, Any]] = []
    for name, mask in {"all users": np.ones(len(ours.user), dtype=bool), **ours.slices}.items():
        if mask.any():
            change = (ours.metrics[hit_metric] - competitor.metrics[hit_metric])[mask]
            parts.append(
                {
                    "part": name,
                    "users": int(mask.sum()),
                    **asdict(paired(ours.metrics[metric][mask], competitor.metrics[metric][mask], seed, resamples)),
                    "gained": int((change > 0).sum()),
                    "lost": int((change < 0).sum()),
                }
            )
    for part, p in zip(parts, holm([part["p"] for part in parts]), strict=True):
        part["p_holm"] = p
    parts.sort(key=lambda part: part["difference"])
    labels = {"a": ours.label, "b": competitor.label, "metric": metric, "found": hit_metric}
    return {"protocol": ours.protocol, "split": ours.split, **labels, "parts": parts}


def competitors(rows: Sequence[ModelResult], ours: ModelResult) -> list[ModelResult]:
    """The rows of the same table that are not ours, but for several fused and for what leaks."""
    table = [row for row in rows if (row.protocol, row.split) == (ours.protocol, ours.split)]
    return [row for row in table if row.model != OURS and "+" not in row.model and not leak_of(row.model)]


def strongest(rows: Sequence[ModelResult]) -> ModelResult:
    """The row that is best by the headline of its protocol."""
    return max(rows, key=lambda row: float(row.metrics[HEADLINE[row.protocol]].mean()))


def largest_losses(ours: ModelResult, competitor: ModelResult, most: int) -> dict[int, str]:
    """The users who lose most by the headline.

    Args:
        ours: A row of full ranking, where MRR tells the place of the next item; nobody loses in others.
        competitor: The row to beat, of the same users.
        most: How many users at most.

    Returns:
        User code -> in words what the user loses, the largest loss first.
    """
    if ours.protocol != "full":
        return {}
    metric = HEADLINE[ours.protocol]
    loss = competitor.metrics[metric] - ours.metrics[metric]
    places: IntArray = np.argsort(-loss, kind="stable")[:most]
    return {int(ours.user[place]): _places(ours, competitor, int(place)) for place in places if loss[place] > 0}


def _places(ours: ModelResult, competitor: ModelResult, user: int) -> str:
    here, there = (round(1 / float(row.metrics["MRR"][user])) for row in (ours, competitor))
    return f"{competitor.label} had it at place {there:,}, {ours.label} at place {here:,}."
