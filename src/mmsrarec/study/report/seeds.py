"""How much figures move when all that is drawn or trained behind stage 1 is drawn and trained anew, seed by seed."""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from mmsrarec.data.dataset import FloatArray
from mmsrarec.evaluate.significance import RESAMPLES
from mmsrarec.study.results import ModelResult, row_metrics

GENERATOR_LABEL = "generators"
"""What several that propose together are called, whoever they are."""


def pooled(tables: Sequence[Sequence[ModelResult]]) -> list[tuple[ModelResult, Sequence[ModelResult]]]:
    """Each row that every seed's table has, as one row of all users whom any seed asked about, and those rows.

    Rows are known by `role`. Where users are split, other ones are asked about for each seed.
    """
    by_role = [{role(row): row for row in rows} for rows in tables]
    shared = [name for name in by_role[0] if all(name in table for table in by_role)] if by_role else []
    return [(_pool(name, rows), rows) for name in shared if (rows := [table[name] for table in by_role])]


def role(row: ModelResult) -> tuple[str, str, str, str]:
    """Protocol, split, model and variant without the names of whoever proposes: each seed chooses them for itself."""
    variant = re.sub(r"(ensemble with|re-ranks) [^\s,]+", lambda match: match[1].split()[0], row.variant)
    return row.protocol, row.split, GENERATOR_LABEL if "+" in row.model else row.model, variant


def _pool(role: tuple[str, str, str, str], rows: Sequence[ModelResult]) -> ModelResult:
    """One row of all users of several seeds' rows.

    A user asked w times, of a mean of W, counts w / W about the mean over all answers. So the mean over users is the
    one over seeds, and its interval is that of a ratio (Taylor linearisation, users drawn whole).
    """
    users, at, times = np.unique(np.concatenate([row.user for row in rows]), return_inverse=True, return_counts=True)
    metrics: dict[str, FloatArray] = {}
    for name in rows[0].metrics:
        answers = np.concatenate([row.metrics[name] for row in rows])
        own = np.bincount(at, answers) / times
        metrics[name] = answers.mean() + times / times.mean() * (own - answers.mean())
    return ModelResult(*role, rows[0].seed, users, metrics)


def spread(
    pools: Sequence[tuple[ModelResult, Sequence[ModelResult]]], resamples: int = RESAMPLES
) -> list[dict[str, Any]]:
    """What report.json says of several seeds.

    Args:
        pools: As `pooled` gives them.
        resamples: How often users are drawn anew for the intervals.

    Returns:
        An entry for each row; of each metric the mean over the seeds (value), their standard deviation (sd, by n - 1),
        and the 95 % interval over the users (low, high).
    """
    records: list[dict[str, Any]] = []
    for row, rows in pools:
        metrics: dict[str, dict[str, float]] = {}
        for name, interval in row_metrics(row, seed=row.seed, resamples=resamples).items():
            means = [float(of_seed.metrics[name].mean()) for of_seed in rows]
            spread = {"value": float(np.mean(means)), "sd": float(np.std(means, ddof=1))}
            metrics[name] = spread | {"low": interval.low, "high": interval.high}
        where = {key: getattr(row, key) for key in ("protocol", "split", "model", "variant")}
        records.append(
            {**where, "seeds": [of_seed.seed for of_seed in rows], "users": len(row.user), "metrics": metrics}
        )
    return records


def deviations(pools: Sequence[tuple[ModelResult, Sequence[ModelResult]]]) -> dict[str, dict[str, float]]:
    """The standard deviation over seeds of each metric, by "protocol, split, label" of `pooled` rows."""
    return {
        f"{row.protocol}, {row.split}, {row.label}": {
            name: float(np.std([float(of_seed.metrics[name].mean()) for of_seed in rows], ddof=1))
            for name in row.metrics
        }
        for row, rows in pools
    }
