"""How long a server takes from its start until it lives, is ready, and has its language model.

    python benchmarks/serving/startup.py --run runs/demo --times 5

Each start is a process of its own, with an empty state; the first one, which warms the disk, does not count. A machine
is seldom quiet, so processor seconds are told beside the clock's, and after each start `import torch` is timed the
same way as a measure to hold them against. Modules are compiled once, as those of an installed package are, whatever
PYTHONDONTWRITEBYTECODE says. The last line of the output is one JSON object: medians over the starts.
"""

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

import httpx2
import psutil

STEPS = ("live", "ready", "language model")
TIMEOUT = 300
EVERY = 0.02
"""Seconds between two looks."""

Times = dict[str, tuple[float, float]]
"""By step: seconds of the clock, and of the processor."""


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def has_reached(client: httpx2.Client, step: str) -> bool:
    """Whether a server is as far as that."""
    try:
        answer = client.get("/health/live" if step == "live" else "/health/ready")
    except httpx2.HTTPError:
        return False
    return answer.status_code == 200 and (step != "language model" or answer.json()["language_model"] != "loading")


def environment(compiled: str) -> dict[str, str]:
    """Of a process that finds its modules compiled: in their places, or where nothing is written there in a folder."""
    own = dict(os.environ)
    if own.pop("PYTHONDONTWRITEBYTECODE", ""):
        own["PYTHONPYCACHEPREFIX"] = compiled
    return own


def one_start(run: str, folder: str, env: dict[str, str]) -> Times:
    """Start a server, look how long each step takes, and end it."""
    port, times = free_port(), Times()
    command = [sys.executable, "-m", "mmsrarec", "serve", run, "--port", str(port), "--state", f"{folder}/s.sqlite"]
    with open(f"{folder}/log", "w") as log:
        started, process = time.perf_counter(), subprocess.Popen(command, stdout=log, stderr=log, env=env)
    try:
        with httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=TIMEOUT) as client:
            for step in STEPS:
                wait_until(lambda step=step: has_reached(client, step), process)
                times[step] = time.perf_counter() - started, processor_seconds(process.pid)
    finally:
        process.terminate()
        process.wait(TIMEOUT)
    return times


def wait_until(reached: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + TIMEOUT
    while not reached():
        if process.poll() is not None or time.monotonic() > until:
            raise SystemExit(f"the server did not start (exit code {process.poll()})")
        time.sleep(EVERY)


def processor_seconds(process: int) -> float:
    """What a process used by now."""
    times = psutil.Process(process).cpu_times()
    return times.user + times.system


def torch_alone(env: dict[str, str]) -> tuple[float, float]:
    """Seconds of the clock and of the processor of a process that imports torch and ends."""
    before, started = os.times(), time.perf_counter()
    subprocess.run([sys.executable, "-c", "import torch"], check=True, env=env)
    after = os.times()
    used = after.children_user + after.children_system - before.children_user - before.children_system
    return time.perf_counter() - started, used


def summary(starts: list[Times], references: list[tuple[float, float]]) -> dict[str, Any]:
    """The medians of all starts, and how many times `import torch` each step took, by the processor."""
    clock, processor = (statistics.median(one[place] for one in references) for place in (0, 1))
    result: dict[str, Any] = {}
    for step in STEPS:
        values = [statistics.median(one[step][place] for one in starts) for place in (0, 1)]
        seconds, used = (round(value, 2) for value in values)
        result[step] = {"seconds": seconds, "processor_s": used, "times_torch": round(values[1] / processor, 2)}
    return result | {"import torch": {"seconds": round(clock, 2), "processor_s": round(processor, 2)}}


def main() -> int:
    parser = argparse.ArgumentParser(description="How long a server takes to start.")
    parser.add_argument("--run", required=True, help="a finished run")
    parser.add_argument("--times", type=int, default=5, help="starts that count, at least 1")
    arguments = parser.parse_args()
    starts, references = list[Times](), list[tuple[float, float]]()
    with tempfile.TemporaryDirectory(prefix="mmsrarec-compiled-") as compiled:
        env = environment(compiled)
        for number in range(arguments.times + 1):
            with tempfile.TemporaryDirectory(prefix="mmsrarec-start-") as folder:
                times = one_start(arguments.run, folder, env)
            reference = torch_alone(env)
            print(f"start {number}: {times}, import torch: {reference}", flush=True)
            if number:
                starts.append(times)
                references.append(reference)
    result = {"starts": len(starts), **summary(starts, references), "load_average": round(os.getloadavg()[0], 1)}
    print(json.dumps(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
