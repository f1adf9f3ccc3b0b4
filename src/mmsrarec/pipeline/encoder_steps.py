"""Trains the sequence models of a run: stage 2's encoder, those of rows, and those that soft tokens read."""

import shutil
from collections.abc import Collection
from dataclasses import replace
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from mmsrarec.core.artefacts import is_whole
from mmsrarec.data.identity import KeptLog
from mmsrarec.data.split_file import save_parts
from mmsrarec.data.splits import EVERYTHING, OWN_SPLIT
from mmsrarec.evaluate.hyperparameter_search import save_tries, search_encoder
from mmsrarec.models.sequence.language_body import LanguageBody
from mmsrarec.models.sequence.whitening import Whitening, whitened
from mmsrarec.pipeline.part_writer import PartWriter
from mmsrarec.rankers.registry.registry import reads_content
from mmsrarec.rankers.registry.settings import encoder_settings
from mmsrarec.recommend.ranking.item_states import item_states, save_states
from mmsrarec.recommend.soft.cross_fitting import held_out_users
from mmsrarec.retrieve.encoder import Encoder
from mmsrarec.retrieve.later_items import reads_new_items
from mmsrarec.retrieve.neighbours import Neighbours
from mmsrarec.retrieve.settings import (
    CONTENT_ENCODERS,
    ENCODERS,
    ITEM_TOKENS,
    SPEEDER_STYLE,
    EncoderName,
    RetrieveSettings,
)
from mmsrarec.retrieve.training import refit, train_encoder
from mmsrarec.runs.changes.joined_states import FILE as JOINED_STATES
from mmsrarec.runs.run_folder import CONTENT_PART, STATES, Part
from mmsrarec.runs.soft_vectors import held_out_part


class EncoderSteps(PartWriter):
    """The sequence models of a run."""

    def retrieve(self, split: Part, variants: Collection[str]) -> None:
        """Stage 2's encoder, and the sequence models that are rows of the table or that variants search with."""
        evaluate, own = self.recipe.evaluate, self.recipe.retrieve.encoder
        if any(map(reads_content, evaluate.rows)):
            self.item_content()
        searched = {self.run_folder.retrieval_encoder(variant) for variant in variants}
        self.encoder(split, own)
        for name in ENCODERS:
            is_row = name in evaluate.rows
            if (is_row or name in searched) and name != own:
                self.encoder(split, name)
            if is_row and self.run_folder.refits and split != EVERYTHING:
                self.encoder(split, name, refitted=True)
        soft = {variant: self.run_folder.recommend_settings(variant).soft for variant in variants}
        for variant, settings in soft.items():
            for name in settings.sources:
                if name != own and name not in evaluate.rows:
                    self.encoder(split, name)
                self.held_out_encoder(split, name, variant)

    def held_out_encoder(self, split: Part, name: EncoderName, variant: str) -> None:
        """Train a sequence model without the users whose prompts train the language model.

        Args:
            split: What it is trained on.
            name: Of the sequence model.
            variant: Of stage 3, whose soft tokens read it in training.
        """
        run_folder, seed, device = self.run_folder, self.recipe.seed, self.recipe.runtime.device
        folds = run_folder.recommend_settings(variant).soft.folds
        with self.stage(held_out_part(split, name), self.keys.held_out_encoder(split, name, folds)) as folder:
            if folder is None:
                return
            parts = run_folder.split(split)
            held_out = held_out_users(parts.train.n_users, folds, seed)
            rest, before = parts.train.where(~held_out[parts.train.user]), run_folder.encoder(split, name)
            content = self.content(name, before.settings)[0]
            body = self.body(before.settings) if name in ITEM_TOKENS else None
            with self.say.task(f"{name}, {split}, for soft tokens", before.best_pass) as task:

                def tell(number: int, loss: float, ndcg: float) -> None:
                    task.advance(1, f"loss {loss:.3f}")

                refit(before, rest, seed, tell, device, content, body).save(folder)

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
            evaluate = self.recipe.evaluate
            settings = encoder_settings(self.recipe.retrieve, evaluate.baselines, name)
            content, whitening = self.content(name, settings)
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
                    body = self.body(settings) if name in ITEM_TOKENS else None
                    return train_encoder(parts.train, parts.valid, settings, seed, tell, device, content, body)

                if tried:
                    work = self.out / "unfinished" / f"search-{key[:16]}"
                    encoder, tries = search_encoder(name, settings, train, tried, seed, work)
                    save_tries(folder, tries)
                    shutil.rmtree(work, ignore_errors=True)
                elif before is None:
                    encoder = train(settings)
                else:
                    body = self.body(before.settings) if name in ITEM_TOKENS else None
                    encoder = refit(before, run_folder.fitted(split), seed, tell, device, content, body)
            encoder = replace(encoder, whitening=whitening)
            encoder.save(folder)
            if part == f"retrieve/{split}":
                most = self.recipe.retrieve.rows_per_user
                Neighbours(parts.train, encoder, device=device, rows_per_user=most).save(folder)
                KeptLog.of(run_folder.dataset).save(folder)
                if split == OWN_SPLIT and run_folder.user_parts is not None:
                    save_parts(run_folder.user_parts, folder)

    @cached_property
    def item_states(self) -> Tensor:
        """(items, hidden size): what the untuned backbone makes of each item."""
        run_folder = self.run_folder
        prompts = run_folder.prompts("whole", run_folder.ranker("whole"))
        return item_states(prompts, run_folder.item_file, self.recipe.runtime.score_tokens)

    def item_content(self) -> None:
        """What the items are, for the rankers that read it."""
        with self.stage(CONTENT_PART, self.keys.content()) as folder:
            if folder is not None:
                np.save(folder / STATES, self.item_states.numpy().astype(np.float32), allow_pickle=False)

    def content(self, name: EncoderName, settings: RetrieveSettings) -> tuple[Tensor | None, Whitening | None]:
        """What a sequence model is told of each item, (items, content_size), and how it was made; None by ids alone."""
        if name not in CONTENT_ENCODERS:
            return None, None
        whitening, content = Whitening.fit(self.item_states, settings.content_size)
        features = self.run_folder.features
        if name != SPEEDER_STYLE or not features:
            return content, whitening
        pictures, codes = torch.zeros(len(content), settings.picture_size), sorted(features)
        pictures[codes] = whitened(torch.stack([features[code].float().mean(0) for code in codes]), pictures.shape[1])
        return torch.cat([content, pictures], dim=1), whitening

    def read_joined_items(self, split: Part) -> None:
        """Keep the states of the items that joined since the training, by which sequence models can know them.

        Args:
            split: Whose models answer.
        """
        run_folder, items = self.run_folder, self.run_folder.dataset.items
        parts = [run_folder.encoder_part(split, name, refit) for name in CONTENT_ENCODERS for refit in (False, True)]
        encoders = [Encoder.load(run_folder.folder / part) for part in parts if is_whole(run_folder.folder / part)]
        n_trained = min((encoder.n_items for encoder in encoders if reads_new_items(encoder)), default=len(items))
        if n_trained < len(items):
            joined = zip(items[n_trained:], self.item_states[n_trained:], strict=True)
            save_states(run_folder.folder / JOINED_STATES, {item.item_id: state for item, state in joined})

    def body(self, settings: RetrieveSettings) -> LanguageBody:
        """The lowest layers of the backbone, as many as the sequence model has."""
        return LanguageBody.of(self.run_folder.mllm, settings.n_layers)
