"""Time the search for neighbours: one history at a time and in batches, from 5,000 to 500,000 queries.

    OMP_NUM_THREADS=1 python benchmarks/neighbours.py --plot docs/neighbours.svg

Growth: logs of our own drawing with vectors of our own drawing, so that nothing but the search is timed. Live: a log of
the size of MicroLens-50k (50,000 users, 19,220 items), histories encoded on the fly by SASRec with random weights; what
is timed is the whole answer, from item codes to neighbours. Queries take turns over sizes, so that a busy machine slows
all alike. The last line of the output is one JSON object; times are medians, in milliseconds a query: of the processor,
and on the clock, which is longer where others use the machine. Slopes, ratio and plot are the processor's.
"""

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch

from mmsrarec.core.artefacts import versions
from mmsrarec.data.dataset import IntArray, Interactions, make_interactions
from mmsrarec.data.splits import Queries, leave_one_out
from mmsrarec.models.sequence.encoders import SASRec
from mmsrarec.retrieve.encoder import Encoder
from mmsrarec.retrieve.neighbours import Encodes, Neighbours
from mmsrarec.retrieve.settings import RetrieveSettings
from mmsrarec.study.report.plots import Line, line_plot, save_svg

SIZES = (5_000, 10_000, 20_000, 50_000, 100_000, 200_000, 500_000)
USERS, ITEMS = 50_000, 19_220
"""Of MicroLens-50k."""
EVENTS_A_USER = 7.2
"""Of MicroLens-50k, of which a split by leave-one-out trains on 5.2."""


class Drawn:
    """Stands in for an encoder: vectors near one of 500 tastes, another for every history."""

    def __init__(self, dims: int, seed: int):
        self.rng = np.random.default_rng(seed)
        self.tastes = self.rng.normal(size=(500, dims))

    def encode(self, histories: Sequence[IntArray]) -> np.ndarray:
        near = self.tastes[self.rng.integers(len(self.tastes), size=len(histories))]
        return (near + self.rng.normal(size=near.shape)).astype(np.float32)


def draw_log(users: int, items: int, rng: np.random.Generator) -> Interactions:
    """Everybody takes 5 or more items, popular ones most, over four months."""
    lengths = 4 + rng.geometric(1 / (EVENTS_A_USER - 4), users)
    n = int(lengths.sum())
    popularity = 1 / (np.arange(items) + 20) ** 0.9
    taken = rng.choice(items, n, p=popularity / popularity.sum())
    return make_interactions(np.repeat(np.arange(users), lengths), taken, rng.integers(1, 10_000_000, n), users, items)


def cut(log: Interactions, size: int) -> Interactions:
    """The first `size` interactions: a log of fewer users."""
    return log.where(np.arange(len(log)) < size)


def random_sasrec(n_items: int, settings: RetrieveSettings, seed: int) -> Encoder:
    s = settings
    model = SASRec(n_items, s.max_length, s.embedding_size, s.n_layers, s.n_heads, s.dropout).reset(
        torch.Generator().manual_seed(seed)
    )
    return Encoder(model.eval(), s)


def later(log: Interactions, users: IntArray, known: bool) -> Queries:
    """Queries after the whole log, each with the history of one of its users; known: whether it says who it is."""
    end = int(log.time.max()) + 1
    codes = users if known else np.full(len(users), -1)
    histories = tuple(log.items_of(int(user)) for user in users)
    return Queries(codes, np.full(len(users), end), np.full(len(users), -1), histories)


def timed(call: Callable[[], object]) -> tuple[float, float]:
    """(on the clock, of a processor) in milliseconds."""
    started, started_cpu = time.perf_counter(), time.process_time()
    call()
    return 1000 * (time.perf_counter() - started), 1000 * (time.process_time() - started_cpu)


def medians(times: Sequence[tuple[float, float]], share: int = 1) -> dict[str, float]:
    """Of times of `share` queries each, for one query."""
    clock, cpu = zip(*times, strict=True)
    return {"cpu": round(statistics.median(cpu) / share, 4), "clock": round(statistics.median(clock) / share, 4)}


def growth(args: argparse.Namespace) -> list[dict]:
    """Median times by size of the log."""
    log = draw_log(int(max(args.sizes) / EVENTS_A_USER * 1.1) + 1, ITEMS, np.random.default_rng(args.seed))
    indexes, found = [], []
    for size in args.sizes:
        train = cut(log, size)
        started = time.perf_counter()
        index = Neighbours(train, Drawn(args.dims, args.seed), args.index)
        seconds = time.perf_counter() - started
        indexes.append(index)
        found.append({"queries": len(train), "build_s": round(seconds, 2)})
    rng = np.random.default_rng(args.seed)
    for name, turns, share in (("one", args.queries, 1), ("batched", args.batches, args.batch)):
        times = [[] for _ in indexes]
        for turn in range(turns):
            for index, own in zip(indexes, times, strict=True):
                users = rng.choice(np.unique(index.train.user), share)
                queries = later(index.train, users, known=bool(turn % 2))
                own.append(timed(lambda i=index, m=queries: i.find(m, args.k)))
        for row, own in zip(found, times, strict=True):
            row[name] = medians(own, share)
        print(f"{name}: done", file=sys.stderr)
    return found


def live(args: argparse.Namespace) -> dict:
    """One history at a time among 50,000 users, encoding and all."""
    split = leave_one_out(draw_log(USERS, ITEMS, np.random.default_rng(args.seed)))
    encoder: Encodes = random_sasrec(ITEMS, RetrieveSettings(embedding_size=args.dims), args.seed)
    index = Neighbours(split.train, encoder, args.index)
    rng, end = np.random.default_rng(args.seed), int(split.test.time.max()) + 1
    asked = rng.permutation(len(split.test))[: args.queries]
    whole, encoding = [], []
    for number, row in enumerate(asked):
        user, history = int(split.test.user[row]), split.test.history[row]
        who = user if number % 2 else -1  # every other one is somebody who is not in the data
        encoding.append(timed(lambda h=history: encoder.encode([h])))
        whole.append(timed(lambda h=history, w=who: index.neighbours(h, end, args.k, w)))
    batch = [timed(lambda: index.find(split.test.pick(asked), args.k)) for _ in range(3)]
    return {
        "users": USERS,
        "queries": len(split.train),
        "distinct_vectors": len(index.vectors),
        "one": medians(whole),
        "one_cpu_90th_percentile": round(statistics.quantiles([cpu for _, cpu in whole], n=10)[-1], 3),
        "of_it_encoding": medians(encoding),
        "batched": medians(batch, len(asked)),
    }


def slope(sizes: Sequence[int], times: Sequence[float]) -> float:
    """Of log time over log size, by least squares: 1 is linear growth."""
    return float(np.polyfit(np.log(sizes), np.log(times), 1)[0])


def plot(rows: list[dict], file: Path) -> None:
    """Times by size of the log, for the documentation: the report's plot with colours of its own."""
    lines = [
        Line(f"{label}, ms", [(row["queries"] / 1000, row[name]["cpu"]) for row in rows], strong=name == "one")
        for name, label in (("one", "one history"), ("batched", "in batches"))
    ]
    save_svg(
        line_plot(lines, "Search for neighbours: ms a query by moments searched", "thousand moments", zero=True), file
    )


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--sizes", type=int, nargs="+", default=list(SIZES), help="moments searched")
    options.add_argument("--queries", type=int, default=200, help="one at a time, for each size")
    options.add_argument("--batches", type=int, default=3)
    options.add_argument("--batch", type=int, default=256, help="queries in a batch")
    options.add_argument("--k", type=int, default=50, help="neighbours; 50 is what a ranking asks for, a prompt 3")
    options.add_argument("--dims", type=int, default=64)
    options.add_argument("--index", choices=("exact", "faiss", "codes", "ivf"), default="exact")
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--plot", type=Path, help="an SVG file to draw the growth into")
    args = options.parse_args()
    torch.set_num_threads(1)

    rows, whole = growth(args), live(args)
    if args.plot:
        plot(rows, args.plot)
    sizes = [row["queries"] for row in rows]
    print(
        json.dumps(
            {
                "benchmark": "neighbours",
                "ms_per_query": rows,
                "slope": {
                    name: round(slope(sizes, [row[name]["cpu"] for row in rows]), 3) for name in ("one", "batched")
                },
                "ratio": round(rows[-1]["one"]["cpu"] / rows[0]["one"]["cpu"], 2),
                "ratio_of_moments": round(sizes[-1] / sizes[0], 2),
                "live": whole,
                "threads": os.environ.get("OMP_NUM_THREADS"),
                "settings": {name: value for name, value in vars(args).items() if name != "plot"},
                "versions": versions(),
            }
        )
    )


if __name__ == "__main__":
    main()
