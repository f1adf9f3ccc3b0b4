"""How much figures move from seed to seed: a table for each protocol and split, with its paired tests."""

from collections.abc import Mapping
from typing import Any

from mmsrarec.study.report.environment import Section
from mmsrarec.study.report.labels import of_table, row_label, table_label
from mmsrarec.study.report.sections.metrics_section import MetricsTable
from mmsrarec.study.report.sections.significance_section import pair_tables


def seeds_section(report: Mapping[str, Any]) -> Section | None:
    """What report.json calls "spread" and "spread_pairs"; None without any."""
    spread, pairs = report.get("spread", ()), report.get("spread_pairs", ())
    tables: list[dict[str, Any]] = []
    for table in dict.fromkeys((row["protocol"], row["split"]) for row in spread):
        rows = of_table(spread, *table)
        tables.append(
            {
                "label": table_label(*table),
                "users": rows[0]["users"],
                "metrics": MetricsTable([(row_label(row), row) for row in rows]),
                "pairs": pair_tables(of_table(pairs, *table), rows),
            }
        )
    return Section("report/seeds", {"seeds": spread[0]["seeds"], "tables": tables}) if tables else None
