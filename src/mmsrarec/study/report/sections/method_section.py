"""How the report was made: what was ranked for whom, leak checks, what a leak is worth, and the summaries' page."""

from collections.abc import Mapping
from typing import Any

from mmsrarec.rankers.registry.registry import leak_of
from mmsrarec.study.report.environment import Section
from mmsrarec.study.report.formats import number
from mmsrarec.study.report.labels import HEADLINE, table_label
from mmsrarec.study.report.plots.groups import Group, group_plot
from mmsrarec.study.report.plots.intervals import Dot
from mmsrarec.study.report.sections.catalogue_section import STATISTICS

FACTS = {
    "candidates": "ranked items",
    "users": "test users asked",
    "test_users": "test users of the split",
    "sealed_users": "sealed until the table is final",
    "left_out": "left out",
    "left_out_reason": "left out, because",
    "items": "items in the catalogue",
    "seed": "seed",
    "candidate_hash": "candidates, sha256",
    "tied_share": "last items that share their second with another",
    "cold_share": "targets unseen in training",
    "repeat_share": "targets that the user consumed before",
    "repeat_consumption": "repeat consumption",
    "context_share_training": "training targets in their collaborative context",
    "context_share_test": "test targets in theirs",
    "history": "history",
    "ties": "ties",
}
SHARES = {"tied_share", "cold_share", "repeat_share", "context_share_training", "context_share_test"}


def method_section(report: Mapping[str, Any]) -> Section:
    """What all figures mean, and the facts of each protocol and split."""
    return Section(
        "report/method",
        {
            "resamples": report["resamples"],
            "peak": any("peak_mb" in row["cost"] for row in report["rows"]),
            "notes": report["notes"],
            "tables": [(f"{fact['protocol']}, {fact['split']}", _facts(fact)) for fact in report["facts"]],
            "manifest": report["manifest"],
        },
    )


def _facts(fact: Mapping[str, Any]) -> list[tuple[str, Any]]:
    values = ((key, label, fact[key]) for key, label in FACTS.items() if fact.get(key) is not None)
    return [(label, f"{value:.1%}" if key in SHARES else value) for key, label, value in values]


def leaks_section(report: Mapping[str, Any]) -> Section | None:
    """What `mmsrarec check --leaks` found; None where it was not asked."""
    leaks = report.get("leaks", ())
    failed = sum(leak["passed"] is False for leak in leaks)
    return Section("report/leaks", {"leaks": leaks, "failed": failed}) if leaks else None


def leak_worth_section(report: Mapping[str, Any]) -> Section | None:
    """A table and a plot of each leaky row that stands beside its clean edition; None where none does."""
    rows = {(row["protocol"], row["split"], row["model"]): row for row in report["rows"] if row["variant"] == "whole"}
    pairs = [
        (rows[protocol, split, clean], row)
        for (protocol, split, model), row in rows.items()
        if (clean := leak_of(model)) and (protocol, split, clean) in rows
    ]
    if not pairs:
        return None
    lines: list[dict[str, Any]] = []
    groups: list[Group] = []
    for clean, leaky in pairs:
        table = table_label(leaky["protocol"], leaky["split"])
        for metric in clean["metrics"].keys() & leaky["metrics"].keys():
            values = [row["metrics"][metric]["value"] for row in (clean, leaky)]
            lines.append({"table": table, "metric": metric, "clean": values[0], "leaky": values[1]})
        metric = HEADLINE[leaky["protocol"]]
        dots = [Dot(row["model"], **row["metrics"][metric], strong=row is clean) for row in (clean, leaky)]
        groups.append(Group(f"{table}: {metric}", dots))
    lines.sort(key=lambda line: (line["table"], line["metric"]))
    names = [(clean["model"], leaky["model"]) for clean, leaky in pairs]
    plot = group_plot(groups, "The same model without and with the leak")
    return Section("report/leak_worth", {"lines": lines, "names": dict.fromkeys(names), "plot": plot})


def summaries_link_section(report: Mapping[str, Any]) -> Section | None:
    """Statistics of the item summaries and a link to their page; None without either."""
    figures: Mapping[str, Any] = report["attributes"] or {}
    attributes = [
        (STATISTICS.get(name, name), number(value, name) if name in STATISTICS else value)
        for name, value in figures.items()
    ]
    data = {"attributes": attributes, "summaries": report.get("summaries", False)}
    return Section("report/item_summaries", data) if any(data.values()) else None
