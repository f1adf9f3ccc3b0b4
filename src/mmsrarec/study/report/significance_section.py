"""The report's paired tests: against the strongest competitor and among our own rows at once, all others folded
away."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from mmsrarec.study.report.markup import row_label, section, sortable
from mmsrarec.study.report.metrics_section import HEADLINE, OURS, PROTOCOLS

NOTE = (
    "Two models answer for the same users. p is corrected for all comparisons of its table (Holm). Where the interval, "
    "which is not corrected, holds 0, or p is above .05, the difference may be luck: it is pale. All of it speaks of "
    "these trained models and of users like these; training again moves figures too, which takes several seeds to see."
)


def pairs_section(report: Mapping[str, Any]) -> str:
    """A table for each protocol and split, a line a pair, a column a metric; nothing without pairs."""
    found: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for pair in report["pairs"]:
        found.setdefault((pair["protocol"], pair.get("split", "")), []).append(pair)
    body = "".join(
        f"<h3>{escape(PROTOCOLS.get(protocol, protocol))}, {escape(split)}</h3>{pair_tables(pairs, report['rows'])}"
        for (protocol, split), pairs in found.items()
    )
    return section("Is the difference real?", NOTE, body) if body else ""


def pair_tables(pairs: Sequence[Mapping[str, Any]], rows: Sequence[Mapping[str, Any]]) -> str:
    """HTML of the pairs of one protocol and split. rows: the report's, which tell the strongest competitor."""
    if not pairs:
        return ""
    ours, best = _told_at_once(rows, pairs[0]["protocol"], pairs[0].get("split", ""))
    first = [pair for pair in pairs if pair["b"] in ours or pair["b"] == best]
    others = [pair for pair in pairs if pair not in first]
    folded = f"<details><summary>Against the other models</summary>{_table(others)}</details>" if others else ""
    return f"{_table(first) if first else ''}{folded}"


def _told_at_once(rows: Sequence[Mapping[str, Any]], protocol: str, split: str) -> tuple[set[str], str | None]:
    """Our own rows, and the best of the others, by the protocol's headline."""
    asked = [row for row in rows if (row["protocol"], row["split"]) == (protocol, split)]
    metric = HEADLINE.get(protocol)
    ours, competitors = set(), {}
    for row in asked:
        if row["model"] == OURS:
            ours.add(row_label(row))
        elif metric in row["metrics"]:
            competitors[row_label(row)] = row["metrics"][metric]["value"]
    return ours, max(competitors, key=competitors.__getitem__, default=None)


def _table(pairs: Sequence[Mapping[str, Any]]) -> str:
    metrics = list(dict.fromkeys(pair["metric"] for pair in pairs))
    lines: dict[tuple[str, str], dict[str, Mapping[str, Any]]] = {}
    for pair in pairs:
        lines.setdefault((pair["a"], pair["b"]), {})[pair["metric"]] = pair
    body = "".join(
        f'<tr><th scope="row">{escape(a)} <span class="against">against</span> {escape(b)}</th>'
        f"{''.join(difference_cell(told.get(metric)) for metric in metrics)}</tr>"
        for (a, b), told in lines.items()
    )
    return sortable(("pair", *metrics), body)


def difference_cell(pair: Mapping[str, Any] | None) -> str:
    """A difference, its interval and its corrected p as a cell of a table, pale where it may be luck."""
    if pair is None:
        return "<td>–</td>"
    value = pair.get("p_holm", pair["p"])
    p = "&lt; .001" if value < 0.001 else f"= {value:.3f}"
    pale = ' class="cost"' if value > 0.05 or pair["low"] <= 0 <= pair["high"] else ""
    return f"<td{pale}>{pair['difference']:+.4f}<small>{pair['low']:+.3f} to {pair['high']:+.3f}, p {p}</small></td>"
