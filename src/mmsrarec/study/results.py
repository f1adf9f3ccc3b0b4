"""The result of one model under one protocol: its figures for each user, stored in a file, and paired tests."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmsrarec.data.dataset import FloatArray, IntArray
from mmsrarec.errors import MmsrarecError
from mmsrarec.evaluate.significance import RESAMPLES, Interval, holm, intervals, paired

COSTS = ("tokens_per_user", "calls_per_user", "ms_per_user", "peak_mb")
"""Costs of a query: tokens read, calls of the language model, milliseconds; and peak_mb, the megabytes of the language
model's weights and of what ranking added to the process at its peak (`core.memory.PeakMemory`)."""


@dataclass(frozen=True, eq=False)
class ModelResult:
    """One model under one protocol on one split: a row of a table.

    Attributes:
        protocol: "published" or "full".
        split: Name of the split.
        model: Name of the model.
        variant: Name of the variant; "" or "whole": none.
        seed: Seed of the run.
        user: (m,) codes of the test users.
        metrics: Name to (m,) values of the users.
        cost: Name, one of `COSTS`, to its value.
        slices: Name to an (m,) mask of users that are also reported apart.
        coverage: Share of the catalogue among the first ten of any user; only where the whole catalogue is ranked.
    """

    protocol: str
    split: str
    model: str
    variant: str
    seed: int
    user: IntArray
    metrics: Mapping[str, FloatArray]
    cost: Mapping[str, float] = field(default_factory=dict[str, float])
    slices: Mapping[str, NDArray[np.bool_]] = field(default_factory=dict[str, NDArray[np.bool_]])
    coverage: float | None = None

    def __post_init__(self) -> None:
        lengths = {len(a) for a in (self.user, *self.metrics.values(), *self.slices.values())}
        if len(lengths) != 1:
            raise ValueError(f"{self.label}: metrics and slices need one value a user, lengths are {sorted(lengths)}")
        if unknown := set(self.cost) - set(COSTS):
            raise ValueError(f"{self.label}: unknown costs {sorted(unknown)}")

    @property
    def label(self) -> str:
        """The name of the model, with its variant where it has one."""
        return self.model if self.variant in ("", "whole") else f"{self.model}, {self.variant}"


def save_row(folder: Path, row: ModelResult) -> Path:
    """Write a row as a JSON file that is named after it. The same row overwrites itself.

    Args:
        folder: Where the file is written.
        row: The row.

    Returns:
        The path of the file.
    """
    name = "--".join((row.protocol, row.split, row.model, row.variant or "whole", str(row.seed)))
    path = folder / (re.sub(r"[^\w.-]+", "_", name) + ".json")
    arrays = {"user": row.user.tolist()} | {
        kind: {key: values.tolist() for key, values in getattr(row, kind).items()} for kind in ("metrics", "slices")
    }
    head = {key: getattr(row, key) for key in ("protocol", "split", "model", "variant", "seed", "coverage")}
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({**head, "cost": dict(row.cost), **arrays}, allow_nan=False), encoding="utf-8")
    return path


def load_row(path: Path) -> ModelResult:
    """Read what `save_row` wrote.

    Args:
        path: The file.

    Returns:
        The row.

    Raises:
        MmsrarecError: The file holds no row.
    """
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        record["user"] = np.asarray(record["user"], dtype=np.int64)
        record["metrics"] = {key: np.asarray(values, dtype=float) for key, values in record["metrics"].items()}
        record["slices"] = {key: np.asarray(values, dtype=bool) for key, values in record["slices"].items()}
        return ModelResult(**record)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise MmsrarecError(f"{path} is not a row of figures: remove it and evaluate again ({error})") from error


def row_metrics(
    row: ModelResult, mask: NDArray[np.bool_] | None = None, seed: int = 0, resamples: int = RESAMPLES
) -> dict[str, Interval]:
    """The mean and the 95 % interval of each metric.

    Args:
        row: The row.
        mask: (m,) mask of the users that count; None: all.
        seed: Seed of the bootstrap.
        resamples: Number of resamples.

    Returns:
        Metric to its interval; empty where no user counts.
    """
    users = np.ones(len(row.user), dtype=bool) if mask is None else mask
    metrics = {name: values[users] for name, values in row.metrics.items()}
    return intervals(metrics, seed, resamples) if users.any() else {}


def corrected(pairs: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Correct the p-values of paired tests for all tests of the same table (`significance.holm`).

    Args:
        pairs: Entries of report.json's "pairs".

    Returns:
        Copies of the entries with the key "p_holm".
    """
    records = [dict(pair) for pair in pairs]
    for table in dict.fromkeys((pair["protocol"], pair.get("split")) for pair in records):
        table_records = [pair for pair in records if (pair["protocol"], pair.get("split")) == table]
        for pair, p in zip(table_records, holm([pair["p"] for pair in table_records]), strict=True):
            pair["p_holm"] = p
    return records


def compare_rows(
    a: ModelResult, b: ModelResult, metrics: Sequence[str] | None = None, seed: int = 0, resamples: int = RESAMPLES
) -> list[dict[str, Any]]:
    """Test two rows of one table against each other (`significance.paired`).

    Args:
        a: The first row.
        b: The second row, of the same users.
        metrics: Metrics to test; None: all that both have.
        seed: Seed of the bootstrap and the permutations.
        resamples: Number of bootstrap resamples.

    Returns:
        For each metric an entry of report.json's "pairs".

    Raises:
        ValueError: The rows are of different tables or users.
    """
    if (a.protocol, a.split) != (b.protocol, b.split) or not np.array_equal(a.user, b.user):
        raise ValueError(f"{a.label} and {b.label} were not asked the same: no paired test")
    table = {"protocol": a.protocol, "split": a.split}
    names = [name for name in a.metrics if name in b.metrics] if metrics is None else metrics
    return [
        {**table, "metric": name, "a": a.label, "b": b.label, **asdict(difference)}
        for name in names
        for difference in [paired(a.metrics[name], b.metrics[name], seed, resamples)]
    ]
