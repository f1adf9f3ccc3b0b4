"""Diagnostics of each split: where its rows differ, and what the language model reads and learns."""

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from mmsrarec.study.report.environment import Section
from mmsrarec.study.report.labels import OURS
from mmsrarec.study.report.plots.curves import Line, line_plot
from mmsrarec.study.report.plots.groups import Group, group_plot
from mmsrarec.study.report.plots.intervals import Dot
from mmsrarec.study.report.sections.significance_section import difference

PLOTTED = "HR@5"
"""The metric that the slices are plotted by."""


def diagnostics_sections(report: Mapping[str, Any]) -> list[Section]:
    """A section for each split of report.json's "diagnostics" that has rows."""
    entries = [entry for entry in report.get("diagnostics", ()) if entry["users"]]
    return [Section("report/diagnostics", _data(entry)) for entry in entries]


def _data(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "split": entry["split"],
        "users": entry["users"],
        "overlap": entry["overlap"],
        "matrix": [] if entry["overlap"] is None else overlap_matrix(entry["overlap"]),
        "headroom": entry["headroom"],
        "slices": [slice_data(each, plotted_rows(entry)) for each in entry["slices"]],
        "plotted": plotted_rows(entry),
        "histories": entry["histories"],
        "history_lines": [] if entry["histories"] is None else history_lines(entry["histories"]),
        "words": entry["words_logit"],
        "words_lines": [] if entry["words_logit"] is None else words_lines(entry["words_logit"]),
        "words_differences": [] if entry["words_logit"] is None else words_differences(entry["words_logit"]),
        "curves": learning_plots(entry["curves"]),
        "ours": OURS,
    }


def overlap_matrix(overlap: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The lines of one table: Jaccard below the diagonal, union above it, HR@5 on it.

    Args:
        overlap: "overlap" of report.json.

    Returns:
        For each row its number from 1, label, whether it is ours, and its cells.
    """
    lines: list[dict[str, Any]] = []
    for number, label in enumerate(overlap["rows"]):
        cells = [
            {
                "kind": "jaccard" if column < number else "union" if column > number else "hits",
                "value": overlap["jaccard" if column < number else "union"][number][column],
            }
            for column in range(len(overlap["rows"]))
        ]
        lines.append({"number": number + 1, "label": label, "ours": overlap["ours"][number], "cells": cells})
    return lines


def plotted_rows(entry: Mapping[str, Any]) -> list[str]:
    """The labels of the rows that plots show: the language model by itself, and the best row without one."""
    best = entry["headroom"]
    labels = [OURS, *([best["row"]] if best else [])]
    measured = {label for each in entry["slices"] for part in each["parts"] for label in part["rows"]}
    return [label for label in labels if label in measured]


def slice_data(slicing: Mapping[str, Any], plotted: Sequence[str]) -> dict[str, Any]:
    """The table of each metric, and the plot, of the slices by one quantity."""
    parts = slicing["parts"]
    labels = list(parts[0]["rows"]) if parts else []
    metrics = list(parts[0]["rows"][labels[0]]) if labels else []
    tables = [
        {
            "metric": metric,
            "best": [max(figures[metric]["value"] for figures in part["rows"].values()) for part in parts],
            "lines": [(label, [part["rows"][label][metric] for part in parts]) for label in labels],
        }
        for metric in metrics
    ]
    heads = [f"{part['slice']} · {part['users']:,} user{'s' * (part['users'] != 1)}" for part in parts]
    return {
        "by": slicing["by"],
        "note": slicing["note"],
        "heads": heads,
        "tables": tables,
        "plot": _slice_plot(slicing, heads, plotted),
    }


def _slice_plot(slicing: Mapping[str, Any], heads: Sequence[str], plotted: Sequence[str]) -> Markup | None:
    groups = [
        Group(head, [Dot(label, **part["rows"][label][PLOTTED], strong=label == OURS) for label in plotted])
        for head, part in zip(heads, slicing["parts"], strict=True)
    ]
    return group_plot(groups, f"{PLOTTED} by {slicing['by']}") if groups and plotted else None


def history_lines(histories: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The lines of the table of changed histories: model, history, and per metric its mean and its difference."""
    return [
        {
            "model": line["model"],
            "history": line["history"],
            "cells": [
                (metric, difference(line["differences"][name]) if name in line["differences"] else None)
                for name, metric in line["metrics"].items()
            ],
        }
        for line in histories["lines"]
    ]


def words_lines(words: Mapping[str, Any]) -> list[tuple[str, list[Any]]]:
    """The lines of the table of the words-logit: its metrics, and the language model's."""
    names = list(words["metrics"])
    return [
        (words["name"], [words["metrics"][name] for name in names]),
        (OURS, [words["ours"][name] for name in names]),
    ]


def words_differences(words: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The differences of the language model to the words-logit, for cells of the table."""
    return [difference(each) for each in words["differences"].values()]


def learning_plots(curves: Sequence[Mapping[str, Any]]) -> list[tuple[Markup, str]]:
    """Loss, and share of packs whose positive ranks first, against packs; empty without curves."""
    plots: list[tuple[Markup, str]] = []
    for name, title in (("loss", "loss of a pack"), ("first", "share of packs whose positive ranks first")):
        lines = [
            Line(
                f"{curve['packs']:,}",
                [(point["packs"], point[name]) for point in curve["points"]],
                strong=curve["variant"] == "whole",
            )
            for curve in curves
        ]
        if lines:
            plots.append((line_plot(lines, title, "packs"), title))
    return plots
