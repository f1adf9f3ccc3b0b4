"""The part of report.html that shows what was measured under one protocol: the table and its plots."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np

from mmsrarec.evaluate.metrics import measure
from mmsrarec.study.report.markup import figure, number, row_label, sortable
from mmsrarec.study.report.plots import Dot, Point, dot_plot, scatter

OURS = "mmsrarec"
HEADLINE = {"published": "HR@5", "full": "NDCG@10"}
PROTOCOLS = {
    "published": "One among twenty-one",
    "full": "The whole catalogue",
}
EXPLAINED = {
    "published": "Each test user's next item is put among items the user never touched, and the model ranks this short "
    "list. The figures compare with published tables; the task is easy, and popular items win it too cheaply.",
    "full": "Each test user's next item is looked for among all items that may be recommended to them. This is what a "
    "real recommender faces, so the figures are small and honest. Coverage is the share of the catalogue that stands "
    "among anybody's first ten.",
}
COST = {"tokens_per_user": "tokens", "calls_per_user": "calls", "ms_per_user": "ms", "peak_mb": "peak MB"}


def measured_section(report: Mapping[str, Any], protocol: str, split: str) -> str:
    """The rows of one protocol and split: plots with intervals and against time, the table, parts of the users."""
    rows = [row for row in report["rows"] if (row["protocol"], row["split"]) == (protocol, split)]
    labels = [row_label(row) for row in rows]
    if len(set(labels)) < len(labels):
        labels = [f"{label}, seed {row['seed']}" for label, row in zip(labels, rows, strict=True)]
    metric = HEADLINE.get(protocol, "")
    if metric not in rows[0]["metrics"]:
        metric = next(iter(rows[0]["metrics"]))
    named = [(label, row) for label, row in zip(labels, rows, strict=True) if metric in row["metrics"]]
    chance = _chance(report["facts"], protocol, split, metric)
    dashed = "" if chance is None else " The dashed line is chance."
    dots = [Dot(label, **row["metrics"][metric], strong=row["model"] == OURS) for label, row in named]
    figures = [figure(dot_plot(dots, metric, chance), f"{metric}, with 95 % intervals over users.{dashed}")]
    points = [
        Point(label, row["cost"]["ms_per_user"], row["metrics"][metric]["value"], row["model"] == OURS)
        for label, row in named
        if row["cost"].get("ms_per_user", 0) > 0
    ]
    if points:
        said = f"{metric} against time. The line joins what nothing cheaper is as good as; point at a dot for its name."
        figures.append(figure(scatter(points, f"{metric} against time"), said))
    facts = (fact for fact in report["facts"] if (fact["protocol"], fact["split"]) == (protocol, split))
    apart = [f" ({sealed:,} more are sealed)" for fact in facts if (sealed := fact.get("sealed_users"))]
    return (
        f'<section><p class="over">{escape(split)} · {rows[0]["users"]:,} users{"".join(apart)}</p>'
        f"<h2>{escape(PROTOCOLS.get(protocol, protocol))}</h2><p>{escape(EXPLAINED.get(protocol, ''))}</p>"
        f"{metrics_table(labels, rows)}"
        f'<div class="figures">{"".join(figures)}</div>{_slices(labels, rows)}</section>'
    )


def _chance(facts: Sequence[Mapping[str, Any]], protocol: str, split: str, metric: str) -> float | None:
    """What a constant scorer reads where the number of negatives is known."""
    for fact in facts:
        if (fact["protocol"], fact["split"]) == (protocol, split) and (n := fact.get("negatives")):
            return float(measure(np.zeros(1, dtype=np.int64), np.array([n]), n, (metric,))[metric][0])
    return None


def metrics_table(labels: Sequence[str], rows: Sequence[Mapping[str, Any]], users: bool = False) -> str:
    """Metrics with intervals, and deviations where there are any, the best in bold; then what the rows cost."""
    names = list(dict.fromkeys(name for row in rows for name in row["metrics"]))
    costs = [key for key in COST if any(key in row.get("cost", {}) for row in rows)]
    best = {n: max(row["metrics"][n]["value"] for row in rows if n in row["metrics"]) for n in names}
    covering = any(row.get("coverage") is not None for row in rows)
    head = ["model", *(["users"] if users else []), *names, *(["coverage"] if covering else [])]
    head += [COST[key] for key in costs]
    body = []
    for label, row in zip(labels, rows, strict=True):
        cells = [f"<td>{row['users']:,}</td>"] if users else []
        cells += [_cell(row["metrics"].get(name), best[name]) for name in names]
        cells += [f'<td class="cost">{number(row.get("coverage"), "coverage")}</td>'] if covering else []
        cells += [f'<td class="cost">{_amount(row["cost"].get(key))}</td>' for key in costs]
        ours = ' class="ours"' if row.get("model") == OURS else ""
        body.append(f'<tr{ours}><th scope="row">{escape(label)}</th>{"".join(cells)}</tr>')
    return sortable(head, "".join(body))


def _cell(metric: Mapping[str, float] | None, best: float) -> str:
    if metric is None:
        return "<td>–</td>"
    value = f"{metric['value']:.4f}"
    strong = f"<strong>{value}</strong>" if metric["value"] == best else value
    spread = f"<small>± {metric['sd']:.4f}</small>" if "sd" in metric else ""
    return f"<td>{strong}{spread}<small>{metric['low']:.3f}–{metric['high']:.3f}</small></td>"


def _amount(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:,.0f}" if value >= 10 or value == int(value) else f"{value:.2g}"


def _slices(labels: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> str:
    """The same metrics over parts of the users, folded away."""
    parts = []
    for name in dict.fromkeys(name for row in rows for name in row["slices"]):
        kept = [
            (label, {"model": row["model"], **row["slices"][name]})
            for label, row in zip(labels, rows, strict=True)
            if row["slices"].get(name, {}).get("users")
        ]
        if kept:
            told = metrics_table([k for k, _ in kept], [r for _, r in kept], users=True)
            parts.append(f"<h3>{escape(name)}</h3>{told}")
    return f"<details><summary>Parts of the users</summary>{''.join(parts)}</details>" if parts else ""
