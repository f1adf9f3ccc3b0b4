"""How much figures move when all that is drawn or trained behind stage 1 is drawn and trained anew, seed by seed."""

import re
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np

from mmsrarec.evaluate.significance import RESAMPLES
from mmsrarec.study.report.markup import row_label, section
from mmsrarec.study.report.metrics_section import PROTOCOLS, metrics_table
from mmsrarec.study.report.significance_section import pair_tables
from mmsrarec.study.results import ModelResult, row_metrics

GENERATOR_LABEL = "generators"
"""What several that propose together are called, whoever they are."""
NOTE = (
    "The mean of these seeds ± their standard deviation: all behind stage 1 is drawn and trained anew for each. Below: "
    "the 95 % interval over all users whom they asked about, each with the mean of their seeds. Proposers are whoever "
    "a seed chose."
)


def pooled(tables: Sequence[Sequence[ModelResult]]) -> list[tuple[ModelResult, Sequence[ModelResult]]]:
    """Each row that every seed's table has, as one row of all users whom any seed asked about, and those rows.

    Rows are known by `role`. Where users are split, other ones are asked about for each seed.
    """
    found = [{role(row): row for row in rows} for rows in tables]
    everywhere = [one for one in found[0] if all(one in others for others in found)] if found else []
    return [(_pool(one, rows), rows) for one in everywhere if (rows := [table[one] for table in found])]


def role(row: ModelResult) -> tuple[str, str, str, str]:
    """Protocol, split, model and variant without the names of whoever proposes: each seed chooses them for itself."""
    variant = re.sub(r"(fused with|re-ranks) [^\s,]+", lambda found: found[1].split()[0], row.variant)
    return row.protocol, row.split, GENERATOR_LABEL if "+" in row.model else row.model, variant


def _pool(role: tuple[str, str, str, str], rows: Sequence[ModelResult]) -> ModelResult:
    """A user asked w times of a mean of W counts w / W, about the mean over all answers: so that the mean over users is
    the one over seeds, and its interval that of a ratio (Taylor linearisation, users drawn whole)."""
    users, at, times = np.unique(np.concatenate([row.user for row in rows]), return_inverse=True, return_counts=True)
    metrics = {}
    for name in rows[0].metrics:
        answers = np.concatenate([row.metrics[name] for row in rows])
        own = np.bincount(at, answers) / times
        metrics[name] = answers.mean() + times / times.mean() * (own - answers.mean())
    return ModelResult(*role, rows[0].seed, users, metrics)


def spread(
    pools: Sequence[tuple[ModelResult, Sequence[ModelResult]]], resamples: int = RESAMPLES
) -> list[dict[str, Any]]:
    """What report.json says of `pooled` rows: of each metric the mean over the seeds (value), their standard deviation
    (sd, by n - 1), and the 95 % interval over the users."""
    told = []
    for row, rows in pools:
        metrics = {}
        for name, interval in row_metrics(row, seed=row.seed, resamples=resamples).items():
            means = [float(one.metrics[name].mean()) for one in rows]
            spread = {"value": float(np.mean(means)), "sd": float(np.std(means, ddof=1))}
            metrics[name] = spread | {"low": interval.low, "high": interval.high}
        where = {key: getattr(row, key) for key in ("protocol", "split", "model", "variant")}
        told.append({**where, "seeds": [one.seed for one in rows], "users": len(row.user), "metrics": metrics})
    return told


def deviations(pools: Sequence[tuple[ModelResult, Sequence[ModelResult]]]) -> dict[str, dict[str, float]]:
    """The standard deviation over seeds of each metric, by "protocol, split, label" of `pooled` rows."""
    return {
        f"{row.protocol}, {row.split}, {row.label}": {
            name: float(np.std([float(one.metrics[name].mean()) for one in rows], ddof=1)) for name in row.metrics
        }
        for row, rows in pools
    }


def spread_section(rows: Sequence[Mapping[str, Any]], pairs: Sequence[Mapping[str, Any]]) -> str:
    """HTML of all tables, each with its paired tests; empty without any."""
    tables = []
    for protocol, split in dict.fromkeys((str(row["protocol"]), str(row["split"])) for row in rows):
        own = [row for row in rows if (row["protocol"], row["split"]) == (protocol, split)]
        heading = f"{escape(PROTOCOLS.get(protocol, protocol))}, {escape(split)}, {own[0]['users']:,} users"
        tested = pair_tables([pair for pair in pairs if (pair["protocol"], pair["split"]) == (protocol, split)], own)
        tables.append(f"<h3>{heading}</h3>{metrics_table(list(map(row_label, own)), own)}{tested}")
    if not tables:
        return ""
    return section(f"Seeds {', '.join(map(str, rows[0]['seeds']))}", escape(NOTE), "".join(tables))
