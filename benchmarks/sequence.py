"""Train a sequence model and rank the whole catalogue: how accurate it is, and how long a pass over the interactions
takes.

    python benchmarks/sequence.py SEQUENCES --set dropout=0.5 --set encoder=gru4rec

SEQUENCES is a data folder, or a text file with a line a user: `user item item ...`, oldest first. Such a file has no
times: all users' last interactions are set to one query, and within a user time is counted in steps. Leave-one-out: a
user's last interaction is the test, the last but one the validation; items of the history are not ranked. Settings are
chosen by the figures of validation; `--validation` leaves the test unread; `--refit` also trains anew on training and
validation interactions, for as many passes as were best, and tests that. The last line of output is one JSON object.
"""

import argparse
import json
import sys
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch

from mmsrarec.core.artefacts import versions
from mmsrarec.data.dataset import Interactions, make_interactions
from mmsrarec.data.folder import load
from mmsrarec.data.splits import Queries, leave_one_out, with_validation
from mmsrarec.evaluate.protocols import evaluate_full
from mmsrarec.evaluate.significance import intervals
from mmsrarec.rankers.sequence_model import SequenceRanker
from mmsrarec.retrieve.encoder import Encoder
from mmsrarec.retrieve.settings import RetrieveSettings
from mmsrarec.retrieve.training import refit, train_encoder
from mmsrarec.runs.recipe import parse_override

LAST = 1_000_000
"""The time of every user's last interaction, where a file has none."""


def read(path: Path) -> Interactions:
    """The log of a data folder or of a file of sequences."""
    if path.is_dir():
        return load(path).interactions
    rows = [line.split() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    lengths = np.array([len(row) - 1 for row in rows])
    names, item = np.unique([name for row in rows for name in row[1:]], return_inverse=True)
    steps = np.concatenate([np.arange(length) - length + 1 for length in lengths])
    return make_interactions(np.repeat(np.arange(len(rows)), lengths), item, LAST + steps, len(rows), len(names))


def figures(encoder: Encoder, queries: Queries, seed: int) -> dict[str, dict[str, float]]:
    metrics = evaluate_full(SequenceRanker.of(encoder), queries.rankable, encoder.n_items)
    found = intervals(metrics, seed)
    return {name: {key: round(value, 5) for key, value in asdict(one).items()} for name, one in found.items()}


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("source", type=Path)
    options.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="of the recipe's [retrieve]")
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--validation", action="store_true", help="leave the test unread: for choosing settings")
    options.add_argument("--refit", action="store_true", help="test a model trained on the validation events too")
    args = options.parse_args()

    settings = RetrieveSettings.model_validate(dict(map(parse_override, args.set)))
    interactions = read(args.source)
    split = leave_one_out(interactions)
    started, passes = time.perf_counter(), []

    def tell(number: int, loss: float, ndcg: float) -> None:
        passes.append(time.perf_counter())
        told = f"pass {number}: loss {loss:.4f}, validation NDCG@10 {ndcg:.4f}, {passes[-1] - started:.0f} s"
        print(told, file=sys.stderr)

    cpu = time.process_time()
    encoder = train_encoder(split.train, split.valid, settings, args.seed, tell)
    cpu = time.process_time() - cpu
    again = refit(encoder, with_validation(split, interactions), args.seed, tell) if args.refit else None
    result = {
        "benchmark": "sequence",
        "source": "/".join(args.source.parts[-2:]),
        "users": len(split.test),
        "items": split.train.n_items,
        "training_events": len(split.train),
        "validation": figures(encoder, split.valid, args.seed),
        "test": None if args.validation else figures(encoder, split.test, args.seed),
        "test_after_refit": None if again is None else figures(again, split.test, args.seed),
        "passes": len(encoder.curve),
        "best_pass": encoder.best_pass,
        "seconds_a_pass": round(float(np.median(np.diff([started, *passes]))), 4),
        "processor_seconds_a_pass": round(cpu / len(encoder.curve), 4),
        "seed": args.seed,
        "settings": settings.model_dump(exclude={"k", "next_items", "n_vote_neighbours", "n_vote_items", "keywords"}),
        "threads": torch.get_num_threads(),
        "versions": versions(),
    }
    print(json.dumps(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
