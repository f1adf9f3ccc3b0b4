"""How long a finished run takes to load, and to answer one user, on one core.

    python benchmarks/serving.py --run runs/sample --users 30

Loading is timed after torch and the package are imported: the first time in the process, and again. An answer is the k
best of `--candidates` proposals for one user, without reasons and with them; each user is asked once, after one that
warms up. The last line of the output is one JSON object: seconds of loading, medians over users of milliseconds, and
the same of the processor's time, which other work on the machine does not lengthen as much.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch

from mmsrarec.runs.recommender import Recommender


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """(wall, processor) seconds of a piece of work."""
    wall, processor = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - processor


def answers(recommender: Recommender, users: Sequence[str], k: int, reasons: bool) -> dict[str, float]:
    """Medians over users, in milliseconds."""
    recommender.recommend(user=users[0], k=k, reasons=reasons)  # warms up
    spent = [timed(lambda user=user: recommender.recommend(user=user, k=k, reasons=reasons)) for user in users]
    wall, processor = (statistics.median(values) for values in zip(*spent, strict=True))
    return {"ms": round(1000 * wall, 1), "processor_ms": round(1000 * processor, 1)}


def main() -> int:
    parser = argparse.ArgumentParser(description="Time loading a run and answering from it.")
    parser.add_argument("--run", type=Path, required=True, help="a finished run")
    parser.add_argument("--users", type=int, default=30, help="users that are asked about")
    parser.add_argument("--candidates", type=int, default=20, help="items that the language model is handed")
    parser.add_argument("--k", type=int, default=10, help="recommendations of a user")
    parser.add_argument("--threads", type=int, default=1, help="threads of torch")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    first, _ = timed(lambda: Recommender.load(args.run))
    again, processor = timed(lambda: Recommender.load(args.run))
    recommender = Recommender.load(args.run)
    recipe = recommender.run_folder.recipe
    evaluate = recipe.evaluate.model_copy(update={"n_candidates": args.candidates})
    recommender.run_folder.recipe = recipe.model_copy(update={"evaluate": evaluate})
    ids = recommender.dataset.user_ids
    order = np.random.default_rng(0).permutation(len(ids))[: args.users]
    users = [ids[place] for place in order]
    result = {
        "run": str(args.run),
        "users": len(users),
        "candidates": args.candidates,
        "k": args.k,
        "threads": args.threads,
        "language_model_ranks": recommender.fusion is None or recommender.fusion.uses_lm,
        "load_seconds": {"first": round(first, 2), "again": round(again, 2), "again_processor": round(processor, 2)},
        "answer": answers(recommender, users, args.k, reasons=False),
        "answer_with_reasons": answers(recommender, users, args.k, reasons=True),
    }
    print(json.dumps(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
