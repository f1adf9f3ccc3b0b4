"""Load on a server, open loop: requests go out at their times, whether earlier ones are answered or not.

    python benchmarks/serving/http_load.py --run runs/sample --seconds 60
    python benchmarks/serving/http_load.py --url http://127.0.0.1:8000 --kinds mixed --seconds 600

With --run it starts a server of its own, with an empty state in a temporary folder. The time of an answer counts from
when its request was due, so a server that stalls is not spared. Each kind runs beside a tenth as many calls of
/health/live, which tell what the machine alone takes. The last line of the output is one JSON object.
"""

import argparse
import asyncio
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import psutil

KINDS = ("cached", "cold", "reasons", "events", "mixed")
MIX = {"cached": 70, "events": 12, "cold": 12, "reasons": 6}
"""Weights of the kinds in "mixed"."""
FEW_USERS = 20
"""Users whose answers are asked for again and again."""


@dataclass
class Times:
    """What came of the calls of one kind."""

    seconds: list[float] = field(default_factory=list)
    statuses: Counter[str] = field(default_factory=Counter)

    def record(self) -> dict[str, Any]:
        """Milliseconds at some quantiles, and how many answers of each status there were."""
        ordered = sorted(self.seconds)
        at = {f"p{q}": ordered[min(len(ordered) - 1, round(q / 100 * len(ordered)))] for q in (50, 95, 99)}
        milliseconds = {name: round(1000 * value, 2) for name, value in {**at, "max": ordered[-1]}.items()}
        return {"calls": len(ordered), **milliseconds, "statuses": dict(self.statuses)}


class Load:
    """Calls a server."""

    def __init__(self, client: httpx2.AsyncClient, users: list[str], items: list[str], seed: int):
        self.client, self.users, self.items = client, users, items
        self.rng, self.number = random.Random(seed), 0

    def request(self, kind: str) -> tuple[str, str, Any]:
        """(method, path, body) of the next call of a kind."""
        self.number += 1
        if kind == "live":
            return "GET", "/health/live", None
        if kind == "mixed":
            kind = self.rng.choices(list(MIX), list(MIX.values()))[0]
        if kind == "cached":
            return "POST", "/v1/recommend", {"user": self.rng.choice(self.users[:FEW_USERS]), "reasons": False}
        if kind == "events":
            event = {"user": f"visitor-{self.rng.randrange(200)}", "item": self.rng.choice(self.items)}
            return "POST", "/v1/events", event
        history = self.rng.sample(self.items, 6)
        return "POST", "/v1/recommend", {"history": history, "reasons": kind == "reasons"}

    async def call(self, kind: str, due: float, times: Times) -> None:
        """One call, timed from when it was due."""
        method, path, body = self.request(kind)
        try:
            answer = await self.client.request(method, path, json=body)
            times.statuses[str(answer.status_code)] += 1
        except httpx2.HTTPError as error:
            times.statuses[type(error).__name__] += 1
        times.seconds.append(time.perf_counter() - due)

    async def run(self, kind: str, rate: float, seconds: float) -> dict[str, Times]:
        """So many calls a second, at random times (a Poisson process)."""
        times: dict[str, Times] = defaultdict(Times)
        schedule: list[tuple[float, str]] = []
        for name, often in ((kind, rate), ("live", rate / 10)):
            due = 0.0
            while (due := due + self.rng.expovariate(often)) < seconds:
                schedule.append((due, name))
        start, tasks = time.perf_counter() + 0.1, list[asyncio.Task[None]]()
        for due, name in sorted(schedule):
            await asyncio.sleep(max(0.0, start + due - time.perf_counter()))
            tasks.append(asyncio.create_task(self.call(name, start + due, times[name])))
        await asyncio.gather(*tasks)
        return times


@dataclass(frozen=True)
class Server:
    """A server that was started here.

    Attributes:
        url: Where it answers.
        process: Its number.
        ready_seconds: How long it took until it was ready.
        log: What it wrote.
    """

    url: str
    process: int
    ready_seconds: float
    log: Path


@contextmanager
def own_server(run: str, port: int) -> Iterator[Server]:
    """A server of its own, with an empty state."""
    with tempfile.TemporaryDirectory(prefix="mmsrarec-load-") as folder:
        command = [sys.executable, "-m", "mmsrarec", "serve", run, "--port", str(port), "--state", f"{folder}/s.sqlite"]
        started = time.perf_counter()
        with open(f"{folder}/log", "w") as log:
            process = subprocess.Popen(command, stderr=log, stdout=log, env=os.environ)
        try:
            url = f"http://127.0.0.1:{port}"
            wait_until(lambda: httpx2.get(f"{url}/health/ready").status_code == 200, process)
            yield Server(url, process.pid, time.perf_counter() - started, Path(folder) / "log")
        finally:
            process.terminate()
            process.wait(60)


def wait_until(ready: Callable[[], bool], process: subprocess.Popen[bytes], seconds: float = 120) -> None:
    """Wait for a server that starts."""
    until = time.monotonic() + seconds
    while time.monotonic() < until and process.poll() is None:
        try:
            if ready():
                return
        except httpx2.HTTPError:
            pass
        time.sleep(0.02)
    raise SystemExit(f"the server did not start (exit code {process.poll()})")


def megabytes(process: int | None) -> float | None:
    """Memory of a process."""
    return None if process is None else round(psutil.Process(process).memory_info().rss / 2**20, 1)


async def measure(url: str, process: int | None, arguments: argparse.Namespace) -> dict[str, Any]:
    """All kinds, one after the other."""
    limits = httpx2.Limits(max_connections=1000, max_keepalive_connections=100)
    async with httpx2.AsyncClient(base_url=url, timeout=30, limits=limits) as client:
        items = [item["item_id"] for item in (await client.get("/v1/items?limit=100")).json()["items"]]
        users = arguments.users.split(",") if arguments.users else [f"reader-{number}" for number in range(FEW_USERS)]
        for number, user in enumerate(users if not arguments.users else ()):
            event = {"user": user, "item": items[number % len(items)], "key": f"first-{user}"}
            (await client.post("/v1/events", json=event)).raise_for_status()
        load = Load(client, users, items, arguments.seed)
        for user in users[:FEW_USERS]:  # warm
            (await client.post("/v1/recommend", json={"user": user, "reasons": False})).raise_for_status()
        report: dict[str, Any] = {}
        for kind in arguments.kinds:
            if arguments.warm_up:  # the model, its imports and the first answers take their memory
                await load.run(kind, arguments.rate, arguments.warm_up)
            before = megabytes(process)
            times = await load.run(kind, arguments.rate, arguments.seconds)
            record = {name: one.record() for name, one in times.items()}
            if before is not None:
                record["megabytes"] = {"before": before, "after": megabytes(process)}
            print(f"{kind}: {json.dumps(record)}", flush=True)
            report[kind] = record
        return report


def main() -> int:
    parser = argparse.ArgumentParser(description="Open-loop load on a server.")
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--url", help="a server that runs")
    where.add_argument("--run", help="a finished run, for a server of its own")
    parser.add_argument("--port", type=int, default=8765, help="of the own server")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=["cached", "cold", "reasons"])
    parser.add_argument("--rate", type=float, default=50, help="calls a second")
    parser.add_argument("--seconds", type=float, default=60, help="of each kind")
    parser.add_argument("--warm-up", type=float, default=0, help="seconds of each kind that are not measured")
    parser.add_argument("--users", help="ids of users that the run knows, parted by commas")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    result: dict[str, Any] = {"rate": arguments.rate, "seconds": arguments.seconds}
    if arguments.url:
        result |= asyncio.run(measure(arguments.url, None, arguments))
    else:
        with own_server(arguments.run, arguments.port) as server:
            result["ready_seconds"] = round(server.ready_seconds, 2)
            result |= asyncio.run(measure(server.url, server.process, arguments))
    result["load_average"] = round(os.getloadavg()[0], 1)
    print(json.dumps(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
