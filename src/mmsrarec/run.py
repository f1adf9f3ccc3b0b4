"""Run a recipe: every stage from artefacts to artefacts, doing only what is missing or out of date.

pictures -> tune -> summarize -> retrieve -> recommend -> evaluate
"""

import json
import time
from pathlib import Path

from mmsrarec import artefacts
from mmsrarec.comparison.compare import compare
from mmsrarec.data.split import SplitName, check_split, make_split
from mmsrarec.data.tables import load
from mmsrarec.errors import MmsrarecError
from mmsrarec.evaluate.baselines.settings import encoder_settings
from mmsrarec.evaluate.queries import check_queries
from mmsrarec.evaluate.rows import MSR, STAGE_2, TRAINED, check_proposers, check_rows
from mmsrarec.models import processes
from mmsrarec.progress import Progress
from mmsrarec.recipe import Recipe, to_toml
from mmsrarec.recommend.variants import variant_named
from mmsrarec.retrieve.settings import CONTENT_SASREC, ENCODERS
from mmsrarec.stages import Shard, Stages
from mmsrarec.summarize.keywords import items_of
from mmsrarec.summary_page import write_page
from mmsrarec.workspace import SEEDS, Workspace

STAGES = ("pictures", "tune", "summarize", "retrieve", "recommend", "evaluate")


def run(
    recipe: Recipe,
    out: Path,
    stages: tuple[str, ...] | None,
    progress: Progress,
    shard: Shard | None = None,
    retune: bool = False,
) -> dict:
    """Do the named stages in `out`, and return what came of them. A stopped run goes on where it was.

    stages: None for all that the rows of the comparison need.
    shard (i, n): answer only the i-th of n parts of stage 1's questions, into a file of its own, and stop there.
    retune: tune the summaries again where the catalogue has changed since they were tuned.
    """
    for name in stages or ():
        if name not in STAGES:
            raise MmsrarecError(f"unknown stage {name}: choose from {', '.join(STAGES)}")
    data = load(recipe.data)  # whatever is wrong with data or rows is said before anything is written
    check_rows(recipe.evaluate.rows, len(data.items))
    for name in ENCODERS:
        encoder_settings(recipe.retrieve, recipe.evaluate.baselines, name)
    for name in recipe.evaluate.splits:
        check_split(split := make_split(name, data.events, recipe.seed, recipe.evaluate.repeat_consumption))
        if {"recommend", "evaluate"} & {*(stages or STAGES)}:
            for said in check_queries(split, data, recipe.evaluate):
                progress(said)
    if stages is None or "evaluate" in stages:
        check_proposers(recipe.evaluate.rows)
    for name in recipe.evaluate.ablations:
        variant_named(name)
    out.mkdir(parents=True, exist_ok=True)
    artefacts.atomic_write(out / "recipe.toml", to_toml(recipe).encode())
    processes.join(recipe.model.device)
    return Run(recipe, out, progress, shard, retune).all(stages)


def run_again(workspace: Workspace, progress: Progress, stages: tuple[str, ...]) -> None:
    """What is behind stage 1, in a workspace that has stage 1 already."""
    workspace.folder.mkdir(parents=True, exist_ok=True)
    artefacts.atomic_write(workspace.folder / "recipe.toml", to_toml(workspace.recipe).encode())
    Run(workspace.recipe, workspace.folder, progress).all(stages)


def update(out: Path, progress: Progress) -> dict:
    """Let a finished run know the items that joined its data folder since: they are summarised, nothing is trained.

    Raises MmsrarecError where the items that the run knows are no longer the first ones of the folder, in their order.
    """
    workspace = Workspace.open(out)
    known, items = items_of(out / "summarize" / "keywords.parquet"), workspace.dataset.items
    if known != [item.item_id for item in items[: len(known)]]:
        raise MmsrarecError(
            f"items of {workspace.recipe.data} were moved or removed: add new ones at the end of items.jsonl, or make "
            "a new run with mmsrarec run"
        )
    done = Run(workspace.recipe, out, progress).all(("summarize",))
    progress("the sequence encoder and the ranking model stay as they are; mmsrarec run trains them anew")
    return {"new_items": [item.item_id for item in items[len(known) :]], **done}


class Run:
    """One run in progress: which stages it needs, and in which order."""

    def __init__(self, recipe: Recipe, out: Path, progress: Progress, shard: Shard | None = None, retune: bool = False):
        self.recipe, self.out, self.say, self.shard = recipe, out, progress, shard
        self.workspace = Workspace(recipe, out)
        self.stages = Stages(self.workspace, progress, shard, retune)
        if recipe.runtime.threads:
            import torch

            torch.set_num_threads(recipe.runtime.threads)

    def all(self, stages: tuple[str, ...] | None = None) -> dict:
        started, done = time.monotonic(), {}
        stages = stages or self.needed()
        splits = self.recipe.evaluate.splits
        with processes.first_alone():
            if {"pictures", "tune", "summarize"} & set(stages):
                self.stages.pictures()
                if self.recipe.summarize.tune is not None:
                    done["tune"] = self.stages.tune()
                done["summarize"] = self.stages.summarize("summarize")
                if self.shard is not None:
                    return {"run": str(self.out), **done, "seconds": round(time.monotonic() - started, 1)}
                if "summarize-untuned" in map(self.workspace.summaries, self.recipe.evaluate.ablations):
                    self.stages.summarize("summarize-untuned")
                if processes.is_first():
                    write_page(self.workspace)
            for split in splits if "retrieve" in stages else ():
                self.stages.retrieve(split, self.variants(split))
        for split in splits if "recommend" in stages else ():
            for variant in self.variants(split):
                self.stages.recommend(split, variant)
            if MSR in self.recipe.evaluate.rows:
                self.stages.msr(split)
        behind = tuple(stage for stage in ("retrieve", "recommend", "evaluate") if stage in stages)
        for number in range(1, self.recipe.evaluate.repeats if behind else 0):
            with processes.first_alone():
                other = self.workspace.repeat(self.recipe.seed + number)
            self.say(f"once more with seed {other.recipe.seed}")
            run_again(other, self.say, behind)
        if "evaluate" in stages and processes.is_first():
            done |= self.evaluate()
        return {"run": str(self.out), **done, "seconds": round(time.monotonic() - started, 1)}

    def needed(self) -> tuple[str, ...]:
        """Without a row of the language model, stage 1 and stage 3 have nothing to do."""
        evaluate = self.recipe.evaluate
        if MSR in evaluate.rows or any(self.variants(split) for split in evaluate.splits):
            return STAGES
        if CONTENT_SASREC in evaluate.rows:
            return ("pictures", "summarize", "retrieve", "evaluate")
        return ("retrieve", "evaluate") if STAGE_2.keys() & set(evaluate.rows) else ("evaluate",)

    def variants(self, split: SplitName) -> list[str]:
        """What is trained on a split, a teacher before its students: ablations on the first split only."""
        evaluate = self.recipe.evaluate
        rows = [TRAINED.get(row) for row in evaluate.rows]
        first = split == evaluate.splits[0]
        served = [self.workspace.served] if "whole" in rows else []
        found = [variant for variant in (*rows, *(*evaluate.ablations, *served) * first) if variant]
        teachers = [teacher for variant in found if (teacher := variant_named(variant).teacher) not in (None, *found)]
        return list(dict.fromkeys((*teachers, *found)))

    def evaluate(self) -> dict:
        with self.say.counting() as count:
            summary = compare(self.workspace, self.variants, self.say, count)
        artefacts.atomic_write(self.out / "manifest.json", json.dumps(self.manifest(), indent=1).encode())
        return summary

    def manifest(self) -> dict:
        """Every finished artefact and its key."""
        found = (path.parent for path in self.out.rglob(artefacts.MANIFEST) if path.parent != self.out)
        folders = sorted(folder for folder in found if folder.relative_to(self.out).parts[0] != SEEDS)
        parts = {str(folder.relative_to(self.out)): artefacts.read_manifest(folder)["key"] for folder in folders}
        return {"name": self.recipe.name, "seed": self.recipe.seed, "data": self.stages.keys.data, "parts": parts}
