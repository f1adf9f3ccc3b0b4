"""Measure time and peak memory of the steps of a run without the language model, over logs of growing size.

    OMP_NUM_THREADS=1 python benchmarks/scale/measure.py --sizes 10000 100000 1000000 --folder /tmp/logs

Each step runs in a process of its own on a log of `write_log.py`. It first loads what it needs (not timed), then works
(timed). Memory is the peak resident set of the whole process, so that what a step cannot do without is part of it; the
step "load" is the log alone. Histories are encoded by a fixed weighted sum of random item vectors, so that the index is
measured and not the network. The last line of the output is one JSON object; a slope is that of log time (memory) over
log size between the last two sizes: 1 is linear growth.
"""

import argparse
import json
import math
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from write_log import write_log

from mmsrarec.core.artefacts import versions
from mmsrarec.data.dataset import Dataset, IntArray, Interactions
from mmsrarec.data.splits import HistoriesBefore, Queries, Split, leave_one_out
from mmsrarec.retrieve.search.nearest_search import SearchName

DIMS, LAST_ITEMS = 64, 20
BLOCK = 8_192
"""Rows of a log that the stand-in for an encoder works on together."""
N_POINTS, N_ANSWERS, N_PROPOSED = 1_000, 100, 20
"""Prediction points whose context is drawn, answers that are served, and items proposed for each."""
NEWEST = 20
"""Rows of each user in the index of the steps that are named "newest"; the search is that by codes."""
PER_USER, PER_ITEM = 100, 100
"""Interactions of a user and of an item: 100 million make a million users and a million items."""


class WeightedSum:
    """Stands in for an encoder: the sum of fixed vectors of the last items, the latest weighing most."""

    def __init__(self, n_items: int) -> None:
        self.items = np.random.default_rng(0).normal(size=(n_items, DIMS)).astype(np.float32)

    def encode(self, histories: Sequence[IntArray]) -> np.ndarray:
        if isinstance(histories, HistoriesBefore):
            return self._encode_rows(histories)
        vectors = np.full((len(histories), DIMS), 0.1, dtype=np.float32)
        weights = 0.8 ** np.arange(LAST_ITEMS, dtype=np.float32)
        for row, history in enumerate(histories):
            last = history[-LAST_ITEMS:][::-1]
            vectors[row] += weights[: len(last)] @ self.items[last]
        return vectors

    def _encode_rows(self, histories: HistoriesBefore) -> np.ndarray:
        """The same for rows of a log, by columns: a loop over millions of rows would be most of what is measured."""
        log, rows = histories.interactions, histories.rows
        vectors = np.full((len(rows), DIMS), 0.1, dtype=np.float32)
        for begin in range(0, len(rows), BLOCK):
            part = slice(begin, begin + BLOCK)
            depth = rows[part] - log.offsets[log.user[rows[part]]]
            for back in range(LAST_ITEMS):
                long = np.flatnonzero(depth > back)
                last = log.item[rows[part][long] - 1 - back]
                vectors[begin + long] += np.float32(0.8**back) * self.items[last]
        return vectors

    def scores(self, histories: Sequence[IntArray]) -> np.ndarray:
        return self.encode(histories) @ self.items.T


def load(folder: Path) -> Dataset:
    return Dataset.load(folder)


def some(queries: Queries, n: int) -> Queries:
    """At most n queries, evenly over all."""
    return queries.pick(np.unique(np.linspace(0, len(queries) - 1, min(n, len(queries))).astype(np.int64)))


def step_load(folder: Path) -> Callable[[], object]:
    return lambda: load(folder)


def step_check(folder: Path) -> Callable[[], object]:
    from mmsrarec.data.checking.check_data import check

    dataset = load(folder)
    return lambda: check(dataset)


def split_of(folder: Path) -> Split:
    return leave_one_out(load(folder).interactions)


def step_split(folder: Path) -> Callable[[], object]:
    from mmsrarec.data.splits import make_split

    log: Interactions = load(folder).interactions
    return lambda: [make_split(name, log, 0) for name in ("leave-one-out", "time-cut")]


def ranker_step(name: str, **settings: object) -> Callable[[Path], Callable[[], object]]:
    """Fitting a ranker, and scoring candidates at some prediction points."""

    def prepare(folder: Path) -> Callable[[], object]:
        from mmsrarec.rankers.registry.registry import ranker_class

        split = split_of(folder)
        points = some(split.test, N_POINTS)
        candidates = np.random.default_rng(0).integers(split.train.n_items, size=(len(points), N_PROPOSED))

        def work() -> None:
            ranker = ranker_class(name)(**settings).fit(split.train)
            for begin in range(0, len(points), 64):
                part = np.arange(begin, min(begin + 64, len(points)))
                ranker.score(points.pick(part), candidates[part])

        return work

    return prepare


def step_neighbours(folder: Path, rows_per_user: int | None = None) -> Callable[[], object]:
    """The index of similar users."""
    from mmsrarec.retrieve.neighbours import Neighbours

    train = split_of(folder).train
    return lambda: Neighbours(train, WeightedSum(train.n_items), rows_per_user=rows_per_user)


def step_contexts(
    folder: Path, rows_per_user: int | None = None, index: SearchName = "exact", n_points: int = N_POINTS
) -> Callable[[], object]:
    """The levels, votes and neighbours that a prompt shows of candidates, at some prediction points."""
    from mmsrarec.retrieve.collaborative_context import voting_neighbours
    from mmsrarec.retrieve.item_time_index import ItemTimeIndex
    from mmsrarec.retrieve.neighbours import Neighbours
    from mmsrarec.retrieve.signals import popularity_levels, trend

    split = split_of(folder)
    neighbours = Neighbours(split.train, WeightedSum(split.train.n_items), index, rows_per_user=rows_per_user)
    past, points = ItemTimeIndex.of(split.train), some(split.test, n_points)
    candidates = np.random.default_rng(0).integers(split.train.n_items, size=(len(points), N_PROPOSED))

    def work() -> None:
        popularity_levels.levels(split.train, points, candidates)
        trend.recency_levels(past, points, candidates)
        trend.trend_levels(past, points, candidates)
        for _ in voting_neighbours(neighbours, split.train, points, 50, 10):
            pass

    return work


def step_answers(folder: Path, n_answers: int = N_ANSWERS) -> Callable[[], object]:
    """One answer at a time without the language model: rules and keywords propose, contexts of the best are drawn."""
    from mmsrarec.rankers.ensemble.interleaved import interleave_cold_items
    from mmsrarec.rankers.ensemble.keyword_overlap import KeywordOverlap
    from mmsrarec.rankers.ensemble.leading import proposals
    from mmsrarec.rankers.registry.registry import ranker_class
    from mmsrarec.retrieve.signals import popularity_levels

    dataset = load(folder)
    train = dataset.interactions
    rules = ranker_class("sequential-rules")().fit(train)
    words = KeywordOverlap([tuple(item.title.split()[:3]) for item in dataset.items])
    ranker = interleave_cold_items(rules, words, train.counts == 0, N_PROPOSED)
    users, end = np.random.default_rng(0).integers(train.n_users, size=n_answers), int(train.time.max()) + 1

    def work() -> None:
        for user in users.tolist():
            query = Queries(np.array([user]), np.array([end]), np.array([-1]), (train.items_of(user),))
            best = proposals(ranker, query, N_PROPOSED)
            popularity_levels.levels(train, query, best)

    return work


def step_candidates(folder: Path) -> Callable[[], object]:
    """The candidates of the published protocol: 20 negatives for each test query."""
    from mmsrarec.evaluate.protocols import published_candidates

    log = load(folder).interactions
    test = leave_one_out(log).test
    return lambda: published_candidates(test, log, 0)


STEPS: dict[str, Callable[[Path], Callable[[], object]]] = {
    "load": step_load,
    "check": step_check,
    "split": step_split,
    "candidates": step_candidates,
    "popularity": ranker_step("popularity-as-of"),
    "rules": ranker_step("sequential-rules"),
    "item-knn": ranker_step("item-knn", k=100),
    "als": ranker_step("als", iterations=2),
    "neighbours": step_neighbours,
    "contexts": step_contexts,
    "newest-neighbours": partial(step_neighbours, rows_per_user=NEWEST),
    "newest-contexts": partial(step_contexts, rows_per_user=NEWEST, index="codes"),
    "10,000 newest-contexts": partial(step_contexts, rows_per_user=NEWEST, index="codes", n_points=10_000),
    "answers": step_answers,
    "1,000 answers": partial(step_answers, n_answers=1_000),
}


def peak_mb() -> float:
    """The peak resident set of this process in MB (2**20 bytes)."""
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)


def run_step(name: str, folder: Path) -> dict[str, float]:
    """Run one step in this process."""
    work = STEPS[name](folder)
    started, started_cpu = time.perf_counter(), time.process_time()
    work()
    seconds, cpu = time.perf_counter() - started, time.process_time() - started_cpu
    return {"seconds": round(seconds, 3), "cpu_s": round(cpu, 3), "peak_mb": round(peak_mb(), 1)}


def run_apart(name: str, folder: Path, limit_s: float) -> dict[str, float | str]:
    """Run one step in a process of its own."""
    command = [sys.executable, __file__, "--step", name, "--data", str(folder)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=limit_s, check=False)
    except subprocess.TimeoutExpired:
        return {"failed": f"more than {limit_s:.0f} s"}
    if done.returncode:
        return {"failed": (done.stderr.strip().splitlines() or ["without a word"])[-1][:200]}
    return json.loads(done.stdout.splitlines()[-1])


def slope(sizes: Sequence[int], values: Sequence[float | None]) -> float | None:
    """The slope of log value over log size between the last two sizes; None where a value is missing."""
    if len(values) < 2 or not all(values[-2:]):
        return None
    (n, m), (a, b) = sizes[-2:], values[-2:]
    assert a is not None
    assert b is not None
    return round(math.log(b / a) / math.log(m / n), 2)


def table(sizes: Sequence[int], rows: dict[str, list[dict]], slopes: dict[str, dict]) -> str:
    """The results in Markdown: processor seconds and MB of each size, and both slopes."""
    heads = [f"{size:,}" for size in sizes]
    lines = ["| step | " + " | ".join(f"{head}: s | MB" for head in heads) + " | slope s | slope MB |"]
    lines.append("|---" + "|--:" * (2 * len(sizes) + 2) + "|")
    for name, cells in rows.items():
        values = [f"{cell['cpu_s']:.2f} | {cell['peak_mb']:.0f}" if "cpu_s" in cell else "– | –" for cell in cells]
        lines.append(f"| {name} | {' | '.join(values)} | {slopes[name]['cpu_s']} | {slopes[name]['peak_mb']} |")
    return "\n".join(lines)


def measure(sizes: Sequence[int], folder: Path, names: Sequence[str], limit_s: float) -> dict:
    """All steps at all sizes; logs that are not there are written first."""
    rows: dict[str, list[dict]] = {name: [] for name in names}
    written = []
    for size in sizes:
        data = folder / f"log-{size}"
        if not data.exists():
            write_log(data, max(size // PER_USER, 10), max(size // PER_ITEM, 50), size)
        written.append(size)
        for name in names:
            rows[name].append(run_apart(name, data, limit_s))
            print(f"{size:>12,} {name:<12} {json.dumps(rows[name][-1])}", file=sys.stderr, flush=True)
    slopes = {
        name: {what: slope(written, [cell.get(what) for cell in cells]) for what in ("cpu_s", "peak_mb")}
        for name, cells in rows.items()
    }
    print(table(sizes, rows, slopes))
    return {"benchmark": "scale", "sizes": list(sizes), "rows": rows, "slopes": slopes}


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000, 1_000_000], help="interactions")
    options.add_argument("--folder", type=Path, default=Path("scale-logs"), help="where the logs are, or are written")
    options.add_argument("--steps", nargs="+", choices=list(STEPS), default=list(STEPS))
    options.add_argument("--limit", type=float, default=900, help="seconds of a step, at most")
    options.add_argument("--step", choices=list(STEPS), help=argparse.SUPPRESS)
    options.add_argument("--data", type=Path, help=argparse.SUPPRESS)
    args = options.parse_args()
    if args.step:
        print(json.dumps(run_step(args.step, args.data)))
        return
    args.folder.mkdir(parents=True, exist_ok=True)
    result = measure(args.sizes, args.folder, args.steps, args.limit)
    print(json.dumps(result | {"threads": os.environ.get("OMP_NUM_THREADS"), "versions": versions()}))


if __name__ == "__main__":
    main()
