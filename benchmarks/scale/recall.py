"""Compare the approximate search for neighbours with the exact one: recall@50, time a query, and the time filter.

    OMP_NUM_THREADS=1 python benchmarks/scale/recall.py --sizes 100000 1000000

Vectors are those of `measure.py`, weighted sums of the last items of histories of a log of `write_log.py`; each query
is one of the rows, changed a little, and sees a random prefix of the log. Times are medians over queries asked one at
a time, of the processor, exact and approximate in turns. The last line of the output is one JSON object.
"""

import argparse
import json
import statistics
import time
from pathlib import Path

import numpy as np
from measure import WeightedSum
from write_log import write_log

from mmsrarec.data.dataset import Dataset
from mmsrarec.retrieve.indexed_rows import encoded_rows
from mmsrarec.retrieve.nearest_search import IvfSearch, NumpySearch, Search
from mmsrarec.retrieve.unit_vectors import unit


def log_vectors(size: int, folder: Path) -> np.ndarray:
    """The distinct unit vectors of a log, in time order."""
    data = folder / f"log-{size}"
    if not data.exists():
        write_log(data, max(size // 20, 10), max(size // 50, 50), size)
    log = Dataset.load(data).interactions
    return encoded_rows(log, log.by_time, WeightedSum(log.n_items))[0]


def nearest(search: Search, query: np.ndarray, until: int, k: int) -> tuple[np.ndarray, float]:
    """The numbers of the k nearest vectors, and the processor's milliseconds."""
    started = time.process_time()
    (proposal,) = search.propose(query[None], np.array([until]), np.array([k]))
    spent = 1000 * (time.process_time() - started)
    return proposal.numbers[np.argsort(-proposal.products, kind="stable")[:k]], spent


def compare(size: int, folder: Path, n_queries: int, k: int) -> dict[str, float]:
    """Both searches over the vectors of one log."""
    vectors, rng = log_vectors(size, folder), np.random.default_rng(1)
    started = time.process_time()
    near, exact = IvfSearch(vectors), NumpySearch(vectors)
    built = time.process_time() - started
    recall, future, times = [], 0, {"exact": [], "ivf": []}
    for _ in range(n_queries):
        query = vectors[rng.integers(len(vectors))] + 0.02 * rng.normal(size=vectors.shape[1]).astype(np.float32)
        query, until = unit(query[None])[0], int(rng.integers(len(vectors) // 2, len(vectors) + 1))
        best, spent_exact = nearest(exact, query, until, k)
        found, spent = nearest(near, query, until, k)
        times["exact"].append(spent_exact)
        times["ivf"].append(spent)
        recall.append(np.isin(best, found).mean())
        future += int((found >= until).sum())
    medians = {name: statistics.median(spent) for name, spent in times.items()}
    return {
        "interactions": size,
        "vectors": len(vectors),
        f"recall@{k}": round(float(np.mean(recall)), 4),
        "from_the_future": future,
        "build_s": round(built, 1),
        "exact_ms": round(medians["exact"], 3),
        "ivf_ms": round(medians["ivf"], 3),
        "speedup": round(medians["exact"] / medians["ivf"], 1),
    }


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--sizes", type=int, nargs="+", default=[100_000, 1_000_000], help="interactions")
    options.add_argument("--folder", type=Path, default=Path("scale-logs"), help="where the logs are, or are written")
    options.add_argument("--queries", type=int, default=200)
    options.add_argument("--k", type=int, default=50)
    args = options.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for size in args.sizes:
        rows.append(compare(size, args.folder, args.queries, args.k))
        print(json.dumps(rows[-1]), flush=True)
    print(json.dumps({"benchmark": "scale_recall", "rows": rows}))


if __name__ == "__main__":
    main()
