"""What the scores of all libraries are worth, by the metrics of this library, as tables of docs/reports."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from mmsrarec.data.dataset import FloatArray, IntArray
from mmsrarec.data.splits import Queries
from mmsrarec.evaluate.protocols import Candidates, evaluate_full, evaluate_published
from mmsrarec.evaluate.significance import holm, intervals, paired

COMMAND = (
    "python benchmarks/peers/compare.py SPLIT ENVIRONMENTS OUT --report docs/reports/peers.json"
    "  # after export_split.py and make_environments.py"
)
COLUMNS = ("library", "version", "HR@10", "NDCG@10", "one among 21: HR@5", "CPU s", "MB", "note")
SHOWN = ("HR@10", "NDCG@10")
NOTES: Mapping[str, Callable[[float], str]] = {"passes": lambda n: f"{n:g} pass" if n <= 1 else f"{n:g} passes"}
"""Facts of an adapter that a reader needs, in words."""


@dataclass(frozen=True)
class Measured:
    """One model of one library: what its adapter told, (m,) values of each metric, or why there are none."""

    library: str
    model: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    full: Mapping[str, FloatArray] = field(default_factory=dict)
    sampled: Mapping[str, FloatArray] = field(default_factory=dict)
    reason: str = ""


class StoredScores:
    """A ranker that reads what an adapter wrote."""

    def __init__(self, name: str, scores: FloatArray, users: IntArray):
        self.name, self.scores = name, scores
        self.row = {int(user): row for row, user in enumerate(users)}

    def score(self, queries: Queries, candidates: IntArray | None) -> FloatArray:
        """The scores of the whole catalogue, or of the candidates."""
        scores = self.scores[[self.row[int(user)] for user in queries.user]]
        return scores if candidates is None else np.take_along_axis(scores, candidates, axis=1)


def measure_scores(
    library: str, model: str, folder: Path, queries: Queries, candidates: Candidates, n_items: int
) -> Measured:
    """Measure the scores that an adapter left in a folder."""
    facts = json.loads((folder / f"{model}.json").read_text(encoding="utf-8"))
    with np.load(folder / f"{model}.npz") as stored:
        scorer = StoredScores(f"{model} of {library}", stored["scores"], queries.user)
    full = evaluate_full(scorer, queries.rankable, n_items, SHOWN)
    sampled = evaluate_published(scorer, queries.pick(candidates.rows), candidates)
    return Measured(library, model, facts, full, sampled)


def peers_table(rows: Sequence[Measured], facts: Mapping[str, Any], order: Sequence[str]) -> dict[str, Any]:
    """The table of all models, those of one name together; libraries that are missing come last."""
    ranked = sorted(rows, key=lambda row: order.index(row.model) if row.model else len(order))
    caption = f"Libraries side by side on {words_of(facts)}; all items ranked unless a column says otherwise"
    return about("peers", caption, facts, COLUMNS, [table_row(row) for row in ranked]) | {
        "spread": "half of the 95 % interval over users"
    }


def table_row(row: Measured) -> dict[str, Any]:
    """One line."""
    texts = [{"text": row.library}, {"text": str(row.facts.get("version", ""))}]
    if row.reason:
        return {"name": row.model or "none", "cells": [*texts, *[None] * 5, {"text": row.reason}]}
    values = [interval_cell(row.full, name) for name in SHOWN] + [interval_cell(row.sampled, "HR@5")]
    seconds = row.facts["fit_cpu_seconds"] + row.facts["score_cpu_seconds"]
    cost = [{"value": round(seconds, 2), "digits": 2}, {"value": round(row.facts["peak_mb"]), "digits": 0}]
    note = "; ".join(words(row.facts[key]) for key, words in NOTES.items() if key in row.facts)
    return {"name": row.model, "cells": [*texts, *values, *cost, {"text": note} if note else None]}


def interval_cell(metrics: Mapping[str, FloatArray], name: str) -> dict[str, Any]:
    """A mean over users, with half of its interval."""
    one = intervals({name: metrics[name]})[name]
    return {"value": round(one.value, 4), "digits": 4, "spread": round((one.high - one.low) / 2, 4)}


def gaps_table(rows: Sequence[Measured], facts: Mapping[str, Any], order: Sequence[str], own: str) -> dict[str, Any]:
    """For each model, this library's NDCG@10 less that of the best other, on the same users."""
    found: list[tuple[str, Measured, Any]] = []
    for model in order:
        mine = next((row for row in rows if (row.library, row.model) == (own, model) and row.full), None)
        others = [row for row in rows if row.model == model and row.library != own and row.full]
        if mine is None or not others:
            continue
        best = max(others, key=lambda row: float(row.full["NDCG@10"].mean()))
        found.append((model, best, paired(mine.full["NDCG@10"], best.full["NDCG@10"])))
    corrected = holm([difference.p for _, _, difference in found])
    columns = ("best other library", "NDCG@10, own less theirs", "95 % interval", "p")
    lines = [
        {
            "name": model,
            "cells": [
                {"text": best.library},
                {"value": round(difference.difference, 4), "digits": 4},
                {"text": f"{difference.low:.4f} to {difference.high:.4f}"},
                {"value": round(p, 3), "digits": 3},
            ],
        }
        for (model, best, difference), p in zip(found, corrected, strict=True)
    ]
    caption = f"This library less the best other one, {words_of(facts)}, paired over users, p by Holm"
    return about("peers-gaps", caption, facts, columns, lines) | {"spread": None}


def about(
    name: str, caption: str, facts: Mapping[str, Any], columns: Sequence[str], rows: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """A table as docs/reports keeps it."""
    return {
        "id": name,
        "dataset": facts["data"],
        "caption": caption,
        "source": {"kind": "program", "program": "benchmarks/peers", "split": dict(facts)},
        "command": COMMAND,
        "users": facts["rankable_users"],
        "first_column": "model",
        "columns": list(columns),
        "rows": list(rows),
    }


def words_of(facts: Mapping[str, Any]) -> str:
    """The split in words."""
    return (
        f"{facts['data']}, {facts['split']}, {facts['training_interactions']:,} training interactions, "
        f"{facts['n_items']:,} items, seed {facts['seed']}, {facts['sealed_users']:,} sealed users left out"
    )
