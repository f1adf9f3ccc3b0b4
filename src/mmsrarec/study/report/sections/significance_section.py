"""The report's paired tests: those against the strongest other model and among our own rows first."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from mmsrarec.study.report.environment import Section
from mmsrarec.study.report.labels import HEADLINE, OURS, is_leaky, of_table, row_label, table_label


class PairTable(NamedTuple):
    """A line a pair of rows: (a, b, a `difference` or None for each metric)."""

    metrics: list[str]
    lines: list[tuple[str, str, list[dict[str, Any] | None]]]


class PairTables(NamedTuple):
    """The paired tests of one protocol and split; None where there are none.

    Attributes:
        first: Tests of our rows against each other and against the best of the other models.
        others: Tests against the other models.
    """

    first: PairTable | None
    others: PairTable | None


def significance_section(report: Mapping[str, Any]) -> Section | None:
    """The paired tests of each protocol and split; None without any."""
    tables = dict.fromkeys((pair["protocol"], pair.get("split", "")) for pair in report["pairs"])
    protocols = [
        (table_label(*table), pair_tables(of_table(report["pairs"], *table), of_table(report["rows"], *table)))
        for table in tables
    ]
    return Section("report/significance", {"protocols": protocols}) if protocols else None


def pair_tables(pairs: Sequence[Mapping[str, Any]], rows: Sequence[Mapping[str, Any]]) -> PairTables:
    """The pairs of one protocol and split, in two tables. rows: those of the report, which tell the best of others."""
    first_labels = {row_label(row) for row in rows if row["model"] == OURS} | {_best_of_others(rows)}
    first = [pair for pair in pairs if pair["b"] in first_labels]
    return PairTables(_pair_table(first), _pair_table([pair for pair in pairs if pair["b"] not in first_labels]))


def _best_of_others(rows: Sequence[Mapping[str, Any]]) -> str | None:
    """The label of the best row that is not ours, by the protocol's headline."""
    values = {
        row_label(row): row["metrics"][metric]["value"]
        for row in rows
        if row["model"] != OURS and not is_leaky(row) and (metric := HEADLINE.get(row["protocol"])) in row["metrics"]
    }
    return max(values, key=values.__getitem__, default=None)


def _pair_table(pairs: Sequence[Mapping[str, Any]]) -> PairTable | None:
    lines: dict[tuple[str, str], dict[str, dict[str, Any]]] = {}
    for pair in pairs:
        lines.setdefault((pair["a"], pair["b"]), {})[pair["metric"]] = difference(pair)
    metrics = list(dict.fromkeys(pair["metric"] for pair in pairs))
    table = PairTable(metrics, [(a, b, [cells.get(name) for name in metrics]) for (a, b), cells in lines.items()])
    return table if lines else None


def difference(pair: Mapping[str, Any]) -> dict[str, Any]:
    """A paired test for a cell of a table: difference, low, high, corrected p, and whether it may be luck (pale)."""
    p = pair.get("p_holm", pair["p"])
    pale = p > 0.05 or pair["low"] <= 0 <= pair["high"]
    return {**{key: pair[key] for key in ("difference", "low", "high")}, "p": p, "pale": pale}
