"""Compare approximate searches for neighbours with the exact one: recall@50, time a query, and the time filter.

    OMP_NUM_THREADS=1 python benchmarks/scale/recall.py --sizes 100000 1000000

Vectors are those of `measure.py`, weighted sums of the last items of histories of a log of `write_log.py`; each query
is one of the rows, changed a little, and sees a random prefix of the log. Times are medians over queries asked one at
a time, of the processor, exact and approximate in turns. The last line of the output is one JSON object.
"""

import argparse
import json
import statistics
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from measure import PER_ITEM, PER_USER, WeightedSum
from write_log import write_log

from mmsrarec.data.dataset import Dataset
from mmsrarec.retrieve.indexed_rows import encoded_rows
from mmsrarec.retrieve.search.nearest_search import APPROXIMATE, Search, SearchName, make_search
from mmsrarec.retrieve.unit_vectors import unit

IN_BATCH = 64
"""Queries that are asked together, where the time in batches is measured."""


def log_vectors(size: int, folder: Path) -> np.ndarray:
    """The distinct unit vectors of a log, in time order."""
    data = folder / f"log-{size}"
    if not data.exists():
        write_log(data, max(size // PER_USER, 10), max(size // PER_ITEM, 50), size)
    log = Dataset.load(data).interactions
    return encoded_rows(log, log.by_time, WeightedSum(log.n_items))[0]


def nearest(search: Search, query: np.ndarray, until: int, k: int) -> tuple[np.ndarray, float]:
    """The numbers of the k nearest vectors, and the processor's milliseconds."""
    started = time.process_time()
    (proposal,) = search.propose(query[None], np.array([until]), np.array([k]))
    spent = 1000 * (time.process_time() - started)
    return proposal.numbers[np.argsort(-proposal.products, kind="stable")[:k]], spent


def compare(size: int, folder: Path, n_queries: int, k: int, names: Sequence[SearchName]) -> dict:
    """The exact search and approximate ones over the vectors of one log."""
    vectors, rng = log_vectors(size, folder), np.random.default_rng(1)
    built: dict[str, float] = {}
    searches: dict[str, Search] = {}
    for name in ("exact", *names):
        started = time.process_time()
        searches[name] = make_search(name, vectors)
        built[name] = round(time.process_time() - started, 1)
    rows = rng.integers(len(vectors), size=n_queries)
    noise = 0.02 * rng.normal(size=(n_queries, vectors.shape[1])).astype(np.float32)
    queries, until = unit(vectors[rows] + noise), rng.integers(len(vectors) // 2, len(vectors) + 1, size=n_queries)
    recall, future = dict.fromkeys(names, 0.0), dict.fromkeys(names, 0)
    times: dict[str, list[float]] = {name: [] for name in searches}
    for query, end in zip(queries, until.tolist(), strict=True):
        best, spent = nearest(searches["exact"], query, end, k)
        times["exact"].append(spent)
        for name in names:
            found, spent = nearest(searches[name], query, end, k)
            times[name].append(spent)
            recall[name] += float(np.isin(best, found).mean()) / n_queries
            future[name] += int((found >= end).sum())
    one = {name: statistics.median(spent) for name, spent in times.items()}
    together = {name: in_batches(search, queries, until, k) for name, search in searches.items()}
    return {
        "interactions": size,
        "vectors": len(vectors),
        "exact": {"ms": round(one["exact"], 2), "ms_in_batches": round(together["exact"], 2)},
    } | {
        name: {
            f"recall@{k}": round(recall[name], 4),
            "from_the_future": future[name],
            "build_s": built[name],
            "ms": round(one[name], 2),
            "speedup": round(one["exact"] / one[name], 1),
            "ms_in_batches": round(together[name], 2),
            "speedup_in_batches": round(together["exact"] / together[name], 1),
        }
        for name in names
    }


def in_batches(search: Search, queries: np.ndarray, until: np.ndarray, k: int) -> float:
    """The processor's milliseconds of a query, asked in blocks as `Neighbours.find` asks: by how much they may see."""
    order, spent = np.argsort(until), 0.0
    for begin in range(0, len(order), IN_BATCH):
        rows = order[begin : begin + IN_BATCH]
        started = time.process_time()
        search.propose(queries[rows], until[rows], np.full(len(rows), k))
        spent += time.process_time() - started
    return 1000 * spent / len(order)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--sizes", type=int, nargs="+", default=[100_000, 1_000_000], help="interactions")
    options.add_argument("--folder", type=Path, default=Path("scale-logs"), help="where the logs are, or are written")
    options.add_argument("--queries", type=int, default=200)
    options.add_argument("--k", type=int, default=50)
    options.add_argument("--searches", nargs="+", choices=APPROXIMATE, default=["codes"])
    args = options.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for size in args.sizes:
        rows.append(compare(size, args.folder, args.queries, args.k, args.searches))
        print(json.dumps(rows[-1]), flush=True)
    print(json.dumps({"benchmark": "scale_recall", "rows": rows}))


if __name__ == "__main__":
    main()
