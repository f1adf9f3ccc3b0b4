"""The stages of a run up to the comparison: each makes a part of the run, unless that part is up to date.

pictures -> tune -> summarize -> retrieve -> recommend
"""

import json
import shutil
from collections.abc import Callable, Collection
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from mmsrarec.core import artefacts
from mmsrarec.core.progress import Count
from mmsrarec.data.identity import save_items
from mmsrarec.data.images import open_picture, usable_pictures
from mmsrarec.data.splits import EVERYTHING, SplitName
from mmsrarec.errors import MissingDependencyError
from mmsrarec.evaluate.protocols import published_candidates
from mmsrarec.models import processes
from mmsrarec.models.backbone.mllm import Mllm
from mmsrarec.models.backbone.warm_up import PROJECTOR, draw_from, grids, projector_of, warm_up
from mmsrarec.models.untyped import load_tensors, save_tensors
from mmsrarec.models.vision import image_features
from mmsrarec.pipeline.encoder_steps import EncoderSteps
from mmsrarec.pipeline.engine_use import asking, engine_cost, spreading
from mmsrarec.rankers.registry.registry import Source, make_row
from mmsrarec.recommend.ablations import variant_named
from mmsrarec.recommend.training import fine_tuning as ranker
from mmsrarec.recommend.training.early_stopping import ValidationSet
from mmsrarec.runs.fitted_rankers import ranker_key, ranker_part
from mmsrarec.runs.run_folder import Part, adapter_part, msr_part
from mmsrarec.runs.soft_vectors import training_sources, unused_users
from mmsrarec.study.mllm_msr.part import PROMPT_WORDS, train_msr
from mmsrarec.study.report.summary_figures import heldout_means
from mmsrarec.summarize.answer_statistics import statistics
from mmsrarec.summarize.answer_store import Store
from mmsrarec.summarize.keywords import Keywords
from mmsrarec.summarize.language.detection import CatalogueWords
from mmsrarec.summarize.prompts import image_prompt
from mmsrarec.summarize.summarizer import shows_native, summarize

MOST_VALIDATED = 400
"""Validation users of stage 3, at most: each validation asks the language model about them."""


class Steps(EncoderSteps):
    """What a run makes, part by part, in its run folder."""

    def pictures(self) -> None:
        """What the model sees of the pictures. What it saw and learned before a change of the catalogue is kept."""
        settings, recipe = self.recipe.summarize, self.recipe
        learned = self.keys.learned()
        with self.stage("pictures", self.keys.pictures(), {"learned": learned}) as folder:
            if folder is None:
                return
            before = self.out / "pictures"
            same_model = artefacts.inputs_of(before).get("learned") == learned
            with self.say.counting() as count:
                mllm, data = self.run_folder.mllm, self.run_folder.dataset
                if not mllm.sees:
                    self.say(f"this model reads no pictures: {recipe.model.name} summarizes and ranks by texts only")
                if recipe.model.warm_up_steps and same_model and (before / PROJECTOR).exists():
                    projector_of(mllm).load_state_dict(load_tensors(before / PROJECTOR))
                    shutil.copy(before / PROJECTOR, folder / PROJECTOR)
                elif recipe.model.warm_up_steps:
                    self.warm_up(mllm, folder, count)
                known = image_features.load_known(before) if same_model else None
                images = image_features.encode_catalogue_images(
                    mllm, data, settings.visual_tokens, progress=count, known=known
                )
            rejected = images.rejected
            image_features.save(images.features, folder / image_features.FEATURES, data)
            image_features.save_words(images.words, folder / image_features.WORDS, data)
            (folder / "rejected.json").write_text(json.dumps(rejected, indent=1))
            if rejected:
                first = next(iter(rejected.items()))
                self.say(f"{len(rejected)} pictures cannot be used, such as that of item {first[0]}: {first[1]}")

    def warm_up(self, mllm: Mllm, folder: Path, count: Count) -> None:
        """Let the projector learn what the catalogue's pictures show, by the categories of their items."""
        data, steps = self.run_folder.dataset, self.recipe.model.warm_up_steps
        usable, _ = usable_pictures(data)
        codes = [code for code in usable if data.items[code].categories]
        opened = [open_picture(usable[code], usable[code].parent) for code in codes]
        words = [", ".join(data.items[code].categories).lower() for code in codes]
        draw = draw_from(grids(mllm, opened), words, self.recipe.seed)
        losses = warm_up(mllm, draw, partial(image_prompt, mllm), steps, progress=count)
        weights = projector_of(mllm).state_dict()
        save_tensors({name: weight.contiguous() for name, weight in weights.items()}, folder / PROJECTOR)
        self.say(f"warm-up on {len(codes)} pictures: loss {losses[0]:.2f} to {losses[-1]:.2f}")

    def tune(self) -> dict[str, Any]:
        """Tune the summarising policy. It is kept when the catalogue changes: a policy is for items to come."""
        try:
            from mmsrarec.summarize.tuning.policy import TuningContext, tune  # brings TRL along, which only this needs
        except ImportError as missing:
            hint = "pip install 'mmsrarec[tune]'"
            raise MissingDependencyError(f"tuning the summaries needs the package {missing.name}: {hint}") from None

        recipe, settings = self.recipe, self.recipe.summarize
        key, other = self.keys.tune(self.retune), self.keys.tuned_on_other_data()
        if other and not self.retune and artefacts.is_current(self.out / "tune", key):
            self.say("tune: kept, though the catalogue has changed since; summarize --tune tunes again")
        with self.stage("tune", key, {"data": self.keys.catalogue}) as folder:
            if folder is not None:
                work = self.out / "unfinished" / f"{key[:16]}-{self.keys.catalogue[:8]}"
                runtime = recipe.runtime
                with self.say.counting() as count:
                    context = TuningContext(
                        load=lambda: Mllm.load(recipe.model, recipe.runtime.device),
                        dataset=self.run_folder.dataset,
                        features=self.run_folder.features,
                        settings=settings,
                        seed=recipe.seed,
                        folder=work,
                        rows=runtime.tune_rows,
                        batch=runtime.generate_batch,
                        count=count,
                    )
                    facts = tune(context, folder)
                (folder / "tuning.json").write_text(json.dumps(facts))
                if processes.is_first():
                    shutil.rmtree(work, ignore_errors=True)
        with processes.first_alone():  # only the first process writes what is read here
            return heldout_means(self.out / "tune", recipe.seed, recipe.evaluate.resamples)

    def summarize(self, part: str) -> dict[str, Any]:
        """Write keywords of all items.

        Args:
            part: "summarize", by the policy of the recipe, or "summarize-untuned".

        Returns:
            Statistics of the keywords; of a shard, how many questions are answered.
        """
        tuned = part == "summarize" and self.recipe.summarize.tune is not None
        key = self.keys.summarize(part, tuned)
        if self.shard is None and artefacts.is_current(self.out / part, key):
            self.say(f"{part}: up to date")
        elif self.shard is not None:
            i, n = self.shard
            file = self.out / f"summaries-{i + 1}-of-{n}.sqlite"
            keywords, _ = self.ask(tuned, file)
            answered = sum(answer is not None for row in keywords.answers for answer in row)
            return {"shard": f"{i + 1}/{n}", "answered": answered, **engine_cost(self.recipe, file)}
        else:
            with self.stage(part, key, {artefacts.MADE_BY: self.keys.summarized_by(tuned)}) as folder:
                assert folder is not None
                items = self.run_folder.dataset.items
                save_items(items, folder)
                self.words = self.words or CatalogueWords.of(items, self.recipe.summarize.language)
                self.words.save(folder)
                keywords, model = self.ask(tuned, self.out / "summaries.sqlite")
                keywords.save(folder / "keywords.parquet", self.run_folder.dataset, model)
                facts = statistics(keywords, self.run_folder.dataset)
                facts |= engine_cost(self.recipe, self.out / "summaries.sqlite")
                (folder / "statistics.json").write_text(json.dumps(facts, indent=1))
        return json.loads((self.out / part / "statistics.json").read_text())

    def ask(self, tuned: bool, file: Path) -> tuple[Keywords, str]:
        """Ask what is not in the store yet, other shards' files included; the keywords, and who was asked."""
        with Store(file) as store:
            for other in sorted(self.out.glob("summaries-*-of-*.sqlite")) if self.shard is None else ():
                self.say(f"{store.adopt(other)['answers']} answers taken from {other.name}")
        mllm = self.run_folder.policy() if tuned else self.run_folder.mllm
        projector = self.out / "pictures" / PROJECTOR
        eye = artefacts.file_hash(projector)[:12] if projector.exists() else ""
        settings, runtime = self.recipe.summarize, self.recipe.runtime
        adapter = self.out / "tune" / "adapter" if tuned else None
        if runtime.engine != "openai" and settings.pictures and shows_native(mllm, settings):
            self.say("pictures are shown in the model's own way, by transformers' processor")
        with (
            asking(runtime, settings, self.say) as engine,
            spreading(self.recipe, adapter, self.say) as spread,
            self.say.counting() as count,
        ):
            keywords = summarize(
                self.run_folder.dataset,
                mllm,
                settings,
                file,
                self.run_folder.features,
                runtime.generate_batch,
                count,
                eye,
                tuned=tuned,
                shard=self.shard,
                words=self.words,
                image_words=self.run_folder.image_words,
                engine=engine,
                spread=spread,
            )
        return keywords, engine.model if engine else mllm.fingerprint + eye

    def rankers(self, split: Part, names: Collection[str], source: Callable[[str], Source]) -> None:
        """Fit rankers that are made from the log alone, and keep them for whoever ranks by them.

        Args:
            split: Whose rankers.
            names: Of the rankers.
            source: What a ranker is made from, by its name.
        """
        for name in names:
            made_from = source(name)
            with self.stage(ranker_part(split, name), ranker_key(name, made_from)) as folder:
                if folder is not None:
                    make_row(name, made_from).save(folder)

    def recommend(self, split: Part, variant: str) -> None:
        """Train the adapter of a variant of stage 3."""
        changes, key = variant_named(variant), self.keys.recommend(split, variant)
        run_folder, seed, settings = self.run_folder, self.recipe.seed, self.run_folder.recommend_settings(variant)
        inputs = [run_folder.summaries(variant), f"retrieve/{split}"]
        if split == EVERYTHING:  # of no use once the ranker that was evaluated is another one
            inputs.append(adapter_part(run_folder.chosen_on, variant))
        with self.stage(adapter_part(split, variant), key, self.made_from(inputs)) as folder:
            if folder is None:
                return
            work, facts = self.out / "unfinished" / key[:16], {"steps": 0}
            sources, unused = training_sources(run_folder, split, variant), unused_users(run_folder, split, variant)
            if changes.trained:
                prompts = run_folder.prompts(variant, run_folder.ranker(variant))
                teacher_logits = partial(run_folder.tuned, split, changes.teacher) if changes.teacher else None
                retrieval = replace(run_folder.retrieval(split, variant), soft=sources)
                with self.say.counting(f"tuning, {split}, {variant}") as count:
                    facts = ranker.tune(
                        prompts,
                        retrieval,
                        settings,
                        seed,
                        folder / "adapter",
                        work,
                        count,
                        teacher_logits,
                        unused,
                        self.recipe.runtime.processes,
                        self.recipe.runtime.train_tokens,
                        self.validation(split, variant) if settings.validations else None,
                    )
            (folder / "training.json").write_text(json.dumps(facts))
            if processes.is_first():
                shutil.rmtree(work, ignore_errors=True)

    def validation(self, split: Part, variant: str) -> ValidationSet | None:
        """Validation users that decide which weights of stage 3 are kept; None where the split has none."""
        run_folder, evaluate = self.run_folder, self.recipe.evaluate
        queries = run_folder.split(split).valid.rankable
        if not len(queries):
            return None
        log = run_folder.dataset.interactions
        candidates = published_candidates(queries, log, self.recipe.seed, evaluate.negatives)
        candidates = candidates.pick(np.arange(min(MOST_VALIDATED, len(candidates.items))))
        queries = queries.pick(candidates.rows)
        return ValidationSet(run_folder.retrieval(split, variant), queries, candidates.items, candidates.place)

    def made_from(self, parts: Collection[str]) -> dict[str, str]:
        """What a part remembers of the parts that it is made from (`provenance.check_inputs`)."""
        return {part: artefacts.identity(self.out / part) for part in parts}

    def msr(self, split: SplitName) -> None:
        """What the row of MLLM-MSR is trained from the same pictures and log."""
        key = self.keys.msr(split, PROMPT_WORDS)
        with self.stage(msr_part(split), key) as folder:
            if folder is not None:
                work = self.out / "unfinished" / key[:16]
                with self.say.counting() as count:
                    train_msr(self.run_folder, split, folder, work, count)
                shutil.rmtree(work, ignore_errors=True)
