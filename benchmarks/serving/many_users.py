"""How much faster many users are answered together than one by one.

    python benchmarks/serving/many_users.py --run runs/sample --users 800
    python benchmarks/serving/many_users.py --run runs/sample --users 800 --language-model --processes 2

Each user is asked by a call of `Recommender.recommend`, and all of them by one call of it; with --processes also by
`mmsrarec recommend --users --out` in so many processes, which is timed from its start to the end of the file.
--language-model lets the language model alone rank, whatever was learned. The users are shared out over rounds, in
which the two ways take turns, so that other work on the machine slows both. The last line of the output is one JSON
object, with seconds of the wall and of the processor.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from mmsrarec.runs.recommender import Recommender


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """(wall, processor) seconds of a piece of work."""
    wall, processor = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - processor


def compare(recommender: Recommender, users: Sequence[str], k: int, reasons: bool, rounds: int) -> dict[str, Any]:
    """Seconds of both ways, and how many times as fast together is."""
    spent = {"single": [0.0, 0.0], "together": [0.0, 0.0]}
    for number in range(rounds):
        share = list(users[number::rounds])

        def single(share: list[str] = share) -> None:
            for user in share:
                recommender.recommend(user=user, k=k, reasons=reasons)

        def together(share: list[str] = share) -> None:
            recommender.recommend(users=share, k=k, reasons=reasons)

        for name, work in (("single", single), ("together", together)):
            for place, seconds in enumerate(timed(work)):
                spent[name][place] += seconds
    (single_wall, single_cpu), (wall, cpu) = spent["single"], spent["together"]
    return {
        "single": {"seconds": round(single_wall, 2), "processor": round(single_cpu, 2)},
        "together": {"seconds": round(wall, 2), "processor": round(cpu, 2)},
        "times_as_fast": round(single_wall / wall, 2),
        "times_as_fast_processor": round(single_cpu / cpu, 2),
    }


def to_file(run: Path, users: Sequence[str], k: int, reasons: bool, processes: int) -> float:
    """Wall seconds of the command that writes a file, loading included."""
    with tempfile.TemporaryDirectory() as folder:
        ids = Path(folder) / "users.txt"
        ids.write_text("".join(f"{user}\n" for user in users))
        command = [sys.executable, "-m", "mmsrarec", "recommend", str(run), "--users", str(ids), "--k", str(k)]
        command += ["--out", f"{folder}/out.parquet", "--processes", str(processes)]
        command += [] if reasons else ["--no-reasons"]
        started = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        return time.perf_counter() - started


def main() -> int:
    parser = argparse.ArgumentParser(description="Compare many users together with one by one.")
    parser.add_argument("--run", type=Path, required=True, help="a finished run")
    parser.add_argument("--users", type=int, default=800, help="as many as there are, at most")
    parser.add_argument("--k", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--reasons", choices=("both", "yes", "no"), default="both")
    parser.add_argument("--language-model", action="store_true", help="the language model alone ranks")
    parser.add_argument("--processes", type=int, default=0, help="of the command; 0: it is not timed")
    args = parser.parse_args()
    recommender = Recommender.load(args.run)
    if args.language_model:
        recommender.fusion, recommender.generators = None, ()
    users = list(recommender.dataset.user_ids[: args.users])
    recommender.recommend(user=users[0], k=args.k)  # warms up
    asks = recommender.fusion is None or recommender.fusion.uses_lm
    result: dict[str, Any] = {"run": str(args.run), "users": len(users), "k": args.k, "language_model_ranks": asks}
    for reasons in {"both": (False, True), "yes": (True,), "no": (False,)}[args.reasons]:
        name = "with_reasons" if reasons else "without_reasons"
        result[name] = compare(recommender, users, args.k, reasons, args.rounds)
        if args.processes and not args.language_model:
            result[name]["command_seconds"] = round(to_file(args.run, users, args.k, reasons, args.processes), 2)
        print(f"{name}: {json.dumps(result[name])}", file=sys.stderr, flush=True)
    result["load_average"] = round(os.getloadavg()[0], 1)
    print(json.dumps(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
