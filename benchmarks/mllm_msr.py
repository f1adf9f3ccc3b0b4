"""MMSRARec beside an MLLM-MSR-style pipeline on the same backbone: how well both rank, and what an answer costs.

    python benchmarks/mllm_msr.py --out runs/both                       # draws the shop and trains both
    python benchmarks/mllm_msr.py --out runs/sample --packs 300         # a finished run: MMSRARec is taken from it

Quality: 1 positive and 20 uniform negatives for the same test users, paired. For this MLLM-MSR's candidates are packed,
which only rounds its scores otherwise. Cost: one user at a time, everything that depends on the user. MMSRARec searches
(stage 2) and ranks in one packed pass; MLLM-MSR sums the history up chunk by chunk, then asks a prompt per candidate,
one after the other, or all in one batch. All run in turns within each user, so that a busy machine slows all. Times are
medians and means over users and repeats, in milliseconds a user: how much MLLM-MSR writes differs between users. What
is trained is kept in --out, and a stopped call goes on. The last line of the output is one JSON object.
"""

import argparse
import json
import re
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch

from mmsrarec.core.artefacts import read_manifest, versions
from mmsrarec.core.progress import Progress
from mmsrarec.data.dataset import FloatArray
from mmsrarec.data.splits import Queries
from mmsrarec.data.synthetic.catalogue import draw_catalogue
from mmsrarec.evaluate.protocols import Candidates, evaluate_published, published_candidates
from mmsrarec.evaluate.significance import intervals, paired
from mmsrarec.pipeline.run import run
from mmsrarec.pipeline.steps import Steps
from mmsrarec.recommend.ranking.scorer import MllmScorer
from mmsrarec.runs.recipe import Recipe, load_recipe
from mmsrarec.runs.run_folder import MSR, RunFolder, adapter_part, msr_part
from mmsrarec.study.mllm_msr.part import load_msr
from mmsrarec.study.mllm_msr.ranker import MllmMsr, msr_settings

SPLIT = "leave-one-out"
METRICS = ("HR@5", "NDCG@5", "AUC")
T = TypeVar("T")


def train(folder: Path, packs: int | None) -> Recipe:
    """Do what is missing in a run's folder. packs: MLLM-MSR's training examples; None for as many as MMSRARec's."""
    if not (folder / "recipe.toml").is_file():
        data = folder.with_name(f"{folder.name}-data")
        if not data.exists():
            draw_catalogue(data, seed=0)
        rows, stages = 'evaluate.rows=["mmsrarec"]', ("pictures", "summarize", "retrieve", "recommend")
        overrides = [f'data="{data}"', rows, f'evaluate.splits=["{SPLIT}"]', "evaluate.ablations=[]"]
        run(load_recipe("sample", overrides), folder, stages, Progress())
    recipe = load_recipe(folder / "recipe.toml")
    if packs is not None:
        recipe = recipe.model_copy(update={"recommend": recipe.recommend.model_copy(update={"n_examples": packs})})
    Steps(RunFolder(recipe, folder), Progress()).msr(SPLIT)
    return recipe


def tell(done: int, total: int, label: str) -> None:
    print(f"\r{label}: {done} of {total}  ", end="\n" if done == total else "", file=sys.stderr, flush=True)


def quality(
    scorers: Mapping[str, MllmScorer], queries: Queries, candidates: Candidates, seed: int
) -> tuple[dict[str, dict], dict[str, dict]]:
    """Means with intervals of each scorer, and the paired difference of the first to the second."""
    found = {name: evaluate_published(scorer, queries, candidates) for name, scorer in scorers.items()}
    shown = {
        name: {metric: asdict(value) for metric, value in intervals(metrics, seed).items() if metric in METRICS}
        for name, metrics in found.items()
    }
    ours, competitor = found.values()
    return shown, {metric: asdict(paired(ours[metric], competitor[metric], seed)) for metric in METRICS}


class Clock:
    """Milliseconds of each part of the work: by the wall, and of the processor, which waits for no other process."""

    def __init__(self) -> None:
        self.wall: dict[str, list[float]] = {}
        self.processor: dict[str, list[float]] = {}
        self.peak: dict[str, float] = {}

    def __call__(self, part: str, work: Callable[[], T]) -> T:
        before = reset_peak()
        started = time.perf_counter(), time.process_time()
        done = work()
        self.wall.setdefault(part, []).append(1000 * (time.perf_counter() - started[0]))
        self.processor.setdefault(part, []).append(1000 * (time.process_time() - started[1]))
        if before is not None:
            self.peak[part] = max(self.peak.get(part, 0.0), memory("VmHWM") - before)
        return done


def memory(name: str) -> float:
    """MiB that Linux tells of this process: VmRSS is what it holds, VmHWM the most it held since `reset_peak`."""
    (found,) = re.findall(rf"{name}:\s*(\d+) kB", Path("/proc/self/status").read_text())
    return int(found) / 1024


def reset_peak() -> float | None:
    """MiB that the process holds now, from which its peak is counted on; None where the system does not tell."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
        return memory("VmRSS")
    except (OSError, ValueError):
        return None


def measure(ours: MllmScorer, competitor: MllmMsr, queries: Queries, candidates: Candidates, repeats: int) -> dict:
    """Time both on each user alone; how far MLLM-MSR's scores lie apart between the ways of asking."""
    parts = competitor.prompts, competitor.retrieval
    alone, batch = (MllmMsr(MSR, *parts, batch_tokens=tokens, writer=competitor.writer) for tokens in (1, 1 << 20))
    packed, ours = MllmScorer(MSR, *parts), MllmScorer(ours.name, ours.prompts, ours.retrieval)
    clock, apart = Clock(), 0.0

    def by_us(query: Queries, asked: np.ndarray) -> None:
        context = clock("search", lambda: ours.retrieval.gather(query, asked, ours.prompts.settings))
        clock("ranking", lambda: ours.score_contexts(context))

    def by_rival(query: Queries, asked: np.ndarray) -> list[FloatArray]:
        competitor.writer.preferences.clear()
        context = clock("preference", lambda: alone.retrieval.gather(query, asked, competitor.prompts.settings))
        ways = {"prompts": alone, "prompts in a batch": batch, "prompts packed": packed}
        return [clock(name, partial(way.score_contexts, context))[0] for name, way in ways.items()]

    for repeat in range(-1, repeats):
        for row in range(len(queries) if repeat >= 0 else 1):
            query, asked = queries.pick(np.array([row])), candidates.items[row : row + 1]
            if (repeat + row) % 2:
                by_us(query, asked)
            scores = by_rival(query, asked)
            if not (repeat + row) % 2:
                by_us(query, asked)
            apart = max(apart, *(float(np.abs(scores[0] - other).max()) for other in scores[1:]))
            tell(row + 1, len(queries), f"timing, round {repeat + 1} of {repeats}")
        if repeat < 0:  # first calls pay for memory
            clock = Clock()
    wall, processor, mean = (
        {part: round(middle(values), 1) for part, values in times.items()}
        for times, middle in (
            (clock.wall, statistics.median),
            (clock.processor, statistics.median),
            (clock.processor, statistics.mean),
        )
    )
    return {
        "ms_per_user": wall,
        **ratios(wall),
        "processor": {"ms_per_user": processor, **ratios(processor)},
        "mean_processor": {"ms_per_user": mean, **ratios(mean)},
        "peak_mb_above_models": {part: round(peak, 1) for part, peak in clock.peak.items()},
        "calls_per_user": {"mmsrarec": ours.calls / ours.queries, MSR: alone.calls / alone.queries},
        "tokens_per_user": {"mmsrarec": ours.tokens / ours.queries, MSR: alone.tokens / alone.queries},
        "disagreement": apart,
    }


def ratios(times: Mapping[str, float]) -> dict[str, float]:
    """MLLM-MSR's time to MMSRARec's, by how it asks about the candidates."""
    ways = {"ratio": "prompts", "ratio_to_one_batch": "prompts in a batch", "ratio_to_packed": "prompts packed"}
    ours = times["search"] + times["ranking"]
    return {name: round((times["preference"] + times[way]) / ours, 2) for name, way in ways.items()}


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--out", type=Path, required=True, help="a run's folder, finished or to be made")
    options.add_argument("--packs", type=int, help="training examples of MLLM-MSR; by default MMSRARec's")
    options.add_argument("--users", type=int, default=200, help="test users whose rankings are compared; 0: none")
    options.add_argument("--timed", type=int, default=20, help="users that are timed")
    options.add_argument("--repeats", type=int, default=1)
    options.add_argument("--seed", type=int, default=0, help="of the draw of users and of the intervals")
    args = options.parse_args()

    recipe = train(args.out, args.packs)
    torch.set_num_threads(recipe.runtime.threads or torch.get_num_threads())
    run_folder = RunFolder.open(args.out)
    test = run_folder.split(SPLIT).test
    asked = published_candidates(test, run_folder.dataset.interactions, recipe.seed, recipe.evaluate.negatives)
    test = test.pick(asked.rows)
    drawn = np.random.default_rng(args.seed).permutation(len(test))

    def some(count: int) -> tuple[Queries, Candidates]:
        rows = np.sort(drawn[:count])
        return test.pick(rows), Candidates(asked.user[rows], asked.items[rows], asked.place[rows], asked.seed)

    tokens = recipe.runtime.score_tokens
    ours = MllmScorer("mmsrarec", run_folder.tuned(SPLIT, "whole"), run_folder.retrieval(SPLIT), tokens, tell)
    competitor = load_msr(run_folder, SPLIT, args.out / msr_part(SPLIT), tell)
    packed = MllmScorer(MSR, competitor.prompts, competitor.retrieval, tokens, tell)
    metrics, differences = {}, {}
    if args.users:
        metrics, differences = quality({"mmsrarec": ours, MSR: packed}, *some(args.users), args.seed)
    result = {
        "benchmark": "mllm_msr",
        "metrics": metrics,
        "differences": differences,
        **measure(ours, competitor, *some(args.timed), args.repeats),
        "users": min(args.users, len(test)),
        "timed": min(args.timed, len(test)),
        "repeats": args.repeats,
        "candidates": recipe.evaluate.negatives + 1,
        "n_examples": {
            "mmsrarec": read_manifest(args.out / adapter_part(SPLIT, "whole"))["settings"]["recommend"]["n_examples"],
            MSR: recipe.recommend.n_examples,
        },
        "model": competitor.prompts.mllm.fingerprint,
        "threads": torch.get_num_threads(),
        "recipe": recipe.name,
        "settings": {
            "mmsrarec": run_folder.recipe.recommend.model_dump(),
            MSR: {**recipe.evaluate.mllm_msr.model_dump(), **msr_settings(recipe.recommend).model_dump()},
        },
        "versions": versions(),
    }
    print(json.dumps(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
