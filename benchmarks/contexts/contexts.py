"""Prompt contexts gathered a second, by this version of the package and by an earlier one, in turns in one run.

    git worktree add ../earlier COMMIT
    OMP_NUM_THREADS=1 python benchmarks/contexts/contexts.py DATA --earlier ../earlier/src

Each version runs in a process of its own, on the same log, with the same encoder: a SASRec with random weights, or a
trained one given by its folder. The two take turns, a block of training queries each, so that whatever else the machine
does meets both. What is timed is the processor's time of `Retrieval.gather`. Both digests of the contexts are compared.
The last line of the output is one JSON object.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

SHOWN: dict[str, dict[str, bool]] = {
    "default": {},
    "follows": {"follows": True},
    "all": dict.fromkeys(("similar_keywords", "transitions", "follows", "recency", "trend"), True),
}
"""What a prompt shows, by name."""


def digest(contexts: Any) -> str:
    """The sha256 of all that both versions' contexts hold; they may keep it in different classes."""
    import hashlib

    state = hashlib.sha256()
    for context in contexts:
        names = set(context.__dataclass_fields__) - {"preferences", "soft_history", "state"}
        parts = {name: tuple(getattr(context, name)) for name in names}
        parts["votes"] = tuple((vote.item, vote.weight, tuple(sorted(vote.people))) for vote in parts["votes"])
        state.update(repr(sorted(parts.items())).encode())
    return state.hexdigest()


def work(args: argparse.Namespace) -> None:
    """Answer each line of the input, the name of what is shown and the first query, with a line of times."""
    import time

    import numpy as np
    import torch

    from mmsrarec.data.folder import load
    from mmsrarec.data.splits import user_8_1_1
    from mmsrarec.models.sequence.encoders import SASRec
    from mmsrarec.recommend.prompt.prompt_context import Retrieval
    from mmsrarec.recommend.settings import PromptFields, RecommendSettings
    from mmsrarec.recommend.training.training_samples import sample_training
    from mmsrarec.retrieve.encoder import Encoder
    from mmsrarec.retrieve.neighbours import Neighbours
    from mmsrarec.retrieve.settings import RetrieveSettings

    torch.set_num_threads(1)
    train, s = user_8_1_1(load(args.data).interactions, args.seed).train, RetrieveSettings()
    if args.encoder:
        encoder = Encoder.load(args.encoder)
    else:
        model = SASRec(train.n_items, s.max_length, s.embedding_size, s.n_layers, s.n_heads, s.dropout)
        encoder = Encoder(model.reset(torch.Generator().manual_seed(args.seed)).eval(), s)
    retrieval = Retrieval(train, Neighbours(train, encoder), s)
    queries, candidates, _ = sample_training(train, args.queries, 7, np.random.default_rng(args.seed), 0.0, False)
    print(json.dumps({"rows": len(train), "neighbours": s.n_vote_neighbours_of(train.n_users)}), flush=True)
    for line in sys.stdin:
        shown, begin = line.split()
        rows = np.arange(int(begin), int(begin) + args.block)
        settings = RecommendSettings(prompt_fields=PromptFields(**SHOWN[shown]))
        started = time.process_time()
        contexts = retrieval.gather(queries.pick(rows), candidates[rows], settings)
        seconds = time.process_time() - started
        print(json.dumps({"ms": 1000 * seconds / args.block, "digest": digest(contexts)}), flush=True)


class Version:
    """A version of the package in a process of its own."""

    def __init__(self, source: Path) -> None:
        environment = {**os.environ, "PYTHONPATH": str(source.resolve())}
        command = [sys.executable, str(Path(__file__).resolve()), *sys.argv[1:], "--work"]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )
        self.about = self.answer()

    def answer(self) -> dict[str, Any]:
        assert self.process.stdout
        line = self.process.stdout.readline()
        if not line:
            sys.exit("a version ended early: see its message above")
        return json.loads(line)

    def gather(self, shown: str, begin: int) -> dict[str, Any]:
        assert self.process.stdin
        print(shown, begin, file=self.process.stdin, flush=True)
        return self.answer()

    def close(self) -> None:
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait()


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("data", type=Path, help="a data folder")
    options.add_argument("--earlier", type=Path, required=True, help="the src folder of the other version")
    options.add_argument("--encoder", type=Path, help="the folder of a trained encoder; random weights unless given")
    options.add_argument("--queries", type=int, default=600)
    options.add_argument("--block", type=int, default=100)
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--work", action="store_true", help=argparse.SUPPRESS)
    args = options.parse_args()
    if args.work:
        return work(args)
    sources = {"earlier": args.earlier, "this": Path(__file__).parents[2] / "src"}
    versions = {name: Version(source) for name, source in sources.items()}
    found: dict[str, Any] = {}
    for shown in SHOWN:
        times: dict[str, list[float]] = {name: [] for name in versions}
        n_equal = 0
        for begin in range(0, args.queries - args.block + 1, args.block):
            answers = {name: version.gather(shown, begin) for name, version in versions.items()}
            n_equal += len({answer["digest"] for answer in answers.values()}) == 1
            if begin:  # the first block warms up
                for name, answer in answers.items():
                    times[name].append(answer["ms"])
        medians = {name: statistics.median(values) for name, values in times.items()}
        ratio = statistics.median(a / b for a, b in zip(times["earlier"], times["this"], strict=True))
        found[shown] = {
            "ms": {name: round(value, 2) for name, value in medians.items()},
            "contexts_per_second": {name: round(1000 / value, 1) for name, value in medians.items()},
            "times_faster": round(ratio, 1),
            "blocks": args.queries // args.block,
            "equal_blocks": n_equal,
        }
        print(shown, found[shown], file=sys.stderr)
    for version in versions.values():
        version.close()
    print(json.dumps({"benchmark": "contexts", **versions["this"].about, "shown": found}))


if __name__ == "__main__":
    main()
