"""Compare this library's figures with RecBole's own evaluation of what `mmsrarec export recbole` wrote.

    python benchmarks/peers/external_truth.py DATA ENVIRONMENTS [--report docs/reports/recbole-truth.json]

Popularity and item kNN, leave-one-out, all users (no choice is made by these figures). RecBole trains and scores by the
training interactions alone, and ranks no item of training or validation; so does this library here. Item kNN is as it
is by default, with all neighbours, with k of them, and with few and shrunken cosines.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from compare import environment
from make_environments import python_of

from mmsrarec.core.files import atomic_write
from mmsrarec.data.dataset import Dataset, FloatArray, IntArray
from mmsrarec.data.exporters.exporting import export
from mmsrarec.data.folder import load
from mmsrarec.data.splits import Queries, Split, leave_one_out
from mmsrarec.evaluate.metrics import measure
from mmsrarec.evaluate.protocols import count_unseen
from mmsrarec.rankers.item_knn import ItemKnn
from mmsrarec.rankers.popularity import Popularity
from mmsrarec.rankers.ranker_base import RankerBase

NAMES = ("HR@10", "NDCG@10", "MRR@10")
PROGRAM = Path(__file__).parent / "adapters" / "recbole_evaluation.py"
DIGITS = 4
COMMAND = "python benchmarks/peers/external_truth.py DATA ENVIRONMENTS --report docs/reports/recbole-truth.json"


class ByTraining:
    """A ranker that reads each user's training interactions instead of the history of the query."""

    def __init__(self, ranker: RankerBase, split: Split):
        self.name, self.ranker, self.train = ranker.name, ranker, split.train

    def score(self, queries: Queries, candidates: IntArray | None) -> FloatArray:
        """Scores as the ranker gives them."""
        trained = tuple(self.train.items_of(int(user)) for user in queries.user)
        return self.ranker.score(Queries(queries.user, queries.time, queries.target, trained), candidates)


def own_rows(split: Split, k: int) -> Iterator[tuple[str, str, Mapping[str, float], RankerBase]]:
    """Each row's name, RecBole's model and its settings, and this library's ranker."""
    few, shrinkage, n_items = max(k // 5, 1), 10.0, split.train.n_items
    yield "popularity", "Pop", {}, Popularity().fit(split.train)
    yield "item kNN, all neighbours", "ItemKNN", {"k": n_items}, ItemKnn().fit(split.train)
    yield f"item kNN, k = {k}", "ItemKNN", {"k": k}, ItemKnn(k=k).fit(split.train)
    name, fitted = f"item kNN, k = {few}, shrinkage {shrinkage:g}", ItemKnn(k=few, shrinkage=shrinkage).fit(split.train)
    yield name, "ItemKNN", {"k": few, "shrink": shrinkage}, fitted


def own_figures(ranker: RankerBase, split: Split, ties: str = "mean") -> dict[str, float]:
    """This library's figures under RecBole's rules; a tie is the mean over all orders, or "won", or "lost"."""
    queries = split.test.rankable
    above, tied = count_unseen(ByTraining(ranker, split).score(queries, None), queries)
    if ties == "lost":
        above = above + tied
    values = measure(above, tied if ties == "mean" else np.zeros_like(tied), split.train.n_items, NAMES)
    return {name: float(each.mean()) for name, each in values.items()}


def tied_row(name: str, ranker: RankerBase, split: Split, ties: str) -> dict[str, Any]:
    """A bound of what any order of tied items can read, by this library alone."""
    values = own_figures(ranker, split, ties)
    cells = [cell for metric in NAMES for cell in ({"value": round(values[metric], DIGITS), "digits": DIGITS}, None)]
    return {"name": f"{name}, ties {ties}", "cells": cells}


def recbole_figures(python: Path, folder: Path, model: str, settings: Mapping[str, float]) -> dict[str, float]:
    """What RecBole says. Raises SystemExit where it fails."""
    command = [str(python), str(PROGRAM), str(folder), "--model", model, "--settings", json.dumps(settings)]
    ran = subprocess.run(command, capture_output=True, text=True, env=environment(), cwd=folder.parent)
    if ran.returncode:
        raise SystemExit(f"RecBole failed: {(ran.stderr.strip().splitlines() or [''])[-1]}")
    return json.loads(ran.stdout.splitlines()[-1])


def truth_table(dataset: Dataset, python: Path, k: int) -> dict[str, Any]:
    """The table of both, as docs/reports keeps it."""
    split, rows = leave_one_out(dataset.interactions), []
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "exported"
        export(dataset, "recbole", folder)
        for name, model, settings, ranker in own_rows(split, k):
            own, theirs = own_figures(ranker, split), recbole_figures(python, folder, model, settings)
            cells = [
                {"value": round(side[metric], DIGITS), "digits": DIGITS} for metric in NAMES for side in (own, theirs)
            ]
            rows.append({"name": name, "cells": cells})
            if model == "Pop":
                rows += [tied_row(name, ranker, split, ties) for ties in ("lost", "won")]
    return {
        "id": "recbole-truth",
        "dataset": dataset.name,
        "caption": "This library's figures and those of RecBole's own evaluation of its export",
        "source": {"kind": "program", "program": "benchmarks/peers"},
        "command": COMMAND,
        "users": len(split.test.rankable),
        "spread": None,
        "first_column": "model",
        "columns": [f"{metric}, {side}" for metric in NAMES for side in ("own", "RecBole")],
        "rows": rows,
    }


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("data", type=Path)
    options.add_argument("environments", type=Path)
    options.add_argument("--k", type=int, default=100)
    options.add_argument("--report", type=Path)
    args = options.parse_args()
    from docs_results import dumped, markdown_table

    table = truth_table(load(args.data), python_of(args.environments / "recbole").absolute(), args.k)
    print(markdown_table(table))
    if args.report is not None:
        atomic_write(args.report, dumped(table).encode())
    return 0


if __name__ == "__main__":
    sys.path.append(str(Path(__file__).parents[2] / "scripts"))
    sys.exit(main())
