"""Run a recipe: every stage from artefacts to artefacts, doing only what is missing or out of date.

pictures -> tune -> summarize -> retrieve -> recommend -> evaluate
"""

import json
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np

from mmsrarec.core import artefacts
from mmsrarec.core.progress import Count, Progress, Reported
from mmsrarec.data.dataset import Dataset, Interactions
from mmsrarec.data.split_file import check_users, codes_of, read_split_file
from mmsrarec.data.splits import EVERYTHING, SplitName, check_clock, check_split, make_split
from mmsrarec.errors import DataError, NotFittedError, RecipeError
from mmsrarec.evaluate.test_queries import check_queries
from mmsrarec.models import processes
from mmsrarec.models.devices import check_device
from mmsrarec.pipeline.engine_use import check_engine
from mmsrarec.pipeline.part_writer import Shard
from mmsrarec.pipeline.steps import Steps
from mmsrarec.rankers.registry.registry import candidate_generators, made_from_log, reads_content
from mmsrarec.rankers.registry.settings import encoder_settings
from mmsrarec.recommend.ablations import variant_named
from mmsrarec.retrieve.settings import CONTENT_ENCODERS, ENCODERS, EncoderName
from mmsrarec.runs.current_catalogue import open_catalogue, present_only
from mmsrarec.runs.fitted_rankers import served_source
from mmsrarec.runs.provenance import RECIPE
from mmsrarec.runs.recipe import Recipe, load_recipe, to_toml
from mmsrarec.runs.run_folder import CONTENT_PART, MSR, SEEDS, RunFolder, adapter_part, msr_part, on_device
from mmsrarec.runs.soft_vectors import held_out_part
from mmsrarec.study.comparison import compare
from mmsrarec.study.model_names import TRAINED, check_generators, check_rows, needs_stage_2
from mmsrarec.study.model_scorers import Scorers
from mmsrarec.study.report.summary_page import write_page
from mmsrarec.summarize.language.detection import CatalogueWords

STAGES = ("pictures", "tune", "summarize", "retrieve", "recommend", "evaluate")
TIMED_FIELDS = ("recency", "trend")
"""Of `recommend.prompt_fields`: what speaks of real times."""
STAGE_OF_PART = {
    "pictures": ("summarize", "summarize"),
    "summarize": ("summarize", "summarize"),
    "retrieve": ("retrieve", "retrieve"),
    "sequence": ("retrieve", "retrieve"),
    CONTENT_PART: ("retrieve", "retrieve"),
    "recommend": ("recommend", "train"),
    MSR: ("recommend", "train"),
}
"""The first word of a part's name -> the stage that makes it, and that stage's command."""


def run(
    recipe: Recipe | str | Path,
    out: str | Path,
    stages: tuple[str, ...] | None = None,
    progress: Reported = True,
    shard: Shard | None = None,
    retune: bool = False,
) -> dict[str, Any]:
    """Do the named stages in `out`. A stopped run goes on where it was.

    Only one call at a time works in a folder; shards of stage 1 may work side by side.

    Args:
        recipe: A recipe, a TOML file, or the name of a shipped recipe.
        out: The run's folder.
        stages: Names of `STAGES`; None for all that the rows of the comparison need.
        progress: True shows it on standard error, False is silent, a function is given each line.
        shard: (i, n): answer only the i-th of n parts of stage 1's questions, into a file of its own, and stop there.
        retune: Tune the summaries again where the catalogue has changed since they were tuned.

    Returns:
        What came of each stage, as plain JSON values.

    Raises:
        MmsrarecError: The recipe or the data cannot be used, or a part that a stage needs is not finished.
    """
    recipe = recipe if isinstance(recipe, Recipe) else load_recipe(recipe)
    out, progress = Path(out), Progress.of(progress)
    for name in stages or ():
        if name not in STAGES:
            raise RecipeError(f"unknown stage {name}: choose from {', '.join(STAGES)}")
    device = check_device(recipe.runtime.device)  # whatever is wrong is said before anything is written
    dataset = RunFolder(recipe, out).dataset
    recipe = without_clock(on_device(recipe, device), dataset, progress)
    check_recipe(recipe, dataset, stages, progress)
    run_folder = RunFolder(recipe, out, dataset)
    processes.join(device)
    with nullcontext() if shard else processes.holding_run(out):
        work = Run(run_folder, progress, shard, retune)
        work.check_inputs(stages)
        done = work.all(stages)
        if shard is None and processes.is_first():
            artefacts.atomic_write(out / RECIPE, to_toml(recipe).encode())
    return done


def check_recipe(recipe: Recipe, dataset: Dataset, stages: tuple[str, ...] | None, say: Progress) -> None:
    """Raise MmsrarecError for what can be known to fail before any work is done, and say what is left out."""
    check_rows(recipe.evaluate.rows, len(dataset.items))
    if {"pictures", "tune", "summarize"} & {*(stages or STAGES)}:
        check_engine(recipe)
    timed = [
        name for name in recipe.evaluate.ablations if any(map(variant_named(name).prompt_fields.get, TIMED_FIELDS))
    ]
    check_clock(dataset, recipe.evaluate.splits, [f'evaluate.ablations "{name}"' for name in timed])
    for name in ENCODERS:
        encoder_settings(recipe.retrieve, recipe.evaluate.baselines, name)
    parts = None
    if (file := recipe.evaluate.split_file) is not None:
        user_parts = read_split_file(file)
        say(check_users(file, user_parts, dataset))
        parts = codes_of(user_parts, dataset)
    for name in recipe.evaluate.splits:
        split = make_split(name, dataset.interactions, recipe.seed, recipe.evaluate.repeat_consumption, parts)
        check_split(split)
        if {"recommend", "evaluate"} & {*(stages or STAGES)}:
            for sentence in check_queries(split, dataset, recipe.evaluate):
                say(sentence)
    if stages is None or "evaluate" in stages:
        check_generators(recipe.evaluate.rows)
    for name in recipe.evaluate.ablations:
        variant_named(name)


def without_clock(recipe: Recipe, dataset: Dataset, say: Progress) -> Recipe:
    """The recipe without what needs real times, where the times of the data are steps."""
    prompt_fields = recipe.recommend.prompt_fields
    off = [] if dataset.has_clock else [name for name in TIMED_FIELDS if getattr(prompt_fields, name)]
    if not off:
        return recipe
    say(
        f"the times of {dataset.name} are steps, so recommend.prompt_fields.{' and '.join(off)} cannot be said: "
        "switched off"
    )
    prompt_fields = prompt_fields.model_copy(update=dict.fromkeys(off, False))
    return recipe.model_copy(update={"recommend": recipe.recommend.model_copy(update={"prompt_fields": prompt_fields})})


def run_again(run_folder: RunFolder, progress: Progress, stages: tuple[str, ...]) -> None:
    """What is behind stage 1, in a run folder that has stage 1 already."""
    run_folder.folder.mkdir(parents=True, exist_ok=True)
    Run(run_folder, progress).all(stages)
    if processes.is_first():
        artefacts.atomic_write(run_folder.folder / RECIPE, to_toml(run_folder.recipe).encode())


def update(out: Path, progress: Progress, data: Path | None = None) -> dict[str, Any]:
    """Let a finished run know the items that joined its data folder or were edited since.

    They are summarized, nothing is trained. Items that left the folder are no longer recommended.

    Args:
        out: The run's folder.
        progress: Is told each line.
        data: Where the data folder lies now; the recipe's place unless given.

    Returns:
        Which items are new, edited and removed, how many interactions joined, and what `Run.all` returns.

    Raises:
        MmsrarecError: The data folder is not there, or holds other data.
    """
    with processes.holding_run(out):
        catalogue = open_catalogue(out, data)
        if not catalogue.present:
            raise DataError(f"{catalogue.run_folder.recipe.data} is not there: name the data folder with --data")
        run_folder = catalogue.run_folder
        words = CatalogueWords.load(out / "summarize")  # what joins changes nothing of what the ranker has learned
        run = Run(run_folder, progress, words=words)
        done = run.all(("summarize",))
        run.stages.read_joined_items(catalogue.split)
    since = count_new_interactions(run_folder.logs[catalogue.split], run_folder.dataset.interactions)
    progress(f"the sequence encoder and the ranking model stay as they are; mmsrarec refit {out} trains them anew")
    unavailable = [run_folder.dataset.items[code].item_id for code in np.flatnonzero(~catalogue.available)]
    gone = sorted(set(unavailable) - set(catalogue.new))
    facts = {"edited_items": list(catalogue.edited), "removed_items": gone, "interactions_since": since}
    return {"new_items": list(catalogue.new), **facts, **done}


def count_new_interactions(before: Interactions, now: Interactions) -> int:
    """Interactions that were not there before, however many left."""
    kinds = [
        Counter(zip(log.user.tolist(), log.item.tolist(), log.time.tolist(), strict=True)) for log in (before, now)
    ]
    return (kinds[1] - kinds[0]).total()


def refit(out: Path, progress: Progress, data: Path | None = None, device: str | None = None) -> dict[str, Any]:
    """Train what a finished run serves anew on all interactions, with the settings that validation chose.

    Sequence models train for as many passes as they were best after; the ranking model on as many packs; what was
    learned about fusing them stays. Nothing is left to measure it by, so the figures in the report are those of the
    models that held interactions back. What is served from then on is the refitted ranker.

    Args:
        out: The run's folder.
        progress: Is told each line.
        data: Where the data folder lies now; the recipe's place unless given.
        device: A torch device instead of the recipe's.

    Returns:
        How many interactions, users and items it is fitted on, the report's summary where there is one, and the
        seconds it took.
    """
    update(out, progress, data)
    with processes.holding_run(out):
        catalogue = open_catalogue(out, data, check_device(device) if device else None)
        run_folder = catalogue.run_folder
        fresh = RunFolder(run_folder.recipe, out, present_only(catalogue))
        work, variant = Run(fresh, progress), fresh.served
        before, after = len(run_folder.logs[catalogue.split]), len(fresh.dataset.interactions)
        progress(f"{out} was made from {before} interactions, and is refitted on the {after} that are there now")
        started = time.monotonic()
        work.stages.retrieve(EVERYTHING, [variant])
        for name in (variant_named(variant).teacher, variant):
            if name:
                work.stages.recommend(EVERYTHING, name)
        if learned := fresh.fusion(fresh.chosen_on, "full"):
            names, source = filter(made_from_log, learned.generators), served_source(fresh, EVERYTHING)
            work.stages.rankers(EVERYTHING, list(names), lambda name: source)
        has_report = (out / "evaluate" / "report.json").is_file()  # the report says what is served
        report = Run(RunFolder.open(out, device), progress).evaluate() if has_report else {}
    interactions = fresh.dataset.interactions
    facts = {"interactions": len(interactions), "users": interactions.n_users, "items": interactions.n_items}
    return {"run": str(out), **facts, **report, "seconds": round(time.monotonic() - started, 1)}


class Run:
    """One run in progress: which stages it needs, and in which order."""

    def __init__(
        self,
        run_folder: RunFolder,
        progress: Progress,
        shard: Shard | None = None,
        retune: bool = False,
        words: CatalogueWords | None = None,
    ):
        self.run_folder, self.say, self.shard = run_folder, progress, shard
        self.recipe, self.out = run_folder.recipe, run_folder.folder
        self.stages = Steps(run_folder, progress, shard, retune, words)
        if self.recipe.runtime.threads:
            import torch

            torch.set_num_threads(self.recipe.runtime.threads)

    def check_inputs(self, stages: tuple[str, ...] | None) -> None:
        """Check, before anything is trained, that every part that a stage needs is there or will be made.

        Args:
            stages: Names of `STAGES` that will be done; None for all that are needed, which lack nothing.

        Raises:
            NotFittedError: A part is not there, and none of the stages makes it.
        """
        if stages is None:
            return
        for part in self.needs(stages):
            stage, command = STAGE_OF_PART[part.partition("/")[0]]
            if stage not in stages and not artefacts.is_whole(self.out / part):
                raise NotFittedError(
                    f"{part} is not a finished artefact of {self.out}, and this needs it: make it first with mmsrarec "
                    f"{command} RECIPE --out {self.out}, or do all stages with mmsrarec run"
                )

    def needs(self, stages: tuple[str, ...]) -> Iterator[str]:
        """The parts that the stages are made from, or are, in the order in which they are made."""
        evaluate, work = self.recipe.evaluate, self.run_folder
        ranks, measures = "recommend" in stages, "evaluate" in stages
        rows, variants = evaluate.rows, {split: self.variants(split) for split in evaluate.splits}
        read = [name for named in variants.values() for each in named for name in work.soft_sources_of(each)]
        states = any(map(reads_content, rows))
        content = states or not set(CONTENT_ENCODERS).isdisjoint((*rows, self.recipe.retrieve.encoder, *read))
        reads = (content and {"retrieve", "evaluate"} & {*stages}) or (any(variants.values()) and (ranks or measures))
        if reads or (ranks and MSR in rows):
            yield from ("summarize", "pictures") if reads else ("pictures",)
        if states and measures:
            yield CONTENT_PART
        for split in evaluate.splits:
            if ranks or measures:
                if variants[split] or MSR in rows or any(map(needs_stage_2, rows)):
                    yield f"retrieve/{split}"
                searched: set[EncoderName] = {work.retrieval_encoder(variant) for variant in variants[split]}
                named: set[EncoderName] = {name for name in ENCODERS if measures and name in rows}
                soft: set[EncoderName] = {name for each in variants[split] for name in work.soft_sources_of(each)}
                yield from sorted(work.encoder_part(split, name) for name in searched | named | soft)
                yield from sorted(held_out_part(split, name) for name in soft if ranks)
                if work.refits:
                    yield from sorted(work.encoder_part(split, name, refit=True) for name in named)
            if measures:
                yield from (adapter_part(split, name) for name in variants[split])
                yield from [msr_part(split)] if MSR in rows else []

    def all(self, stages: tuple[str, ...] | None = None) -> dict[str, Any]:
        """Do the stages, in their order, on every split and with every seed.

        Args:
            stages: Names of `STAGES`; None for all that the rows of the comparison need.

        Returns:
            What came of each stage, as plain JSON values.
        """
        started = time.monotonic()
        done: dict[str, Any] = {}
        stages = stages or self.needed()
        splits = self.recipe.evaluate.splits
        is_stage_1 = bool({"pictures", "tune", "summarize"} & set(stages))
        if is_stage_1:
            with processes.first_alone():
                self.stages.pictures()
            if self.recipe.summarize.tune is not None:
                done["tune"] = self.stages.tune()
        with processes.first_alone():
            if is_stage_1:
                done["summarize"] = self.stages.summarize("summarize")
                if self.shard is not None:
                    return {"run": str(self.out), **done, "seconds": round(time.monotonic() - started, 1)}
                if "summarize-untuned" in map(self.run_folder.summaries, self.recipe.evaluate.ablations):
                    self.stages.summarize("summarize-untuned")
                if processes.is_first():
                    write_page(self.run_folder)
            for split in splits if "retrieve" in stages else ():
                self.stages.retrieve(split, self.variants(split))
        for split in splits if "recommend" in stages else ():
            for variant in self.variants(split):
                self.stages.recommend(split, variant)
            if MSR in self.recipe.evaluate.rows:
                self.stages.msr(split)
        behind = tuple(stage for stage in ("retrieve", "recommend", "evaluate") if stage in stages)
        for number in range(1, self.recipe.evaluate.n_seeds if behind else 0):
            with processes.first_alone():
                other = self.run_folder.repeat(self.recipe.seed + number)
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
        if any(map(reads_content, evaluate.rows)) or not set(CONTENT_ENCODERS).isdisjoint(evaluate.rows):
            return ("pictures", "summarize", "retrieve", "evaluate")
        return ("retrieve", "evaluate") if any(map(needs_stage_2, evaluate.rows)) else ("evaluate",)

    def variants(self, split: SplitName) -> list[str]:
        """What is trained on a split, a teacher before its students: ablations on the first split only."""
        evaluate = self.recipe.evaluate
        rows = [TRAINED.get(row) for row in evaluate.rows]
        first = split == evaluate.splits[0]
        served = [self.run_folder.served] if "whole" in rows else []
        variants = [variant for variant in (*rows, *(*evaluate.ablations, *served) * first) if variant]
        teachers = [
            teacher for variant in variants if (teacher := variant_named(variant).teacher) not in (None, *variants)
        ]
        return list(dict.fromkeys((*teachers, *variants)))

    def evaluate(self) -> dict[str, Any]:
        """Compare the rows on test users and write the report; the report's summary."""
        with self.say.counting() as count:
            self.keep_rankers(count)
            summary = compare(self.run_folder, self.variants, self.say, count)
        artefacts.atomic_write(self.out / "manifest.json", json.dumps(self.manifest(), indent=1).encode())
        return summary

    def keep_rankers(self, count: Count) -> None:
        """Fit the rankers that may propose to the language model or be fused with it, as they are tested and served."""
        evaluate, split = self.recipe.evaluate, self.run_folder.chosen_on
        fused = "mmsrarec" in evaluate.rows and evaluate.fusion_users > 0
        if fused and self.out.parent.name != SEEDS:  # a run with another seed is never served
            names = [name for name in candidate_generators(evaluate.rows) if made_from_log(name)]
            self.stages.rankers(split, names, Scorers(self.run_folder, split, count).source)

    def manifest(self) -> dict[str, Any]:
        """Every finished artefact and its key."""
        folders = (path for path in artefacts.finished_under(self.out) if path.relative_to(self.out).parts[0] != SEEDS)
        parts = {path.relative_to(self.out).as_posix(): artefacts.read_manifest(path)["key"] for path in folders}
        keys = self.stages.keys
        data = {"log": keys.log, "texts": keys.texts, "images": keys.images}
        return {"name": self.recipe.name, "seed": self.recipe.seed, "data": data, "parts": parts}
