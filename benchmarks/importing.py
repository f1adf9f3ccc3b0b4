"""Time and memory of an import with 5-core and of the splits, at 1, 3 and 10 million synthetic interactions.

    python benchmarks/importing.py

Each size is written as interactions.csv and items.jsonl and imported by a process of its own, so that its peak memory
is that of the whole process. The clock runs from the CSV to the three splits. Items are few, as in published sets; a
line in a thousand is faulty. The last line of the output is one JSON object: seconds on the clock, seconds of the
processor, peak megabytes (2**20 bytes), and the slopes of log time and log memory over log size.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl

SIZES = (1_000_000, 3_000_000, 10_000_000)
INTERACTIONS_A_USER, USERS_AN_ITEM = 20, 4
START, SPAN = 1_500_000_000, 200_000_000
FAULTY = 1_000


def draw(folder: Path, n: int, seed: int = 0) -> None:
    """A source folder with n interactions, users of a geometric length, and items of a long tail."""
    rng = np.random.default_rng(seed)
    users, items = n // INTERACTIONS_A_USER, n // INTERACTIONS_A_USER // USERS_AN_ITEM
    lengths = rng.geometric(1 / INTERACTIONS_A_USER, users)
    user = np.repeat(rng.permutation(users), lengths)[:n]
    user = np.concatenate([user, rng.integers(0, users, n - len(user))]).astype(np.int64)
    item = np.minimum(items * rng.random(n) ** 2, items - 1).astype(np.int64)
    when = np.sort(START + rng.integers(0, SPAN, n))
    order = rng.permutation(n)
    table = pl.DataFrame({"user_id": user[order], "item_id": item, "rating": rng.integers(1, 6, n), "timestamp": when})
    folder.mkdir(parents=True)
    ids = [pl.format("u{}", "user_id").alias("user_id"), pl.format("i{}", "item_id").alias("item_id")]
    table = table.with_columns(ids)
    with (folder / "interactions.csv").open("wb") as file:
        for start in range(0, n, FAULTY * 100):
            table[start : start + FAULTY * 100].write_csv(file, include_header=start == 0)
            for number in range(100):
                file.write(f'u{number},"i{number}"x,5,{START}\n'.encode())
    lines = (f'{{"item_id": "i{code}", "title": "Item {code}"}}\n' for code in range(items))
    (folder / "items.jsonl").write_text("".join(lines))


def measure(source: Path, out: Path) -> dict[str, float]:
    """Import and split in this process."""
    from mmsrarec.data.folder import load
    from mmsrarec.data.importers.importing import ImportOptions, import_place
    from mmsrarec.data.splits import leave_one_out, time_cut, user_8_1_1

    start, before = time.perf_counter(), time.process_time()
    report = import_place("tables", str(source), out, ImportOptions(core=(5, 5)))
    imported = time.perf_counter()
    interactions = load(out).interactions
    loaded = time.perf_counter()
    queries = [len(split.test) for split in (leave_one_out(interactions), user_8_1_1(interactions, 0))]
    queries.append(len(time_cut(interactions).test))
    end = time.perf_counter()
    return {
        "read": report.rows["interactions"].read,
        "kept": report.interactions,
        "rejected": report.rejects,
        "test_queries": sum(queries),
        "import_s": round(imported - start, 2),
        "load_s": round(loaded - imported, 2),
        "split_s": round(end - loaded, 2),
        "total_s": round(end - start, 2),
        "processor_s": round(time.process_time() - before, 2),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
    }


def slope(sizes: list[int], values: list[float]) -> float:
    """The exponent of the best power law through some values."""
    return round(float(np.polyfit(np.log(sizes), np.log(values), 1)[0]), 3)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES))
    parser.add_argument("--one", type=Path, nargs=2, metavar=("SOURCE", "OUT"), help="measure one import, and end")
    args = parser.parse_args()
    if args.one:
        print(json.dumps(measure(*args.one)))
        return
    results: dict[int, dict[str, float]] = {}
    for size in args.sizes:
        with tempfile.TemporaryDirectory() as folder:
            source, out = Path(folder, "source"), Path(folder, "out")
            draw(source, size)
            command = [sys.executable, __file__, "--one", str(source), str(out)]
            answer = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            results[size] = json.loads(answer.splitlines()[-1])
            print(size, results[size], flush=True)
    sizes = list(results)
    slopes = {
        name: slope(sizes, [results[size][name] for size in sizes])
        for name in ("total_s", "processor_s", "peak_mb")
        if len(sizes) > 1
    }
    print(json.dumps({"sizes": results, "slopes": slopes}))


if __name__ == "__main__":
    main()
