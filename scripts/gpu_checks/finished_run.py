"""A whole run on the device, answers from it, and the same answers on the CPU."""

import io
import json
import statistics
import time
from collections.abc import Iterator

import numpy as np
import torch

from gpu_checks.results import Result
from gpu_checks.workload import Workload
from mmsrarec.core.progress import Progress
from mmsrarec.pipeline.run import run
from mmsrarec.runs.recommender import Recommender

STAGES = ("summarize", "retrieve", "recommend", "evaluate")
"""The stages that are timed, in their order; the first one sees the pictures too."""
BEST = 10
"""Items of an answer."""
NEAR = 0.1
"""How far a log-odds of an answer on a CPU may lie from that on the device, in bfloat16."""


def whole_run(work: Workload, rates: dict[torch.dtype, float]) -> Iterator[Result]:
    """Every stage of a run, with its time."""
    for stage in STAGES:
        start = time.perf_counter()
        run(work.recipe, work.folder / "run", (stage,), Progress(io.StringIO()))
        took = time.perf_counter() - start
        yield Result("run", stage, took, "s", remark=f"on {work.device}")
    report = json.loads((work.folder / "run" / "evaluate" / "report.json").read_text())
    yield Result("run", "report", ok=bool(report), remark="a whole report was written")


def serving(work: Workload, rates: dict[torch.dtype, float]) -> Iterator[Result]:
    """Answers of the run that was trained on the device, there and on a CPU."""
    answers: dict[str, dict[str, dict[str, float]]] = {}
    users = list(work.dataset.user_ids[: work.size.users])
    for number, device in enumerate(dict.fromkeys((work.device, "cpu"))):
        start = time.perf_counter()
        recommender = Recommender.load(work.folder / "run", device=device)
        yield Result("serving", f"loaded on {device}", time.perf_counter() - start, "s")
        few = users if number == 0 else users[: max(work.size.users // 5, 2)]
        for reasons in (False, True):
            times: list[float] = []
            for user in (few[0], *few):  # the first one warms up
                start = time.perf_counter()
                answer = recommender.recommend(user=user, k=BEST, reasons=reasons)
                times.append(time.perf_counter() - start)
                answers.setdefault(device, {})[user] = {item.item_id: item.score for item in answer}
            middle = statistics.median(times[1:]) * 1000
            label = f"an answer {'with' if reasons else 'without'} reasons on {device}, median"
            yield Result("serving", label, middle, "ms")
        start = time.perf_counter()
        rows = recommender.recommend(users=few, k=BEST, reasons=False)
        took = time.perf_counter() - start
        assert rows["user_id"].n_unique() == len(few)
        yield Result("serving", f"many users at once on {device}", len(few) / took, "a second")
    yield from _same(answers, work.device)


def _same(answers: dict[str, dict[str, dict[str, float]]], device: str) -> Iterator[Result]:
    """How far the answers of two devices lie apart."""
    there, here = answers[device], answers["cpu"]
    common = [user for user in here if user in there]
    shares = [len(there[user].keys() & here[user].keys()) / max(len(here[user]), 1) for user in common]
    far = [
        abs(there[user][item] - score) for user in common for item, score in here[user].items() if item in there[user]
    ]
    share, worst = float(np.mean(shares)), max(far, default=float("inf"))
    label = f"of the best {BEST} on the CPU, found on {device}"
    yield Result("serving", label, share, ok=share >= 0.9, remark="trained there, served here")
    yield Result("serving", "score of an item, largest difference", worst, ok=worst <= NEAR)
