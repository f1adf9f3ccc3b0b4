"""Figures of one model (a Row), kept in a file each, and what they say beside another's."""

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
"""tokens_per_user, calls_per_user, ms_per_user, and peak_mb: megabytes of the language model's weights and of what
ranking for this row added to the process at its peak (`memory.PeakMemory`)."""


@dataclass(frozen=True, eq=False)
class ModelResult:
    """One model under one protocol on one split.

    user: (m,) codes of the test users. metrics: name -> (m,) per-user values. cost: any of COSTS. coverage: the share
    of the catalogue among anybody's first ten, where the whole of it is ranked. slices: name -> (m,)
    masks of users whose figures are also given apart.
    """

    protocol: str
    split: str
    model: str
    variant: str
    seed: int
    user: IntArray
    metrics: Mapping[str, FloatArray]
    cost: Mapping[str, float] = field(default_factory=dict)
    slices: Mapping[str, NDArray[np.bool_]] = field(default_factory=dict)
    coverage: float | None = None

    def __post_init__(self) -> None:
        lengths = {len(a) for a in (self.user, *self.metrics.values(), *self.slices.values())}
        if len(lengths) != 1:
            raise ValueError(f"{self.label}: metrics and slices need one value a user, lengths are {sorted(lengths)}")
        if unknown := set(self.cost) - set(COSTS):
            raise ValueError(f"{self.label}: unknown costs {sorted(unknown)}")

    @property
    def label(self) -> str:
        return self.model if self.variant in ("", "whole") else f"{self.model}, {self.variant}"


def save_row(folder: Path, row: ModelResult) -> Path:
    """Write the row as one JSON file, named after what it is; returns the path. The same row overwrites itself."""
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
    """Read what `save_row` wrote. Raises MmsrarecError when the file is not such a row."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        record["user"] = np.asarray(record["user"], dtype=np.int64)
        record["metrics"] = {key: np.asarray(values, dtype=float) for key, values in record["metrics"].items()}
        record["slices"] = {key: np.asarray(values, dtype=bool) for key, values in record["slices"].items()}
        return ModelResult(**record)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as broken:
        raise MmsrarecError(f"{path} is not a row of figures: remove it and evaluate again ({broken})") from broken


def row_metrics(
    row: ModelResult, mask: NDArray[np.bool_] | None = None, seed: int = 0, resamples: int = RESAMPLES
) -> dict[str, Interval]:
    """Each metric's mean and 95 % interval over the users, or over those of the (m,) mask; {} if it holds nobody."""
    keep = np.ones(len(row.user), dtype=bool) if mask is None else mask
    kept = {name: values[keep] for name, values in row.metrics.items()}
    return intervals(kept, seed, resamples) if keep.any() else {}


def corrected(pairs: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The pairs with "p_holm": p corrected for all pairs and metrics of the same table (protocol and split)."""
    found = [dict(pair) for pair in pairs]
    for table in dict.fromkeys((pair["protocol"], pair.get("split")) for pair in found):
        own = [pair for pair in found if (pair["protocol"], pair.get("split")) == table]
        for pair, p in zip(own, holm([pair["p"] for pair in own]), strict=True):
            pair["p_holm"] = p
    return found


def compare_rows(
    a: ModelResult, b: ModelResult, metrics: Sequence[str] | None = None, seed: int = 0, resamples: int = RESAMPLES
) -> list[dict[str, Any]]:
    """Paired tests of two rows, one entry of report.json's "pairs" a metric (all they share where None)."""
    if (a.protocol, a.split) != (b.protocol, b.split) or not np.array_equal(a.user, b.user):
        raise ValueError(f"{a.label} and {b.label} were not asked the same: no paired test")
    where = {"protocol": a.protocol, "split": a.split}
    names = [name for name in a.metrics if name in b.metrics] if metrics is None else metrics
    return [
        {**where, "metric": name, "a": a.label, "b": b.label, **asdict(difference)}
        for name in names
        for difference in [paired(a.metrics[name], b.metrics[name], seed, resamples)]
    ]
