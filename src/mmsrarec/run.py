"""Run a recipe: every stage from artefacts to artefacts, doing only what is missing or out of date.

pictures -> summarize -> retrieve -> recommend -> evaluate
"""

import hashlib
import json
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from safetensors.torch import save_file

from mmsrarec import artefacts
from mmsrarec.comparison import compare
from mmsrarec.data.images import open_picture, usable_pictures
from mmsrarec.data.split import SplitName
from mmsrarec.data.tables import load
from mmsrarec.errors import MmsrarecError
from mmsrarec.models import pictures
from mmsrarec.models.mllm import Mllm
from mmsrarec.models.warmup import grids, projector_of, warm_up
from mmsrarec.progress import Progress
from mmsrarec.recipe import Recipe, to_toml
from mmsrarec.recommend.tune import tune
from mmsrarec.retrieve.encode import train_encoder
from mmsrarec.summarize import prompts as stage_1
from mmsrarec.summarize.summarize import statistics, summarize
from mmsrarec.workspace import Workspace, adapter_part

STAGES = ("pictures", "summarize", "retrieve", "recommend", "evaluate")


def run(recipe: Recipe, out: Path, stages: tuple[str, ...] | None, progress: Progress) -> dict:
    """Do the named stages (None: all) in `out`, and return what came of them. A stopped run goes on where it was."""
    for name in stages or ():
        if name not in STAGES:
            raise MmsrarecError(f"unknown stage {name}: choose from {', '.join(STAGES)}")
    load(recipe.data)  # whatever is wrong with the data is said before anything is written
    out.mkdir(parents=True, exist_ok=True)
    artefacts.atomic_write(out / "recipe.toml", to_toml(recipe).encode())
    return Run(recipe, out, progress).all(stages or STAGES)


class Run:
    """One run in progress. Every stage asks for its key, and skips what is current."""

    def __init__(self, recipe: Recipe, out: Path, progress: Progress):
        self.recipe, self.out, self.say = recipe, out, progress
        self.workspace = Workspace(recipe, out)
        self.data_key = artefacts.key(data=data_digest(recipe.data))
        self.keys: dict[str, str] = {}
        if recipe.runtime.threads:
            import torch

            torch.set_num_threads(recipe.runtime.threads)

    def all(self, stages: tuple[str, ...]) -> dict:
        started, done = time.monotonic(), {}
        if "summarize" in stages or "pictures" in stages:
            self.pictures()
            done["summarize"] = self.summarize()
        splits = self.recipe.evaluate.splits
        for split in splits if "retrieve" in stages else ():
            self.retrieve(split)
        for split in splits if "recommend" in stages else ():
            for variant in self.variants(split):
                self.recommend(split, variant)
        if "evaluate" in stages:
            done |= self.evaluate()
        return {"run": str(self.out), **done, "seconds": round(time.monotonic() - started, 1)}

    def variants(self, split: SplitName) -> list[str]:
        """What is trained on a split: ablations on the first split only."""
        evaluate = self.recipe.evaluate
        rows = [{"mmsrarec": "whole", "plain-fine-tuning": "titles"}.get(row) for row in evaluate.rows]
        ablations = evaluate.ablations if split == evaluate.splits[0] else ()
        return [variant for variant in (*rows, *ablations) if variant]

    def pictures(self) -> None:
        settings = self.recipe.summarize
        key = self.key("pictures", visual_tokens=settings.visual_tokens)
        with self.stage("pictures", key) as folder:
            if folder is None:
                return
            with self.counting() as count:
                mllm, data = self.workspace.mllm, self.workspace.dataset
                if self.recipe.model.warm_up_steps:
                    self.warm_up(mllm, folder, count)
                features, rejected = pictures.see_catalogue(mllm, data, settings.visual_tokens, progress=count)
            pictures.save(features, folder / "features.safetensors")
            (folder / "rejected.json").write_text(json.dumps(rejected, indent=1))
            if rejected:
                first = next(iter(rejected.items()))
                self.say(f"{len(rejected)} pictures cannot be used, such as that of item {first[0]}: {first[1]}")

    def warm_up(self, mllm: Mllm, folder: Path, count: Callable[[int, int, str], None]) -> None:
        """Let the projector learn what the catalogue's pictures show, by the categories of their items."""
        data, steps = self.workspace.dataset, self.recipe.model.warm_up_steps
        usable, _ = usable_pictures(data)
        codes = [code for code in usable if data.items[code].categories]
        opened = [open_picture(usable[code], usable[code].parent) for code in codes]
        words = [", ".join(data.items[code].categories).lower() for code in codes]
        ask = partial(stage_1.image_prompt, mllm)
        losses = warm_up(mllm, grids(mllm, opened), words, ask, steps, self.recipe.seed, progress=count)
        weights = projector_of(mllm).state_dict()
        save_file({name: weight.contiguous() for name, weight in weights.items()}, folder / "projector.safetensors")
        self.say(f"warm-up on {len(codes)} pictures: loss {losses[0]:.2f} to {losses[-1]:.2f}")

    def summarize(self) -> dict:
        settings = self.recipe.summarize
        key = self.key("summarize", settings=settings, prompts=stage_1.ASKED, pictures=self.keys["pictures"])
        with self.stage("summarize", key) as folder:
            if folder is not None:
                data, workspace = self.workspace.dataset, self.workspace
                with self.counting() as count:
                    keywords = summarize(
                        data,
                        workspace.mllm,
                        settings,
                        self.out / "summaries.sqlite",
                        workspace.features,
                        self.recipe.runtime.generate_batch,
                        count,
                        self.keys["pictures"][:12] if self.recipe.model.warm_up_steps else "",
                    )
                keywords.save(folder / "keywords.parquet", data)
                facts = statistics(keywords, data)
                (folder / "statistics.json").write_text(json.dumps(facts, indent=1))
        return json.loads((self.out / "summarize" / "statistics.json").read_text())

    def retrieve(self, split: SplitName) -> None:
        settings = self.recipe.retrieve
        with self.stage(f"retrieve/{split}", self.key(f"retrieve/{split}", settings=settings)) as folder:
            if folder is None:
                return
            parts = self.workspace.split(split)
            with self.say.task(f"sequence encoder, {split}", settings.epochs) as task:
                encoder = train_encoder(
                    parts.train,
                    parts.valid,
                    settings,
                    self.recipe.seed,
                    lambda number, loss, ndcg: task.advance(1, f"loss {loss:.3f}, validation NDCG@10 {ndcg:.4f}"),
                    self.recipe.model.device,
                )
            encoder.save(folder)

    def recommend(self, split: SplitName, variant: str) -> None:
        part, settings = adapter_part(split, variant), self.workspace.recommend_settings(variant)
        self.keys.setdefault("summarize", self.recorded("summarize"))
        self.keys.setdefault(f"retrieve/{split}", self.recorded(f"retrieve/{split}"))
        inputs = {"summarize": self.keys["summarize"], "retrieve": self.keys[f"retrieve/{split}"]}
        key = self.key(part, settings=settings, **inputs)
        with self.stage(part, key) as folder:
            if folder is None:
                return
            work = self.out / "unfinished" / key[:16]
            prompts = self.workspace.prompts(variant, self.workspace.ranker())
            with self.counting(f"tuning, {split}, {variant}") as count:
                retrieval = self.workspace.retrieval(split)
                facts = tune(prompts, retrieval, settings, self.recipe.seed, folder / "adapter", work, count)
            (folder / "training.json").write_text(json.dumps(facts))
            shutil.rmtree(work, ignore_errors=True)

    def evaluate(self) -> dict:
        with self.counting() as count:
            summary = compare(self.workspace, self.variants, self.recorded, self.say, count)
        artefacts.atomic_write(self.out / "manifest.json", json.dumps(self.manifest(), indent=1).encode())
        return summary

    def manifest(self) -> dict:
        """Every finished artefact and its key."""
        folders = sorted(path.parent for path in self.out.rglob(artefacts.MANIFEST) if path.parent != self.out)
        parts = {str(folder.relative_to(self.out)): artefacts.read_manifest(folder)["key"] for folder in folders}
        return {"name": self.recipe.name, "seed": self.recipe.seed, "data": self.data_key, "parts": parts}

    def key(self, part: str, **parts) -> str:
        """The key of a part: the data, the model, the seed, and whatever the part adds."""
        recipe = self.recipe
        self.keys[part] = artefacts.key(
            part=part, data=self.data_key, model=recipe.model, seed=recipe.seed, version=1, **parts
        )
        return self.keys[part]

    def recorded(self, part: str) -> str:
        """The key of a finished part. Raises MmsrarecError if it is not finished."""
        return artefacts.read_manifest(self.out / part)["key"]

    @contextmanager
    def stage(self, part: str, key: str) -> Iterator[Path | None]:
        """A folder to write a part into, or None where it is current already."""
        if artefacts.is_current(self.out / part, key):
            self.say(f"{part}: up to date")
            yield None
            return
        started = time.monotonic()
        (self.out / part).parent.mkdir(parents=True, exist_ok=True)
        with artefacts.writing(self.out / part, kind=part, key=key, settings=self.recipe) as folder:
            yield folder
        self.say(f"{part}: done in {time.monotonic() - started:.0f} s")

    @contextmanager
    def counting(self, title: str | None = None) -> Iterator[Callable[[int, int, str], None]]:
        """A callable (done, total, label) that shows progress; a new label starts a new bar."""
        state: dict = {"label": None, "context": None, "task": None}

        def close() -> None:
            if state["context"] is not None:
                state["context"].__exit__(None, None, None)
                state["context"] = state["task"] = None

        def count(done: int, total: int, label: str) -> None:
            label = title or label
            task = state["task"]
            if label != state["label"] or task is None or total != task.total or done < task.done:
                close()
                state["label"], state["context"] = label, self.say.task(label, total)
                state["task"] = state["context"].__enter__()
            state["task"].advance(done - state["task"].done)

        try:
            yield count
        finally:
            close()


def data_digest(folder: Path) -> dict[str, str]:
    """What a data folder holds: the sha256 of its tables and of every picture, by name."""
    tables = [folder / name for name in ("items.jsonl", "interactions.csv")]
    pictures = sorted(path for path in (folder / "images").rglob("*") if path.is_file())
    digests = {}
    for path in (*tables, *pictures):
        with path.open("rb") as file:
            digests[path.relative_to(folder).as_posix()] = hashlib.file_digest(file, "sha256").hexdigest()
    return digests
