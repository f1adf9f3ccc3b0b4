"""Compare Ray Data with what stage 1 does instead: its actor pool with our workers, its HTTP processor with our engine.

    python benchmarks/engines/ray_data.py pool --deaths 2
    python benchmarks/engines/ray_data.py http          # pip install aiohttp

pool: two rounds of jobs, as the texts and then the pictures of a catalogue, by workers that take a second to load what
stands for a model. Some jobs kill their worker the first time. http: the same questions go to a stand-in for a server
by `ray.data.llm` and by the engine "openai", while the server is slow, busy, refuses a question, or fails at one. The
last line of the output is one JSON object.
"""

import argparse
import json
import logging
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.update(RAY_USAGE_STATS_ENABLED="0", RAY_DATA_DISABLE_PROGRESS_BARS="1")
sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))

import ray
import ray.cloudpickle
from chat_server import Behaviour, ChatServer, Reply, completion, question_of

from mmsrarec.engines.chat_messages import chat_messages
from mmsrarec.engines.openai_engine import OpenAIEngine
from mmsrarec.engines.protocol import Request
from mmsrarec.engines.settings import EngineSettings
from mmsrarec.errors import MmsrarecError
from mmsrarec.models.ray_workers import RayWorkers
from mmsrarec.summarize.keyword_parsing import stop_after
from mmsrarec.summarize.prompts import text_question

LOADING, WORKING, JOBS, WORKERS = 1.0, 0.2, 12, 2
QUESTIONS, BATCH, ATTEMPTS, PAUSE = 16, 4, 3, 2
ODD = "mug 3."
"""The question that is refused, or at which the server fails."""


@dataclass(frozen=True)
class Log:
    """What workers did, each line in one piece."""

    file: Path

    def add(self, *words: object) -> None:
        with self.file.open("a") as file:
            file.write(" ".join(map(str, words)) + "\n")

    def count(self, *words: object) -> int:
        return self.file.read_text().splitlines().count(" ".join(map(str, words)))


@dataclass(frozen=True)
class Load:
    """Makes what stands for a model."""

    log: Log

    def __call__(self) -> "Load":
        time.sleep(LOADING)
        self.log.add("load")
        return self


@dataclass(frozen=True)
class Work:
    """A job; deadly: jobs that kill their worker the first time."""

    deadly: int

    def __call__(self, loaded: Load, job: int) -> int:
        loaded.log.add("job", job)
        if job % JOBS < self.deadly and loaded.log.count("job", job) == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(WORKING)
        return job


class InPool:
    """The same as a class for Ray Data."""

    def __init__(self, log: Log, deadly: int) -> None:
        self.loaded, self.work = Load(log)(), Work(deadly)

    def __call__(self, batch: dict[str, Any]) -> dict[str, list[int]]:
        return {"job": [self.work(self.loaded, int(batch["job"][0]))]}


def rounds(run: Callable[[range], Iterable[Any]], log: Log) -> dict[str, Any]:
    """Two rounds of jobs: when the first result came, how long all took, and how often what was loaded."""
    first, whole = [], []
    for jobs in (range(JOBS), range(JOBS, 2 * JOBS)):
        began, times = time.monotonic(), []
        for _ in run(jobs):
            times.append(time.monotonic() - began)
        assert len(times) == JOBS
        first.append(round(times[0], 1))
        whole.append(round(times[-1], 1))
    asked = [log.count("job", job) for job in range(2 * JOBS)]
    return {"first_result_s": first, "all_s": whole, "loads": log.count("load"), "asked": sum(asked)}


def pool(folder: Path, deadly: int) -> dict[str, Any]:
    """Both ways, one after the other."""

    def by_ray_data(jobs: range) -> Iterable[Any]:
        table = ray.data.from_items([{"job": job} for job in jobs], override_num_blocks=JOBS)
        strategy = ray.data.ActorPoolStrategy(size=WORKERS)
        limits = {"max_restarts": -1, "max_task_retries": 4}  # else Ray Data tries a deadly job for ever
        how = {"batch_size": 1, "compute": strategy, "num_cpus": 1, "fn_constructor_args": (data_log, deadly)}
        return table.map_batches(InPool, **how, **limits).iter_rows()

    own_log, data_log = Log(folder / "own"), Log(folder / "data")
    with RayWorkers(Load(own_log), WORKERS) as workers:
        own = rounds(lambda jobs: workers.run(jobs, Work(deadly)), own_log)
    return {"plain workers": own, "Ray Data": rounds(by_ray_data, data_log)}


def slow(before: int, body: dict[str, Any]) -> Reply:
    return Reply(body=completion("mug, blue clay"), wait=0.2)


def busy(before: int, body: dict[str, Any]) -> Reply:
    if before == 0:
        return Reply(429, {"error": {"message": "slow down"}}, {"Retry-After": str(PAUSE)})
    return Reply(body=completion("mug, blue clay"))


def at_the_odd_one(status: int) -> Behaviour:
    def behave(before: int, body: dict[str, Any]) -> Reply:
        if ODD in question_of(body):
            return Reply(status, {"error": {"message": "no"}})
        return Reply(body=completion("mug, blue clay"))

    return behave


BEHAVIOURS: dict[str, Behaviour] = {
    "slow": slow,
    "busy": busy,
    "refuses": at_the_odd_one(400),
    "fails": at_the_odd_one(503),
}


def by_processor(url: str, requests: list[Request]) -> list[bool]:
    """Whether each row that comes is an answer."""
    from ray.data.llm import HttpRequestProcessorConfig, build_processor

    config = HttpRequestProcessorConfig(
        url=f"{url}/chat/completions", batch_size=BATCH, concurrency=(WORKERS, WORKERS), max_retries=ATTEMPTS - 1,
        base_retry_wait_time_in_s=0.5,
    )  # fmt: skip
    rows = [{"body": json.dumps({"model": "m", "messages": chat_messages(one.prompt, None)})} for one in requests]
    processor = build_processor(
        config,
        preprocess=lambda row: {"payload": json.loads(row["body"])},
        postprocess=lambda row: {"text": json.dumps(row["http_response"])},
    )
    table = ray.data.from_items(rows, override_num_blocks=QUESTIONS // BATCH)
    # rows of a block become a table, so that every row has every field, empty where it had none
    return [bool(json.loads(row["text"]).get("choices")) for row in processor(table).iter_rows()]


def by_engine(url: str, requests: list[Request]) -> list[bool]:
    """Whether each row that comes is an answer."""
    settings = EngineSettings(
        engine="openai", engine_url=url, engine_attempts=ATTEMPTS, engine_requests=BATCH * WORKERS
    )
    rows = OpenAIEngine(settings, "m").generate(requests, 20, stop_after(6))
    return [answer.text is not None for answers in rows for answer in answers]


def http() -> dict[str, Any]:
    """What each way makes of each behaviour."""
    requests = [Request(str(number), text_question(f"mug {number}.")) for number in range(QUESTIONS)]
    result: dict[str, Any] = {}
    for name, behaviour in BEHAVIOURS.items():
        for way in (by_processor, by_engine):
            rows, error = [], None
            with ChatServer(behaviour) as server:
                try:
                    rows = way(server.url, requests)
                except (ray.exceptions.RayError, MmsrarecError) as raised:
                    error = type(raised).__name__
                times: dict[str, list[float]] = {}
                for body, at in zip(server.requests, server.times, strict=True):
                    times.setdefault(question_of(body), []).append(at)
            again = [asked[1] - asked[0] for asked in times.values() if len(asked) > 1]
            result[f"{name}, {way.__name__}"] = {
                "answers": sum(rows),
                "errors_as_answers": len(rows) - sum(rows) if way is by_processor else 0,
                "error": error,
                "requests": len(server.requests),
                "most_at_once": server.most_at_once,
                "seconds_of_asking": round(server.times[-1] - server.times[0], 1),
                "shortest_pause_s": round(min(again), 1) if again else None,
            }
            print(name, way.__name__, result[f"{name}, {way.__name__}"], file=sys.stderr, flush=True)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=("pool", "http"))
    parser.add_argument("--deaths", type=int, default=2, help="jobs of a round that kill their worker once")
    arguments = parser.parse_args()
    ray.cloudpickle.register_pickle_by_value(sys.modules["__main__"])
    ray.init(
        address="local", num_cpus=WORKERS + 1, include_dashboard=False, logging_level=logging.ERROR, log_to_driver=False
    )
    with tempfile.TemporaryDirectory() as place:
        result = pool(Path(place), arguments.deaths) if arguments.part == "pool" else http()
    print(json.dumps({"ray": ray.__version__, arguments.part: result}))


if __name__ == "__main__":
    main()
