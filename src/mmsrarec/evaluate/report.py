"""Figures of one model (a Row), kept in a file each, and put together into report.json and report.html."""

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
from mmsrarec.evaluate.compare import RESAMPLES, Interval, intervals, paired
from mmsrarec.evaluate.measured import COST
from mmsrarec.evaluate.page import render
from mmsrarec.evaluate.people import ShownItem, ShownUser
from mmsrarec.evaluate.published import PublishedName, published_rows
from mmsrarec.evaluate.repeats import spread

__all__ = ["COSTS", "Row", "ShownItem", "ShownUser", "build_report", "compare_rows", "load_row", "row_metrics"]
__all__ += ["save_row", "text_table"]

COSTS = tuple(COST)
"""tokens_per_user, calls_per_user, ms_per_user, peak_mb (megabytes)."""


@dataclass(frozen=True, eq=False)
class Row:
    """One model under one protocol on one split.

    user: (m,) codes of the test users. metrics: name -> (m,) per-user values. cost: any of COSTS. slices: name -> (m,)
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

    def __post_init__(self) -> None:
        lengths = {len(a) for a in (self.user, *self.metrics.values(), *self.slices.values())}
        if len(lengths) != 1:
            raise ValueError(f"{self.label}: metrics and slices need one value a user, lengths are {sorted(lengths)}")
        if unknown := set(self.cost) - set(COSTS):
            raise ValueError(f"{self.label}: unknown costs {sorted(unknown)}")

    @property
    def label(self) -> str:
        return self.model if self.variant in ("", "whole") else f"{self.model}, {self.variant}"


def save_row(folder: Path, row: Row) -> Path:
    """Write the row as one JSON file, named after what it is; returns the path. The same row overwrites itself."""
    name = "--".join((row.protocol, row.split, row.model, row.variant or "whole", str(row.seed)))
    path = folder / (re.sub(r"[^\w.-]+", "_", name) + ".json")
    arrays = {"user": row.user.tolist()} | {
        kind: {key: values.tolist() for key, values in getattr(row, kind).items()} for kind in ("metrics", "slices")
    }
    head = {key: getattr(row, key) for key in ("protocol", "split", "model", "variant", "seed")}
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({**head, "cost": dict(row.cost), **arrays}, allow_nan=False), encoding="utf-8")
    return path


def load_row(path: Path) -> Row:
    """Read what `save_row` wrote. Raises MmsrarecError when the file is not such a row."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        record["user"] = np.asarray(record["user"], dtype=np.int64)
        record["metrics"] = {key: np.asarray(values, dtype=float) for key, values in record["metrics"].items()}
        record["slices"] = {key: np.asarray(values, dtype=bool) for key, values in record["slices"].items()}
        return Row(**record)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as broken:
        raise MmsrarecError(f"{path} is not a row of figures: remove it and evaluate again ({broken})") from broken


def row_metrics(
    row: Row, mask: NDArray[np.bool_] | None = None, seed: int = 0, resamples: int = RESAMPLES
) -> dict[str, Interval]:
    """Each metric's mean and 95 % interval over the users, or over those of the (m,) mask; {} if it holds nobody."""
    keep = np.ones(len(row.user), dtype=bool) if mask is None else mask
    kept = {name: values[keep] for name, values in row.metrics.items()}
    return intervals(kept, seed, resamples) if keep.any() else {}


def compare_rows(
    a: Row, b: Row, metrics: Sequence[str] | None = None, seed: int = 0, resamples: int = RESAMPLES
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


def build_report(
    rows: Sequence[Row],
    facts: Sequence[Mapping[str, Any]],
    pairs: Iterable[Mapping[str, Any]],
    shown_users: Sequence[ShownUser],
    out_folder: Path,
    *,
    data: str,
    manifest: str,
    attributes: Mapping[str, str | float] | None = None,
    notes: Sequence[str] = (),
    leaks: Sequence[Mapping[str, Any]] = (),
    summaries: bool = False,
    published: PublishedName | None = None,
    repeats: Sequence[Mapping[str, Any]] = (),
    sweeps: Mapping[str, Sequence[tuple[int, Row]]] | None = None,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> dict[str, Any]:
    """Write report.json and report.html into out_folder, and return what report.json holds.

    rows: tables keep their order. facts: as `protocol.facts` gives them, one for each protocol and split. pairs: as
    `compare_rows` gives them. data: name of the data set. manifest: sha256 of the run's manifest. attributes: summary
    statistics, label -> value. notes: sentences for the reader. leaks: records of
    leak checks (`leaks.finding.Finding.record`). summaries: whether a page about them stands beside.
    published: data whose published figures stand beside ours. repeats: report.json of the same with other seeds.
    sweeps: what is counted -> (count, row), by count: how figures move with it.
    seed, resamples: of the bootstrap.
    """
    report = {
        "data": data,
        "manifest": manifest,
        "rows": [_row_record(row, seed, resamples) for row in rows],
        "resamples": resamples,
        "pairs": [dict(pair) for pair in pairs],
        "facts": [dict(fact) for fact in facts],
        "attributes": dict(attributes or {}),
        "notes": list(notes),
        "leaks": [dict(leak) for leak in leaks],
        "summaries": summaries,
        "published": [row._asdict() for row in published_rows(published)] if published else [],
        "users": [user.record() for user in shown_users],
    }
    report["sweeps"] = {
        what: [{"count": count, "metrics": _row_record(row, seed, resamples)["metrics"]} for count, row in points]
        for what, points in (sweeps or {}).items()
    }
    report["spread"] = spread([report, *repeats])
    out_folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(report, indent=1, ensure_ascii=False, allow_nan=False)
    (out_folder / "report.json").write_text(text + "\n", encoding="utf-8")
    (out_folder / "report.html").write_text(render(report, shown_users), encoding="utf-8")
    return report


def text_table(rows: Sequence[Row], protocol: str, split: str) -> str:
    """The table of one protocol and split for a terminal: mean +- half the interval's width; * marks the best."""
    chosen = [row for row in rows if (row.protocol, row.split) == (protocol, split)]
    if not chosen:
        return f"{protocol}, {split}: no rows"
    metrics = [row_metrics(row) for row in chosen]
    names = list(metrics[0])
    best = {name: max(m[name].value for m in metrics if name in m) for name in names}
    lines = [["model", *names]]
    for row, measured in zip(chosen, metrics, strict=True):
        cells = [measured.get(name) for name in names]
        lines.append([row.label, *(_cell(cell, best[name]) for name, cell in zip(names, cells, strict=True))])
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    body = ("  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])]) for line in lines)
    return "\n".join([f"{protocol}, {split}, {len(chosen[0].user)} users", *body])


def _cell(measured: Interval | None, best: float) -> str:
    if measured is None:
        return "-"
    return f"{measured.value:.4f} ±{(measured.high - measured.low) / 2:.4f}{'*' if measured.value == best else ' '}"


def _row_record(row: Row, seed: int, resamples: int) -> dict[str, Any]:
    def plain(mask: NDArray[np.bool_] | None) -> dict[str, Any]:
        return {name: asdict(measured) for name, measured in row_metrics(row, mask, seed, resamples).items()}

    return {
        **{key: getattr(row, key) for key in ("protocol", "split", "model", "variant", "seed")},
        "users": len(row.user),
        "metrics": plain(None),
        "cost": {key: row.cost[key] for key in COSTS if key in row.cost},
        "slices": {name: {"users": int(mask.sum()), "metrics": plain(mask)} for name, mask in row.slices.items()},
    }
