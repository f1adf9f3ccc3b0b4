"""Train every model of every library on one exported split, and rank all their scores by the same metrics.

    python benchmarks/peers/compare.py SPLIT ENVIRONMENTS OUT [--report docs/reports/peers.json]

Each model runs in a process of its own, one after another, on one thread, in the environment of its library; this
library's own rows do too. What is in OUT already is not run again and needs no environment, so that a run can be
stopped and gone on with. The table is printed and, with --report, kept as peers.json and, of differences from the best
other library, peers-gaps.json beside it. Where a library or a model fails, its row says why.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from export_split import read_truth
from make_environments import LIBRARIES, python_of
from peer_tables import Measured, gaps_table, measure_scores, peers_table

from mmsrarec.core.files import atomic_write

OWN = "mmsrarec"
ADAPTERS = Path(__file__).parent / "adapters"
SETTINGS: Mapping[str, Mapping[str, Any]] = {
    "popularity": {},
    "item-knn": {"k": 100},
    "user-knn": {"k": 50},
    "ease": {"l2": 100.0},
    "als": {"factors": 64, "alpha": 20.0, "regularization": 0.01, "iterations": 15},
    "bpr": {"factors": 64},
    "sasrec": {"factors": 64, "max_length": 50},
    "gru4rec": {"factors": 64, "max_length": 50},
    "bert4rec": {"factors": 64, "max_length": 50},
}
"""Model to the settings that every library is given, as far as it has them; all else is the library's own default."""
LIMIT = 460
"""Seconds on the clock after which a model is stopped."""
BUDGET = 300.0
"""Seconds of the processor after which a model that is trained in passes ends its training, where the library can."""
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS", "RAYON_NUM_THREADS")


def models_of(library: str, python: Path) -> list[str]:
    """The models that the adapter of a library has, in the order of `SETTINGS`. Raises SystemExit where it fails."""
    command = [str(python), str(ADAPTERS / f"{library}_peer.py"), "--list"]
    asked = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT, env=environment())
    if asked.returncode:
        raise SystemExit(f"{library}: {last_line(asked.stderr)}")
    offered = asked.stdout.split()[-len(SETTINGS) :]
    return [model for model in SETTINGS if model in offered]


def environment() -> dict[str, str]:
    """This process's environment, with one thread for every library."""
    return {**os.environ, **dict.fromkeys(THREADS, "1"), "OMP_WAIT_POLICY": "PASSIVE"}


def last_line(text: str) -> str:
    """The last line of what a program complained."""
    return (text.strip().splitlines() or ["it said nothing"])[-1][:200]


def train(library: str, model: str, python: Path, args: argparse.Namespace) -> str:
    """Run one model, unless its scores are there already; return why it failed, or ""."""
    split, folder = args.split, args.out / library
    done, failed = folder / f"{model}.json", folder / f"{model}.failed"
    if done.exists():
        return ""
    script = str(ADAPTERS / f"{library}_peer.py")
    given = ["--model", model, "--seed", str(args.seed), "--settings", json.dumps(SETTINGS[model])]
    given += ["--budget", f"{args.budget:g}"]
    command = [str(python), script, str(split.resolve()), str(folder.resolve()), *given]
    folder.mkdir(parents=True, exist_ok=True)
    try:  # libraries leave logs where they are started
        ran = subprocess.run(
            command, capture_output=True, text=True, timeout=args.limit, env=environment(), cwd=folder, check=False
        )
        reason = last_line(ran.stderr) if ran.returncode else ""
    except subprocess.TimeoutExpired:
        reason = f"stopped after {args.limit:g} seconds"
    failed.write_text(reason, encoding="utf-8") if reason else failed.unlink(missing_ok=True)
    return reason


def pythons(environments: Path, libraries: Sequence[str]) -> Iterator[tuple[str, Path | None, str]]:
    """Each library, its interpreter, and the reason where there is none; this library first."""
    record = environments / "installed.json"
    installed = json.loads(record.read_text(encoding="utf-8")) if record.exists() else {}
    yield OWN, Path(sys.executable), ""
    for library in libraries:
        python = python_of(environments / library).absolute()
        reason = installed.get(library, {}).get("reason", "") if python.exists() else "not installed"
        yield library, None if reason else python, reason


def compare(args: argparse.Namespace) -> list[Measured]:
    """Run everything that is not there yet, and measure all of it."""
    queries, candidates, facts = read_truth(args.split)
    rows: list[Measured] = []
    for library, python, reason in pythons(args.environments, args.library or LIBRARIES):
        there = [model for model in SETTINGS if (args.out / library / f"{model}.json").exists()]
        if python is None and not there:
            rows.append(Measured(library, "", reason=reason))
        for model in there if python is None else models_of(library, python):
            if args.model and model not in args.model:
                continue
            failed = train(library, model, python, args) if python is not None else ""
            print(library, model, failed or "done", file=sys.stderr, flush=True)
            folder = args.out / library
            rows.append(
                Measured(library, model, reason=failed)
                if failed
                else measure_scores(library, model, folder, queries, candidates, facts["n_items"])
            )
    return rows


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("split", type=Path)
    options.add_argument("environments", type=Path)
    options.add_argument("out", type=Path)
    options.add_argument("--library", action="append", choices=LIBRARIES, help="only these, and this library")
    options.add_argument("--model", action="append", choices=SETTINGS, help="only these")
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--limit", type=float, default=LIMIT, help="seconds on the clock that a model may take")
    options.add_argument("--budget", type=float, default=BUDGET, help="processor seconds for training in passes")
    options.add_argument("--report", type=Path, help="peers.json of docs/reports")
    args = options.parse_args()
    rows = compare(args)
    facts = json.loads((args.split / "split.json").read_text(encoding="utf-8"))
    tables = [peers_table(rows, facts, list(SETTINGS)), gaps_table(rows, facts, list(SETTINGS), OWN)]
    from docs_results import dumped, markdown_table

    for table in tables:
        print(markdown_table(table), end="\n\n")
        if args.report is not None:
            atomic_write(args.report.with_name(f"{table['id']}.json"), dumped(table).encode())
    return 0


if __name__ == "__main__":
    sys.path.append(str(Path(__file__).parents[2] / "scripts"))
    sys.exit(main())
