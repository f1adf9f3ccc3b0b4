"""What the adapters of this folder share: the exported split, timing, and the file of scores. It needs numpy alone.

An adapter is a program in the environment of one library. It trains one model on the exported training log, scores the
whole catalogue for every test query, and writes MODEL.npz with `scores` (m, n_items) and MODEL.json with its facts.
It is not told the targets, nor which of the scores will be compared.
"""

import argparse
import json
import resource
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

UNKNOWN = -np.inf
"""The score of an item that a library cannot score. Such items are tied in the last place."""


@dataclass(frozen=True)
class PeerSplit:
    """What a peer may know.

    Attributes:
        n_users, n_items: Users and items of the data set; codes lie below.
        user, item, time: (n,) training interactions, by user, then time.
        query_user, query_time: (m,) of the test queries; each user has the training interactions of its history.
        history: (m,) lists of all items that the user consumed before, oldest first.
    """

    n_users: int
    n_items: int
    user: np.ndarray
    item: np.ndarray
    time: np.ndarray
    query_user: np.ndarray
    query_time: np.ndarray
    history: list

    def matrix(self, dtype: Any = np.float32) -> Any:
        """(n_users, n_items) CSR of ones where a user consumed an item."""
        from scipy.sparse import csr_matrix

        matrix = csr_matrix((np.ones(len(self.user), dtype), (self.user, self.item)), (self.n_users, self.n_items))
        matrix.data[:] = 1
        return matrix


@dataclass
class Fitted:
    """A trained model: a function that returns (m, n_items) scores of all queries, and facts worth telling."""

    score: Callable[[], np.ndarray]
    facts: Mapping[str, Any] = field(default_factory=dict)


Fit = Callable[[PeerSplit, Mapping[str, Any], int], Fitted]
"""Trains a model on a split, with settings and a seed."""


def read_split(folder: Path) -> PeerSplit:
    """What `export_split.py` wrote, without the targets."""
    facts = json.loads((folder / "split.json").read_text(encoding="utf-8"))
    with np.load(folder / "train.npz") as train, np.load(folder / "queries.npz") as queries:
        history = np.split(queries["history"], queries["ends"][:-1])
        return PeerSplit(
            facts["n_users"], facts["n_items"], train["user"], train["item"], train["time"],
            queries["user"], queries["time"], history,
        )  # fmt: skip


def spread(scores: np.ndarray, codes: np.ndarray, n_items: int) -> np.ndarray:
    """(m, n_items) scores from (m, k) scores of the items `codes`; the others are `UNKNOWN`."""
    wide = np.full((len(scores), n_items), UNKNOWN, dtype=scores.dtype)
    wide[:, codes] = scores
    return wide


def peak_megabytes() -> float:
    """The most memory that this process held, in MB."""
    status = Path("/proc/self/status")
    if status.exists():  # of this program alone; getrusage would count what the process was before it
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024 / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)


def measured(split: PeerSplit, fit: Fit, settings: Mapping[str, Any], seed: int) -> tuple[np.ndarray, dict[str, Any]]:
    """Train and score; return the scores, and seconds of the processor and of the clock for both steps."""
    marks = [(time.process_time(), time.perf_counter())]
    fitted = fit(split, settings, seed)
    marks.append((time.process_time(), time.perf_counter()))
    scores = np.asarray(fitted.score())
    marks.append((time.process_time(), time.perf_counter()))
    if scores.shape != (len(split.query_user), split.n_items):
        raise ValueError(f"scores have the shape {scores.shape}, not {(len(split.query_user), split.n_items)}")
    facts = {
        "fit_cpu_seconds": round(marks[1][0] - marks[0][0], 3),
        "score_cpu_seconds": round(marks[2][0] - marks[1][0], 3),
        "fit_seconds": round(marks[1][1] - marks[0][1], 3),
        "score_seconds": round(marks[2][1] - marks[1][1], 3),
        "peak_mb": round(peak_megabytes(), 1),
        **fitted.facts,
    }
    return scores, facts


def adapter(package: str, models: Mapping[str, Fit]) -> int:
    """The program of an adapter: `SPLIT OUT --model NAME`; `--list` prints the models.

    Args:
        package: Name of the library's distribution.
        models: Name of a model to how this library trains it.
    """
    options = argparse.ArgumentParser()
    options.add_argument("split", type=Path, nargs="?")
    options.add_argument("out", type=Path, nargs="?")
    options.add_argument("--model", choices=models)
    options.add_argument("--settings", type=json.loads, default={}, help="JSON")
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--budget", type=float, help="processor seconds for training in passes")
    options.add_argument("--list", action="store_true")
    args = options.parse_args()
    if args.list:
        print(" ".join(models))
        return 0
    if args.split is None or args.out is None or args.model is None:
        options.error("SPLIT, OUT and --model are needed")
    settings = args.settings | ({} if args.budget is None else {"budget": args.budget})
    scores, facts = measured(read_split(args.split), models[args.model], settings, args.seed)
    args.out.mkdir(parents=True, exist_ok=True)
    np.savez(args.out / f"{args.model}.npz", scores=scores)
    about = {"package": package, "version": version(package), "model": args.model, "settings": settings}
    about |= {"seed": args.seed, "python": sys.version.split()[0], **facts}
    (args.out / f"{args.model}.json").write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
    return 0
