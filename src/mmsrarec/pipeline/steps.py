"""The stages of a run up to the comparison: each makes a part of the run, unless that part is up to date.

pictures -> tune -> summarize -> retrieve -> recommend
"""

import json
import shutil
import tempfile
import time
from collections.abc import Callable, Collection, Generator
from contextlib import contextmanager
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from torch import Tensor

from mmsrarec.core import artefacts
from mmsrarec.core.progress import Count, Progress
from mmsrarec.data.identity import KeptLog, save_items
from mmsrarec.data.images import open_picture, usable_pictures
from mmsrarec.data.split_file import save_parts
from mmsrarec.data.splits import EVERYTHING, OWN_SPLIT, SplitName
from mmsrarec.errors import MissingDependencyError
from mmsrarec.evaluate.hyperparameter_search import save_tries, search_encoder
from mmsrarec.models import processes
from mmsrarec.models.backbone.mllm import Mllm
from mmsrarec.models.backbone.warm_up import PROJECTOR, draw_from, grids, projector_of, warm_up
from mmsrarec.models.sequence.content_sasrec import whitened
from mmsrarec.models.untyped import load_tensors, save_tensors
from mmsrarec.models.vision import image_features
from mmsrarec.rankers.registry.registry import Source, make_row
from mmsrarec.rankers.registry.settings import encoder_settings
from mmsrarec.recommend.ablations import variant_named
from mmsrarec.recommend.ranking.item_states import item_states
from mmsrarec.recommend.training import fine_tuning as ranker
from mmsrarec.retrieve.encoder import Encoder
from mmsrarec.retrieve.neighbours import Neighbours
from mmsrarec.retrieve.settings import CONTENT_SASREC, ENCODERS, EncoderName, RetrieveSettings
from mmsrarec.retrieve.training import refit, train_encoder
from mmsrarec.runs.fingerprints import Fingerprints
from mmsrarec.runs.fitted_rankers import ranker_key, ranker_part
from mmsrarec.runs.run_folder import Part, RunFolder, adapter_part, msr_part
from mmsrarec.study.mllm_msr.part import PROMPT_WORDS, train_msr
from mmsrarec.study.report.summary_figures import heldout_means
from mmsrarec.summarize.answer_statistics import statistics
from mmsrarec.summarize.answer_store import Store
from mmsrarec.summarize.keywords import Keywords
from mmsrarec.summarize.language.detection import CatalogueWords
from mmsrarec.summarize.prompts import image_prompt
from mmsrarec.summarize.summarizer import summarize

Shard = tuple[int, int]


class Steps:
    """What a run makes, part by part, in its run folder.

    Attributes:
        run_folder: The run that is made.
        say: Is told each line.
        shard: (i, n): answer only the i-th of n parts of stage 1's questions, into a file of its own.
        retune: Tune the summaries again where the catalogue has changed since they were tuned.
        words: The words of the whole catalogue when it was first summarized, so that items that join change no other
            item's keywords; counted anew unless given.
        keys: The keys of the run's parts.
    """

    def __init__(
        self,
        run_folder: RunFolder,
        say: Progress,
        shard: Shard | None = None,
        retune: bool = False,
        words: CatalogueWords | None = None,
    ):
        self.run_folder, self.say, self.shard, self.retune, self.words = run_folder, say, shard, retune, words
        self.recipe, self.out = run_folder.recipe, run_folder.folder
        self.keys = Fingerprints(run_folder)

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
                shutil.rmtree(work, ignore_errors=True)
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
            keywords, _ = self.ask(tuned, self.out / f"summaries-{i + 1}-of-{n}.sqlite")
            answered = sum(answer is not None for row in keywords.answers for answer in row)
            return {"shard": f"{i + 1}/{n}", "answered": answered}
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
        with self.say.counting() as count:
            keywords = summarize(
                self.run_folder.dataset,
                mllm,
                self.recipe.summarize,
                file,
                self.run_folder.features,
                self.recipe.runtime.generate_batch,
                count,
                eye,
                tuned=tuned,
                shard=self.shard,
                words=self.words,
                image_words=self.run_folder.image_words,
            )
        return keywords, mllm.fingerprint + eye

    def retrieve(self, split: Part, variants: Collection[str]) -> None:
        """Stage 2's encoder, and the sequence models that are rows of the table or that variants search with."""
        evaluate, own = self.recipe.evaluate, self.recipe.retrieve.encoder
        searched = {self.run_folder.retrieval_encoder(variant) for variant in variants}
        self.encoder(split, own)
        for name in ENCODERS:
            is_row = name in evaluate.rows
            if (is_row or name in searched) and name != own:
                self.encoder(split, name)
            if is_row and self.run_folder.refits and split != EVERYTHING:
                self.encoder(split, name, refitted=True)

    def encoder(self, split: Part, name: EncoderName, refitted: bool = False) -> None:
        """Train a sequence model, or train one anew.

        Anew means for as many passes as it was best after on validation, on the validation interactions as well or, to
        be served, on everything.

        Args:
            split: What it is trained on.
            name: Of the sequence model.
            refitted: Train it on the validation interactions as well.
        """
        run_folder, seed, device = self.run_folder, self.recipe.seed, self.recipe.runtime.device
        part, key = run_folder.encoder_part(split, name, refitted), self.keys.encoder(split, name, refitted)
        with self.stage(part, key) as folder:
            if folder is None:
                return
            content = self.content if name == CONTENT_SASREC else None
            evaluate = self.recipe.evaluate
            settings = encoder_settings(self.recipe.retrieve, evaluate.baselines, name)
            before: Encoder | None = None
            if refitted or split == EVERYTHING:
                before = run_folder.encoder(run_folder.chosen_on if split == EVERYTHING else split, name)
            tried = evaluate.tune_baselines if name != self.recipe.retrieve.encoder and before is None else 0
            what = "everything" if split == EVERYTHING else f"{split}{', validation events included' * refitted}"
            passes = before.best_pass if before else settings.epochs * max(tried, 1)
            with self.say.task(f"{name}, {what}", passes) as task:

                def tell(number: int, loss: float, ndcg: float) -> None:
                    task.advance(1, f"loss {loss:.3f}" + (f", validation NDCG@10 {ndcg:.4f}" if before is None else ""))

                parts = run_folder.split(split)

                def train(settings: RetrieveSettings) -> Encoder:
                    return train_encoder(parts.train, parts.valid, settings, seed, tell, device, content)

                if tried:
                    work = self.out / "unfinished" / f"search-{key[:16]}"
                    encoder, tries = search_encoder(name, settings, train, tried, seed, work)
                    save_tries(folder, tries)
                    shutil.rmtree(work, ignore_errors=True)
                elif before is None:
                    encoder = train(settings)
                else:
                    encoder = refit(before, run_folder.fitted(split), seed, tell, device, content)
            encoder.save(folder)
            if part == f"retrieve/{split}":
                Neighbours(parts.train, encoder, device=device).save(folder)
                KeptLog.of(run_folder.dataset).save(folder)
                if split == OWN_SPLIT and run_folder.user_parts is not None:
                    save_parts(run_folder.user_parts, folder)

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

    @cached_property
    def content(self) -> Tensor:
        """(items, content_dims): what the untuned backbone makes of each item."""
        run_folder = self.run_folder
        prompts = run_folder.prompts("whole", run_folder.ranker("whole"))
        states = item_states(prompts, run_folder.item_file, self.recipe.runtime.score_tokens)
        return whitened(states, self.recipe.retrieve.content_size)

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
            if changes.trained:
                prompts = run_folder.prompts(variant, run_folder.ranker(variant))
                teacher_logits = partial(run_folder.tuned, split, changes.teacher) if changes.teacher else None
                retrieval, adapter = run_folder.retrieval(split, variant), folder / "adapter"
                with self.say.counting(f"tuning, {split}, {variant}") as count:
                    facts = ranker.tune(prompts, retrieval, settings, seed, adapter, work, count, teacher_logits)
            (folder / "training.json").write_text(json.dumps(facts))
            if processes.is_first():
                shutil.rmtree(work, ignore_errors=True)

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

    @contextmanager
    def stage(self, part: str, key: str, inputs: dict[str, str] | None = None) -> Generator[Path | None]:
        """A folder to write a part into, or None where it is current already.

        Args:
            part: The part's folder inside the run.
            key: What it is made from, as `Fingerprints` says.
            inputs: What its manifest records of the parts that it is made from.
        """
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
