"""Run a recipe: every stage from artefacts to artefacts, doing only what is missing or out of date.

pictures -> tune -> summarize -> retrieve -> recommend -> evaluate
"""

import hashlib
import json
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from safetensors.torch import load_file, save_file

from mmsrarec import artefacts
from mmsrarec.comparison import compare
from mmsrarec.data.images import open_picture, usable_pictures
from mmsrarec.data.split import SplitName, with_validation
from mmsrarec.data.tables import load
from mmsrarec.errors import MmsrarecError
from mmsrarec.evaluate.rows import MSR, STAGE_2, TRAINED, check_rows
from mmsrarec.models import pictures, processes
from mmsrarec.models.mllm import Mllm
from mmsrarec.models.warmup import grids, projector_of, warm_up
from mmsrarec.progress import Count, Progress
from mmsrarec.recipe import Recipe, to_toml
from mmsrarec.recommend import tune as ranker
from mmsrarec.recommend.variants import variant_named
from mmsrarec.retrieve.neighbours import Neighbours
from mmsrarec.retrieve.settings import ENCODERS, EncoderName, EncoderSettings
from mmsrarec.retrieve.train import refit, train_encoder
from mmsrarec.rival import ASKED, msr_part, train_msr
from mmsrarec.summarize import prompts as stage_1
from mmsrarec.summarize.keywords import Keywords, items_of
from mmsrarec.summarize.settings import SummarizeSettings
from mmsrarec.summarize.statistics import statistics
from mmsrarec.summarize.store import Store
from mmsrarec.summarize.summarize import summarize
from mmsrarec.summary_page import heldout_means, write_page
from mmsrarec.workspace import SEEDS, Workspace, adapter_part

STAGES = ("pictures", "tune", "summarize", "retrieve", "recommend", "evaluate")
PROJECTOR = "projector.safetensors"
Shard = tuple[int, int]


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
    """One run in progress. Every stage asks for its key, and skips what is current."""

    def __init__(self, recipe: Recipe, out: Path, progress: Progress, shard: Shard | None = None, retune: bool = False):
        self.recipe, self.out, self.say, self.shard, self.retune = recipe, out, progress, shard, retune
        self.workspace = Workspace(recipe, out)
        self.data_key = artefacts.key(data=data_digest(recipe.data))
        self.keys: dict[str, str] = {}
        if recipe.runtime.threads:
            import torch

            torch.set_num_threads(recipe.runtime.threads)

    def all(self, stages: tuple[str, ...] | None = None) -> dict:
        started, done = time.monotonic(), {}
        stages = stages or self.needed()
        splits = self.recipe.evaluate.splits
        with processes.first_alone():
            if {"pictures", "tune", "summarize"} & set(stages):
                self.pictures()
                if self.recipe.summarize.tune is not None:
                    done["tune"] = self.tune()
                done["summarize"] = self.summarize("summarize")
                if self.shard is not None:
                    return {"run": str(self.out), **done, "seconds": round(time.monotonic() - started, 1)}
                if "summarize-untuned" in map(self.workspace.summaries, self.recipe.evaluate.ablations):
                    self.summarize("summarize-untuned")
                if processes.is_first():
                    write_page(self.workspace)
            for split in splits if "retrieve" in stages else ():
                self.retrieve(split)
        for split in splits if "recommend" in stages else ():
            for variant in self.variants(split):
                self.recommend(split, variant)
            if MSR in self.recipe.evaluate.rows:
                self.msr(split)
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

    def pictures(self) -> None:
        """What the model sees of the pictures. What it saw and learned before a change of the catalogue is kept."""
        settings, recipe = self.recipe.summarize, self.recipe
        key = self.key("pictures", visual_tokens=settings.visual_tokens)
        learned = artefacts.key(model=recipe.model.whole, seed=recipe.seed, visual_tokens=settings.visual_tokens)
        with self.stage("pictures", key, {"learned": learned}) as folder:
            if folder is None:
                return
            before = self.out / "pictures"
            kept = artefacts.inputs_of(before).get("learned") == learned
            with self.say.counting() as count:
                mllm, data = self.workspace.mllm, self.workspace.dataset
                if not mllm.sees:
                    self.say(f"this model reads no pictures: {recipe.model.name} summarizes and ranks by texts only")
                if recipe.model.warm_up_steps and kept and (before / PROJECTOR).exists():
                    projector_of(mllm).load_state_dict(load_file(before / PROJECTOR))
                    shutil.copy(before / PROJECTOR, folder / PROJECTOR)
                elif recipe.model.warm_up_steps:
                    self.warm_up(mllm, folder, count)
                known = pictures.load_known(before / "features.safetensors") if kept else None
                features, rejected = pictures.see_catalogue(
                    mllm, data, settings.visual_tokens, progress=count, known=known
                )
            pictures.save(features, folder / "features.safetensors", data)
            (folder / "rejected.json").write_text(json.dumps(rejected, indent=1))
            if rejected:
                first = next(iter(rejected.items()))
                self.say(f"{len(rejected)} pictures cannot be used, such as that of item {first[0]}: {first[1]}")

    def warm_up(self, mllm: Mllm, folder: Path, count: Count) -> None:
        """Let the projector learn what the catalogue's pictures show, by the categories of their items."""
        data, steps = self.workspace.dataset, self.recipe.model.warm_up_steps
        usable, _ = usable_pictures(data)
        codes = [code for code in usable if data.items[code].categories]
        opened = [open_picture(usable[code], usable[code].parent) for code in codes]
        words = [", ".join(data.items[code].categories).lower() for code in codes]
        ask = partial(stage_1.image_prompt, mllm)
        losses = warm_up(mllm, grids(mllm, opened), words, ask, steps, self.recipe.seed, progress=count)
        weights = projector_of(mllm).state_dict()
        save_file({name: weight.contiguous() for name, weight in weights.items()}, folder / PROJECTOR)
        self.say(f"warm-up on {len(codes)} pictures: loss {losses[0]:.2f} to {losses[-1]:.2f}")

    def tune(self) -> dict:
        """Tune the summarising policy. It is kept when the catalogue changes: a policy is for items to come."""
        try:
            from mmsrarec.summarize.tune import Work, tune  # brings TRL along, which only this needs
        except ImportError as missing:
            hint = "pip install 'mmsrarec[tune]'"
            raise MmsrarecError(f"tuning the summaries needs the package {missing.name}: {hint}") from None

        recipe, settings = self.recipe, self.recipe.summarize
        told = settings.model_dump(exclude=unused(settings))
        parts = {"settings": told, "prompts": stage_1.ASKED, "model": recipe.model.whole, "seed": recipe.seed}
        key = artefacts.key(part="tune", version=1, **parts)
        stale = artefacts.inputs_of(self.out / "tune").get("data") != self.data_key
        if self.retune and stale:
            key = artefacts.key(part="tune", version=1, data=self.data_key, **parts)
        elif stale and artefacts.is_current(self.out / "tune", key):
            self.say("tune: kept, though the catalogue has changed since; summarize --tune tunes again")
        elif (self.out / "tune").exists() and not stale:
            again = artefacts.key(part="tune", version=1, data=self.data_key, **parts)
            key = again if artefacts.is_current(self.out / "tune", again) else key
        self.keys["tune"] = key
        with self.stage("tune", key, {"data": self.data_key}) as folder:
            if folder is not None:
                work = self.out / "unfinished" / f"{key[:16]}-{self.data_key[:8]}"
                runtime = recipe.runtime
                with self.say.counting() as count:
                    given = Work(
                        load=lambda: Mllm.load(recipe.model),
                        dataset=self.workspace.dataset,
                        features=self.workspace.features,
                        settings=settings,
                        seed=recipe.seed,
                        folder=work,
                        rows=runtime.tune_rows,
                        batch=runtime.generate_batch,
                        count=count,
                    )
                    facts = tune(given, folder)
                (folder / "tuning.json").write_text(json.dumps(facts))
                shutil.rmtree(work, ignore_errors=True)
        return heldout_means(self.out / "tune", recipe.seed, recipe.evaluate.resamples)

    def summarize(self, part: str) -> dict:
        """Keywords of all items. part: "summarize", by the policy of the recipe, or "summarize-untuned"."""
        settings = self.recipe.summarize
        if part == "summarize-untuned":
            settings = settings.model_copy(update={"tune": None})
        tuned = settings.tune is not None
        policy = {"policy": self.recorded("tune")} if tuned else {}
        told = settings.model_dump(exclude={"tune", *unused(settings)})
        key = self.key(part, settings=told, prompts=stage_1.ASKED, pictures=self.keys["pictures"], **policy)
        if self.shard is None and artefacts.is_current(self.out / part, key):
            self.say(f"{part}: up to date")
        elif self.shard is not None:
            i, n = self.shard
            keywords, _ = self.ask(tuned, self.out / f"summaries-{i + 1}-of-{n}.sqlite")
            answered = sum(answer is not None for row in keywords.answers for answer in row)
            return {"shard": f"{i + 1}/{n}", "answered": answered}
        else:
            with self.stage(part, key) as folder:
                assert folder is not None
                keywords, model = self.ask(tuned, self.out / "summaries.sqlite")
                keywords.save(folder / "keywords.parquet", self.workspace.dataset, model)
                facts = statistics(keywords, self.workspace.dataset)
                (folder / "statistics.json").write_text(json.dumps(facts, indent=1))
        return json.loads((self.out / part / "statistics.json").read_text())

    def ask(self, tuned: bool, file: Path) -> tuple[Keywords, str]:
        """Ask what is not in the store yet, other shards' files included; the keywords, and who was asked."""
        with Store(file) as store:
            for other in sorted(self.out.glob("summaries-*-of-*.sqlite")) if self.shard is None else ():
                self.say(f"{store.adopt(other)['answers']} answers taken from {other.name}")
        mllm = self.workspace.policy() if tuned else self.workspace.mllm
        projector = self.out / "pictures" / PROJECTOR
        eye = artefacts.file_hash(projector)[:12] if projector.exists() else ""
        with self.say.counting() as count:
            keywords = summarize(
                self.workspace.dataset,
                mllm,
                self.recipe.summarize,
                file,
                self.workspace.features,
                self.recipe.runtime.generate_batch,
                count,
                eye,
                tuned=tuned,
                shard=self.shard,
            )
        return keywords, mllm.fingerprint + eye

    def retrieve(self, split: SplitName) -> None:
        """Stage 2's encoder, and the sequence models that are rows of the table, with the same settings."""
        recipe, place = self.recipe, partial(self.workspace.encoder_part, split)
        own = recipe.retrieve.encoder
        told = recipe.retrieve.model_dump(exclude={"index"})  # whoever searches finds the same
        self.encoder(split, own, place(own), self.key(place(own), settings=told))
        trained = recipe.retrieve.model_dump(include=set(EncoderSettings.model_fields))
        for name in ENCODERS:
            asked, settings = name in recipe.evaluate.rows, trained | {"encoder": name}
            searched = any(self.workspace.searches_with(variant) == name for variant in self.variants(split))
            if (asked or searched) and name != own:
                self.encoder(split, name, place(name), self.key(place(name), settings=settings))
            if asked and recipe.evaluate.fitted_on != "train":
                part = place(name, refit=True)
                self.encoder(split, name, part, self.key(part, settings=settings), refitted=True)

    def encoder(self, split: SplitName, name: EncoderName, part: str, key: str, refitted: bool = False) -> None:
        """Train a sequence model, or train one anew on the validation events as well."""
        with self.stage(part, key) as folder:
            if folder is None:
                return
            parts, seed, device = self.workspace.split(split), self.recipe.seed, self.recipe.model.device
            settings = self.recipe.retrieve.model_copy(update={"encoder": name})
            before = self.workspace.encoder(split, name) if refitted else None
            label = f"{name}, {split}{', validation events included' if refitted else ''}"
            with self.say.task(label, before.best_pass if before else settings.epochs) as task:

                def tell(number: int, loss: float, ndcg: float) -> None:
                    task.advance(1, f"loss {loss:.3f}" + (f", validation NDCG@10 {ndcg:.4f}" if before is None else ""))

                if before is None:
                    encoder = train_encoder(parts.train, parts.valid, settings, seed, tell, device)
                else:
                    known = with_validation(parts, self.workspace.dataset.events)
                    encoder = refit(before, known, seed, tell, device)
            encoder.save(folder)
            if part == f"retrieve/{split}":
                Neighbours(parts.train, encoder, device=device).save(folder)

    def recommend(self, split: SplitName, variant: str) -> None:
        part, settings = adapter_part(split, variant), self.workspace.recommend_settings(variant)
        summaries = self.workspace.summaries(variant)
        for needed in (summaries, f"retrieve/{split}"):
            self.keys.setdefault(needed, self.recorded(needed))
        inputs = {"summarize": self.keys[summaries], "retrieve": self.keys[f"retrieve/{split}"]}
        if changed := variant_named(variant).retrieve:
            encoder = self.recorded(self.workspace.encoder_part(split, self.workspace.searches_with(variant)))
            inputs["retrieve"] = artefacts.key(own=inputs["retrieve"], changed=changed, encoder=encoder)
        if teacher := variant_named(variant).teacher:
            inputs["teacher"] = self.recorded(adapter_part(split, teacher))
        key = self.key(part, settings=settings, **inputs)
        with self.stage(part, key) as folder:
            if folder is None:
                return
            work, facts = self.out / "unfinished" / key[:16], {"steps": 0}
            if variant_named(variant).trained:
                workspace, seed = self.workspace, self.recipe.seed
                prompts = workspace.prompts(variant, workspace.ranker(variant))
                taught = partial(workspace.tuned, split, teacher) if teacher else None
                asked, adapter = workspace.retrieval(split, variant), folder / "adapter"
                with self.say.counting(f"tuning, {split}, {variant}") as count:
                    facts = ranker.tune(
                        prompts, asked, settings, seed, adapter, work, count, taught, workspace.item_file
                    )
            (folder / "training.json").write_text(json.dumps(facts))
            if processes.is_first():
                shutil.rmtree(work, ignore_errors=True)

    def msr(self, split: SplitName) -> None:
        """What the row of MLLM-MSR is trained from the same pictures and log."""
        part, recipe = msr_part(split), self.recipe
        inputs = {name: self.recorded(name) for name in ("pictures", f"retrieve/{split}")}
        key = self.key(part, settings=recipe.recommend, msr=recipe.evaluate.mllm_msr, prompts=ASKED, **inputs)
        with self.stage(part, key) as folder:
            if folder is not None:
                work = self.out / "unfinished" / key[:16]
                with self.say.counting() as count:
                    train_msr(self.workspace, split, folder, work, count)
                shutil.rmtree(work, ignore_errors=True)

    def evaluate(self) -> dict:
        with self.say.counting() as count:
            summary = compare(self.workspace, self.variants, self.recorded, self.say, count)
        artefacts.atomic_write(self.out / "manifest.json", json.dumps(self.manifest(), indent=1).encode())
        return summary

    def manifest(self) -> dict:
        """Every finished artefact and its key."""
        found = (path.parent for path in self.out.rglob(artefacts.MANIFEST) if path.parent != self.out)
        folders = sorted(folder for folder in found if folder.relative_to(self.out).parts[0] != SEEDS)
        parts = {str(folder.relative_to(self.out)): artefacts.read_manifest(folder)["key"] for folder in folders}
        return {"name": self.recipe.name, "seed": self.recipe.seed, "data": self.data_key, "parts": parts}

    def key(self, part: str, **parts) -> str:
        """The key of a part: the data, the model, the seed, and whatever the part adds."""
        recipe = self.recipe
        self.keys[part] = artefacts.key(
            part=part, data=self.data_key, model=recipe.model.whole, seed=recipe.seed, version=1, **parts
        )
        return self.keys[part]

    def recorded(self, part: str) -> str:
        """The key of a finished part. Raises MmsrarecError if it is not finished."""
        return artefacts.read_manifest(self.out / part)["key"]

    @contextmanager
    def stage(self, part: str, key: str, inputs: dict[str, str] | None = None) -> Iterator[Path | None]:
        """A folder to write a part into, or None where it is current already."""
        if artefacts.is_current(self.out / part, key):
            self.say(f"{part}: up to date")
            yield None
            return
        if not processes.is_first():  # what it makes too, the first one keeps
            with tempfile.TemporaryDirectory() as scratch:
                yield Path(scratch)
            return
        started = time.monotonic()
        (self.out / part).parent.mkdir(parents=True, exist_ok=True)
        with artefacts.writing(self.out / part, kind=part, key=key, settings=self.recipe, inputs=inputs) as folder:
            yield folder
        self.say(f"{part}: done in {time.monotonic() - started:.0f} s")


def unused(settings: SummarizeSettings) -> set[str]:
    """Settings that change nothing as the others are."""
    return {"price", "phi"} if settings.price is None else set()


def data_digest(folder: Path) -> dict[str, str]:
    """What a data folder holds: the sha256 of its tables and of every picture, by name."""
    tables = [folder / name for name in ("items.jsonl", "interactions.csv")]
    pictures = sorted(path for path in (folder / "images").rglob("*") if path.is_file())
    digests = {}
    for path in (*tables, *pictures):
        with path.open("rb") as file:
            digests[path.relative_to(folder).as_posix()] = hashlib.file_digest(file, "sha256").hexdigest()
    return digests
