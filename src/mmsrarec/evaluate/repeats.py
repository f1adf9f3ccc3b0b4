"""How much figures move when all that is drawn or trained behind stage 1 is drawn and trained anew."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np

from mmsrarec.evaluate.markup import row_label, section, sortable

ROW = ("protocol", "split", "model", "variant")


def spread(reports: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Per row that every report has: each metric's mean and standard deviation (n - 1) over the reports.

    reports: contents of report.json, one a seed. Nothing for fewer than two. Whatever a seed decides moves: the split
    of users, the candidates, the initial weights, the order of training.
    """
    if len(reports) < 2:
        return []
    tables = [{tuple(row[name] for name in ROW): row for row in report["rows"]} for report in reports]
    found = []
    for where, first in tables[0].items():
        rows = [table[where] for table in tables if where in table]
        if len(rows) < len(tables):
            continue
        values = {name: [row["metrics"][name]["value"] for row in rows] for name in first["metrics"]}
        metrics = {
            name: {"mean": float(np.mean(one)), "sd": float(np.std(one, ddof=1))} for name, one in values.items()
        }
        seeds = [row["seed"] for row in rows]
        found.append({**dict(zip(ROW, where, strict=True)), "seeds": seeds, "metrics": metrics})
    return found


def spread_section(spreads: Sequence[Mapping[str, Any]]) -> str:
    """HTML of all tables; empty without any."""
    tables = []
    for protocol, split in dict.fromkeys((row["protocol"], row["split"]) for row in spreads):
        rows = [row for row in spreads if (row["protocol"], row["split"]) == (protocol, split)]
        names = list(dict.fromkeys(name for row in rows for name in row["metrics"]))
        body = ""
        for row in rows:
            cells = "".join(_cell(row["metrics"].get(name)) for name in names)
            body += f'<tr><th scope="row">{escape(row_label(row))}</th>{cells}</tr>'
        tables.append(f"<h3>{escape(protocol)}, {escape(split)}</h3>{sortable(('model', *names), body)}")
    if not tables:
        return ""
    seeds = ", ".join(map(str, spreads[0]["seeds"]))
    note = f"Seeds {seeds}: mean ± standard deviation over runs that drew and trained everything behind stage 1 anew."
    return section("Other seeds", escape(note), "".join(tables))


def _cell(metric: Mapping[str, float] | None) -> str:
    return "<td>–</td>" if metric is None else f"<td>{metric['mean']:.4f}<small>± {metric['sd']:.4f}</small></td>"
