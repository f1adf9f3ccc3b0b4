"""Write one split of a data folder for all libraries: training log, test queries, and apart from them the truth.

    python benchmarks/peers/export_split.py DATA OUT

Leave-one-out. The training log holds the validation interactions too, so that it and the history of a test user are the
same interactions in every library. A fifth of the test users is sealed and left out. The adapters read train.npz,
queries.npz and split.json; truth.npz (targets, and the sampled candidates) is read by compare.py alone.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from mmsrarec.data.dataset import Dataset
from mmsrarec.data.folder import load
from mmsrarec.data.splits import Queries, make_split, with_validation
from mmsrarec.evaluate.protocols import Candidates, published_candidates
from mmsrarec.evaluate.settings import EvaluateSettings
from mmsrarec.evaluate.test_queries import open_rows


def export(dataset: Dataset, out: Path, seed: int = 0) -> dict[str, Any]:
    """Write the split; return its facts."""
    split = make_split("leave-one-out", dataset.interactions, seed)
    train = with_validation(split, dataset.interactions)
    allowed, sealed = open_rows(split.test, dataset.user_ids, EvaluateSettings())
    queries = split.test.pick(allowed)
    candidates = published_candidates(queries, dataset.interactions, seed)
    out.mkdir(parents=True, exist_ok=True)
    np.savez(out / "train.npz", user=train.user, item=train.item, time=train.time)
    history = np.concatenate(queries.history)
    ends = np.cumsum([len(items) for items in queries.history])
    np.savez(out / "queries.npz", user=queries.user, time=queries.time, history=history, ends=ends)
    np.savez(
        out / "truth.npz", target=queries.target, items=candidates.items, place=candidates.place, rows=candidates.rows
    )
    facts = {
        "data": dataset.name,
        "split": split.name,
        "seed": seed,
        "n_users": train.n_users,
        "n_items": train.n_items,
        "training_interactions": len(train),
        "test_users": len(queries),
        "rankable_users": len(queries.rankable),
        "sealed_users": len(sealed),
        "cold_targets": int((train.counts[queries.target] == 0).sum()),
        "train_digest": train.digest,
        "candidates_digest": candidates.digest,
    }
    (out / "split.json").write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    return facts


def read_truth(folder: Path) -> tuple[Queries, Candidates, dict[str, Any]]:
    """The test queries with their targets, the sampled candidates, and the split's facts."""
    facts = json.loads((folder / "split.json").read_text(encoding="utf-8"))
    with np.load(folder / "queries.npz") as stored, np.load(folder / "truth.npz") as truth:
        history = tuple(np.split(stored["history"], stored["ends"][:-1]))
        queries = Queries(stored["user"], stored["time"], truth["target"], history)
        rows = truth["rows"]
        candidates = Candidates(queries.user[rows], truth["items"], truth["place"], facts["seed"], rows)
    return queries, candidates, facts


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("data", type=Path)
    options.add_argument("out", type=Path)
    options.add_argument("--seed", type=int, default=0)
    args = options.parse_args()
    print(json.dumps(export(load(args.data), args.out, args.seed)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
