"""What a leak is worth: rows that look at what they should predict, each beside the row that does the same without."""

from collections.abc import Mapping
from typing import Any

from mmsrarec.rankers.registry.registry import leak_of
from mmsrarec.study.report.environment import Section
from mmsrarec.study.report.labels import HEADLINE, table_label
from mmsrarec.study.report.plots.groups import Group, group_plot
from mmsrarec.study.report.plots.intervals import Dot


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
