"""The rows of a comparison, put together into report.json and report.html."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmsrarec.evaluate.reference_results import ReferenceName, reference_rows
from mmsrarec.evaluate.significance import RESAMPLES, Interval
from mmsrarec.rankers.registry.registry import leak_of
from mmsrarec.study.report.report_page import render
from mmsrarec.study.report.seeds import spread
from mmsrarec.study.report.user_examples import UserCard
from mmsrarec.study.results import COSTS, ModelResult, corrected, row_metrics


def build_report(
    rows: Sequence[ModelResult],
    facts: Sequence[Mapping[str, Any]],
    pairs: Iterable[Mapping[str, Any]],
    shown_users: Sequence[UserCard],
    out_folder: Path,
    *,
    data: str,
    manifest: str,
    attributes: Mapping[str, str | float] | None = None,
    notes: Sequence[str] = (),
    served: Mapping[str, Any] | None = None,
    leaks: Sequence[Mapping[str, Any]] = (),
    summaries: bool = False,
    published: ReferenceName | None = None,
    repeats: Sequence[tuple[ModelResult, Sequence[ModelResult]]] = (),
    repeat_pairs: Iterable[Mapping[str, Any]] = (),
    sweeps: Mapping[str, Sequence[tuple[int, ModelResult]]] | None = None,
    regressions: Iterable[Mapping[str, Any]] = (),
    lost_users: Sequence[UserCard] = (),
    diagnostics: Sequence[Mapping[str, Any]] = (),
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> dict[str, Any]:
    """Write report.json and report.html.

    Args:
        rows: The tables keep their order.
        facts: As `evaluate.protocols.facts` gives them, one for each protocol and split.
        pairs: As `compare_rows` gives them; their p is corrected for all of a table here.
        shown_users: Users whom the page shows whole.
        out_folder: Where both files are written.
        data: Name of the data set.
        manifest: The sha256 of the run's manifest.
        attributes: Statistics of the item summaries, label -> value.
        notes: Sentences for the reader.
        served: What the models that answer were fitted on.
        leaks: Records of leak checks (`leaks.finding.Finding.record`).
        summaries: Whether a page about the item summaries stands beside.
        published: The data whose published figures stand beside ours.
        repeats: Rows of several seeds, as `seeds.pooled` gives them.
        repeat_pairs: Paired tests of them.
        sweeps: What is counted -> (count, row), by count: how figures move with it.
        regressions: Entries of `regressions.regressions`.
        lost_users: Who lost most.
        diagnostics: Entries of `diagnostics.diagnose.diagnostics_record`, one for each split.
        seed: Of the bootstrap, as `resamples` is.
        resamples: How often users are drawn anew.

    Returns:
        What report.json holds.
    """
    report = {
        "data": data,
        "manifest": manifest,
        "rows": [_row_record(row, seed, resamples) for row in rows],
        "resamples": resamples,
        "pairs": corrected(pairs),
        "facts": [dict(fact) for fact in facts],
        "attributes": dict(attributes or {}),
        "notes": list(notes),
        "served": dict(served or {}),
        "leaks": [dict(leak) for leak in leaks],
        "summaries": summaries,
        "published": [row._asdict() for row in reference_rows(published)] if published else [],
        "users": [user.record() for user in shown_users],
    }
    report["sweeps"] = {
        what: [{"count": count, "metrics": _row_record(row, seed, resamples)["metrics"]} for count, row in points]
        for what, points in (sweeps or {}).items()
    }
    report["worse"] = [dict(table) for table in regressions]
    report["lost_users"] = [user.record() for user in lost_users]
    report["spread"] = spread(repeats, resamples)
    report["diagnostics"] = [dict(entry) for entry in diagnostics]
    report["spread_pairs"] = corrected(repeat_pairs)
    out_folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(report, indent=1, ensure_ascii=False, allow_nan=False)
    (out_folder / "report.json").write_text(text + "\n", encoding="utf-8")
    (out_folder / "report.html").write_text(render(report, shown_users, lost_users), encoding="utf-8")
    return report


def text_table(
    rows: Sequence[ModelResult],
    protocol: str,
    split: str,
    seed: int = 0,
    resamples: int = RESAMPLES,
    deviations: Mapping[str, Mapping[str, float]] | None = None,
) -> str:
    """The table of one protocol and split for a terminal: mean +- half the interval's width; * marks the best.

    Args:
        rows: Of any protocol and split.
        protocol: Of the table, as `split` is.
        split: Of the table.
        seed: Of the bootstrap, as `resamples` is.
        resamples: How often users are drawn anew.
        deviations: "protocol, split, label" of a row -> metric -> standard deviation over seeds, if any.
    """
    chosen = [row for row in rows if (row.protocol, row.split) == (protocol, split)]
    if not chosen:
        return f"{protocol}, {split}: no rows"
    metrics = [row_metrics(row, None, seed, resamples) for row in chosen]
    names = list(metrics[0])
    honest = [m for row, m in zip(chosen, metrics, strict=True) if not leak_of(row.model)]
    best = {name: max((m[name].value for m in honest if name in m), default=np.inf) for name in names}
    lines = [["model", *names]]
    for row, measured in zip(chosen, metrics, strict=True):
        sds = (deviations or {}).get(f"{row.protocol}, {row.split}, {row.label}", {})
        lines.append([row.label, *(_cell(measured.get(name), best[name], sds.get(name)) for name in names)])
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    body = ("  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])]) for line in lines)
    return "\n".join([f"{protocol}, {split}, {len(chosen[0].user)} users", *body])


def _cell(measured: Interval | None, best: float, deviation: float | None = None) -> str:
    if measured is None:
        return "-"
    spread = "" if deviation is None else f" (seeds {deviation:.4f})"
    half = (measured.high - measured.low) / 2
    return f"{measured.value:.4f} ±{half:.4f}{spread}{'*' if measured.value == best else ' '}"


def _row_record(row: ModelResult, seed: int, resamples: int) -> dict[str, Any]:
    def plain(mask: NDArray[np.bool_] | None) -> dict[str, Any]:
        return {name: asdict(measured) for name, measured in row_metrics(row, mask, seed, resamples).items()}

    return {
        **{key: getattr(row, key) for key in ("protocol", "split", "model", "variant", "seed")},
        "users": len(row.user),
        "metrics": plain(None),
        "cost": {key: row.cost[key] for key in COSTS if key in row.cost},
        "coverage": row.coverage,
        "slices": {name: {"users": int(mask.sum()), "metrics": plain(mask)} for name, mask in row.slices.items()},
    }
