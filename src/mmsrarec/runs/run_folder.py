"""A run's folder with everything in it, each part loaded when it is first needed.

run/  recipe.toml  manifest.json  summaries.sqlite  pictures/  tune/  summarize/  content/  retrieve/SPLIT/
      sequence/SPLIT/NAME/  recommend/SPLIT/VARIANT/  rankers/SPLIT/NAME/  evaluate/  seeds/SEED/
"""

import shutil
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cache, cached_property, partial
from pathlib import Path
from typing import Literal

import numpy as np
from torch import Tensor

from mmsrarec.core.artefacts import inputs_of, is_current, is_whole, link_or_copy, read_manifest
from mmsrarec.core.late import Late
from mmsrarec.data.dataset import Dataset, Interactions, Item
from mmsrarec.data.folder import load
from mmsrarec.data.identity import KeptLog, align, load_items
from mmsrarec.data.split_file import UserParts, codes_of, read_split_file, saved_parts
from mmsrarec.data.splits import EVERYTHING, OWN_SPLIT, Everything, Split, SplitName, make_split, with_validation
from mmsrarec.errors import MmsrarecError
from mmsrarec.models.backbone.adapter import merge_adapter
from mmsrarec.models.backbone.mllm import Mllm
from mmsrarec.models.compiled_layers import compiled
from mmsrarec.models.vision import image_features
from mmsrarec.models.vision.class_words import WordProbabilities
from mmsrarec.rankers.registry.registry import ItemContent
from mmsrarec.recommend.ablations import variant_named
from mmsrarec.recommend.prompt.prompt_context import Retrieval
from mmsrarec.recommend.prompt.prompts import Prompts
from mmsrarec.recommend.ranking.fusion import Fusion
from mmsrarec.recommend.ranking.item_states import load_states
from mmsrarec.recommend.settings import RecommendSettings
from mmsrarec.recommend.soft.soft_token_map import SoftTokenMap
from mmsrarec.retrieve.encoder import Encoder
from mmsrarec.retrieve.neighbours import Neighbours
from mmsrarec.retrieve.settings import EncoderName
from mmsrarec.runs.changes.joined_states import FILE as JOINED_STATES
from mmsrarec.runs.changes.joined_states import for_catalogue
from mmsrarec.runs.provenance import read_provenance, serving_variant
from mmsrarec.runs.recipe import Recipe
from mmsrarec.runs.soft_vectors import soft_sources
from mmsrarec.summarize.keywords import Keywords, exchanged

MSR = "mllm-msr"
"""The row of a pipeline as MLLM-MSR is one, and the folder of its parts."""
STAGE_1 = ("pictures", "tune", "summarize", "summarize-untuned")
STATES = "states.npy"
"""File of the item states in their part."""
CONTENT_PART = "content"
"""The folder of the item states that rankers read."""
SEEDS = "seeds"
"""The folder of what was done again with other seeds."""

Kind = Literal["published", "full"]
"""What is ranked: candidates of the published protocol, or what was proposed of the whole catalogue."""


Part = SplitName | Everything
"""What the parts behind stage 1 are made on: a split, or when all choices are made, everything."""


class RunFolder:
    """What a recipe's stages left in a folder, ready for use.

    Attributes:
        recipe: The settings of the run.
        folder: Where it lies.
        dataset: The items, and who interacted with what, as the parts are or will be made from them; loaded from the
            recipe's data folder unless given.
        logs: Of a finished run, the interactions that each split was made from.
        notes: What a user should know of the run, a sentence each.
        user_parts: What a split file says of the users. A finished run keeps it; else it is read from the recipe's file
            when it is first needed.
    """

    def __init__(
        self,
        recipe: Recipe,
        folder: Path,
        dataset: Dataset | None = None,
        logs: dict[Part, Interactions] | None = None,
        notes: Sequence[str] = (),
        user_parts: UserParts | None = None,
    ):
        self.recipe, self.folder, self.logs, self.notes = recipe, folder, logs or {}, list(notes)
        if dataset is not None:
            self.dataset = dataset
        if user_parts is not None:
            self.user_parts = user_parts
        self.split = cache(self._split)
        self.encoder_of_part = cache(self._load_encoder)
        self.soft_sources = cache(partial(soft_sources, self))
        self.retrieval = cache(self._retrieval)
        self._index = cache(self._find_index)
        self._keywords = cache(self._load_keywords)

    @classmethod
    def open(cls, folder: Path, device: str | None = None) -> "RunFolder":
        """A finished run as it was made: the items and interactions that its parts were made from.

        Args:
            folder: Of the run.
            device: A torch device instead of the recipe's.

        Raises:
            MmsrarecError: There is no run, or one of another version, or its parts do not belong together.
        """
        provenance = read_provenance(folder)
        log, old_items = KeptLog.load(folder / "retrieve" / provenance.split), load_items(folder / "summarize")
        items = tuple(old_items.get(name) or Item(name) for name in log.item_ids)
        place = provenance.recipe.data if provenance.recipe.data.is_dir() else None
        dataset = Dataset(provenance.recipe.data.name, items, log.user_ids, log.interactions, place, log.times)
        return cls(
            on_device(provenance.recipe, device),
            folder,
            dataset,
            notes=provenance.notes,
            user_parts=saved_parts(folder / "retrieve" / OWN_SPLIT),
        )

    def with_log(self, interactions: Interactions) -> "RunFolder":
        """The same run as it would see another log; what is trained stays as it is."""
        dataset, user_parts = replace(self.dataset, interactions=interactions), self.__dict__.get("user_parts")
        return RunFolder(self.recipe, self.folder, dataset, user_parts=user_parts)

    def with_catalogue(
        self, dataset: Dataset, keywords: Keywords, before: Retrieval, wider: Callable[[Encoder], Encoder]
    ) -> "RunFolder":
        """The same run with more items or other ones, which no model was trained on; what is loaded is shared.

        Args:
            dataset: The catalogue; it has the items of before at the same codes, and perhaps more.
            keywords: Stage 1's result for it.
            before: Stage 2 as it answered until now.
            wider: Gives the sequence model that takes the place of each, for the items of the catalogue.
        """
        n_items = len(dataset.items)
        logs: dict[Part, Interactions] = {split: log.with_items(n_items) for split, log in self.logs.items()}
        new = RunFolder(self.recipe, self.folder, dataset, logs, self.notes, self.user_parts)
        new.__dict__["keywords"] = keywords

        def wider_encoder(part: str) -> Encoder:
            return wider(self.encoder_of_part(part))

        new.encoder_of_part = cache(wider_encoder)
        soft = before.soft and before.soft.with_encoders(wider, n_items)
        retrieval = Retrieval(before.train.with_items(n_items), before.neighbours, before.settings, soft)
        retrieval.__dict__["past"] = before.past  # it knows of times and users, to which no item is added

        def same(split: Part, variant: str = "whole") -> Retrieval:
            return retrieval

        new.retrieval = cache(same)
        return new

    def repeat(self, seed: int) -> "RunFolder":
        """A run of the same recipe with another seed, inside this one, that shares its finished stage 1."""
        evaluate = self.recipe.evaluate.model_copy(update={"n_seeds": 1, "shown_users": 0})
        recipe = self.recipe.model_copy(update={"seed": seed, "evaluate": evaluate})
        other = RunFolder(recipe, self.folder / SEEDS / str(seed), self.dataset)
        for part in STAGE_1:
            own_part, other_part = self.folder / part, other.folder / part
            if is_whole(own_part) and not is_current(other_part, read_manifest(own_part)["key"]):
                shutil.rmtree(other_part, ignore_errors=True)
                shutil.copytree(own_part, other_part, copy_function=link_or_copy)
        return other

    @cached_property
    def dataset(self) -> Dataset:
        """The data folder as it is now, with the codes that the run's finished parts know users and items by."""
        dataset = load(self.recipe.data)
        for split in self.recipe.evaluate.splits:
            with suppress(MmsrarecError):  # a part that is missing, or of a version that kept no log
                log = KeptLog.load(self.folder / "retrieve" / split)
                return align(dataset, log.user_ids, log.item_ids)
        return dataset

    @cached_property
    def user_parts(self) -> UserParts | None:
        """What the split file of the recipe says of the users; None without one."""
        path = self.recipe.evaluate.split_file
        return None if path is None else read_split_file(path)

    @cached_property
    def mllm(self) -> Mllm:
        """The untuned model, which answers and ranks and is not trained."""
        return compiled(self._fresh_model(), self.recipe.runtime.compile_layers)

    def _fresh_model(self) -> Mllm:
        return Mllm.load(self.recipe.model, self.recipe.runtime.device)

    @cached_property
    def features(self) -> image_features.Features:
        """What the untuned model sees of each picture."""
        return image_features.load(self.finished("pictures") / image_features.FEATURES, self.dataset)

    @cached_property
    def image_words(self) -> dict[int, WordProbabilities]:
        """What the vision encoder's classifier says of each picture; empty for a model without one."""
        return image_features.load_words(self.finished("pictures") / image_features.WORDS, self.dataset)

    @cached_property
    def keywords(self) -> Keywords:
        """Stage 1's result by the policy of the recipe."""
        return self._keywords("summarize")

    def policy(self) -> Mllm:
        """The tuned policy of stage 1, on a model of its own."""
        mllm = merge_adapter(self._fresh_model(), self.finished("tune") / "adapter")
        return compiled(mllm, self.recipe.runtime.compile_layers)

    def summaries(self, variant: str) -> str:
        """The part whose keywords a variant of stage 3 reads."""
        untuned = variant_named(variant).keywords == "untuned" and self.recipe.summarize.tune
        return "summarize-untuned" if untuned else "summarize"

    def _load_keywords(self, part: str) -> Keywords:
        return Keywords.load(self.finished(part) / "keywords.parquet", self.dataset)

    def _split(self, name: Part) -> Split:
        interactions = self.logs.get(name, self.dataset.interactions)
        parts = codes_of(self.user_parts, self.dataset) if name == OWN_SPLIT and self.user_parts is not None else None
        return make_split(name, interactions, self.recipe.seed, self.recipe.evaluate.repeat_consumption, parts)

    @property
    def chosen_on(self) -> SplitName:
        """The split whose validation users made the choices: the first one, which is the one that is served."""
        return self.recipe.evaluate.splits[0]

    @property
    def refits(self) -> bool:
        """Whether rows without a language model are fitted on the validation interactions as well."""
        return self.recipe.evaluate.fitted_on == "train+validation"

    def fitted(self, split: Part) -> Interactions:
        """The interactions that rows without a language model are fitted on, to be tested or served."""
        parts = self.split(split)
        if split == EVERYTHING or not self.refits:
            return parts.train
        return with_validation(parts, self.logs.get(split, self.dataset.interactions))

    def encoder_part(self, split: Part, name: EncoderName, refit: bool = False) -> str:
        """The folder of a sequence model inside the run: stage 2's own, or beside it one that is a row only.

        Args:
            split: What it is trained on.
            name: Of the sequence model.
            refit: Trained on the validation interactions as well, which stage 2's own never is.
        """
        if refit:
            return f"sequence/{split}/{name}-refit"
        return f"retrieve/{split}" if name == self.recipe.retrieve.encoder else f"sequence/{split}/{name}"

    def encoder(self, split: Part, name: EncoderName | None = None, refit: bool = False) -> Encoder:
        """The sequence model of that name, stage 2's where None."""
        own = self.recipe.retrieve.encoder
        return self.encoder_of_part(self.encoder_part(split, name or own, refit and split != EVERYTHING))

    def _load_encoder(self, part: str) -> Encoder:
        encoder = Encoder.load(self.finished(part), self.recipe.runtime.device)
        items = self.dataset.items
        return for_catalogue(encoder, items, self.joined_states) if len(items) > encoder.n_items else encoder

    @cached_property
    def joined_states(self) -> dict[str, Tensor]:
        """The states of items that joined since the training, by id."""
        return load_states(self.folder / JOINED_STATES)

    def _retrieval(self, split: Part, variant: str = "whole") -> Retrieval:
        settings = variant_named(variant).retrieval_settings(self.recipe.retrieve)
        index, sources = self._index(split, settings.encoder), self.soft_sources(split, variant)
        return Retrieval(self.split(split).train, index, settings, sources)

    def _find_index(self, split: Part, encoder: EncoderName) -> Neighbours:
        """All training queries as an encoder sees them; what stage 2's own sees is kept in the run."""
        train, device, own = self.split(split).train, self.recipe.runtime.device, self.recipe.retrieve
        if encoder != own.encoder:
            return Neighbours(train, self.encoder(split, encoder), own.index, device, rows_per_user=own.rows_per_user)
        folder = self.finished(f"retrieve/{split}")
        return Neighbours.load(folder, train, self.encoder(split), own.index, device, own.rows_per_user)

    def recommend_settings(self, variant: str) -> RecommendSettings:
        """The recipe's settings with what the variant changes."""
        return variant_named(variant).applied(self.recipe.recommend)

    def retrieval_encoder(self, variant: str) -> EncoderName:
        """The sequence model whose similar users a variant is shown."""
        return variant_named(variant).retrieval_settings(self.recipe.retrieve).encoder

    def soft_sources_of(self, variant: str) -> tuple[EncoderName, ...]:
        """The sequence models whose vectors the prompts of a variant hold."""
        return self.recommend_settings(variant).soft.sources

    def prompts(self, variant: str, mllm: Mllm | Late[Mllm] | None = None) -> Prompts:
        """The prompts of a variant of stage 3.

        Args:
            variant: Of stage 3.
            mllm: The model that is asked; the untuned one unless given.
        """
        settings = self.recommend_settings(variant)
        features = image_features.pool(self.features, settings.visual_tokens) if settings.prompt_fields.pictures else {}
        keywords = self._keywords(self.summaries(variant))
        if variant_named(variant).keywords == "exchanged":
            keywords = exchanged(keywords, np.random.default_rng(self.recipe.seed))
        return Prompts(mllm or self.mllm, self.dataset, keywords, features, settings)

    @property
    def served(self) -> str:
        """The variant that recommends and explains."""
        return serving_variant(self.recipe)

    def ranker(self, variant: str) -> Mllm:
        """A fresh model for stage 3, as deep as the variant wants it."""
        settings = self.recommend_settings(variant)
        return self._fresh_model().shorten(settings.layers, settings.layer_selection)

    def tuned(self, split: Part, variant: str, late: bool = False) -> Prompts:
        """Prompts on a model of their own, into which the variant's adapter is merged, if it has one.

        Args:
            split: What the adapter was trained on.
            variant: Of stage 3.
            late: Whether the model is loaded when it is first needed, and not now.
        """
        folder, trained = self.finished(adapter_part(split, variant)), variant_named(variant).trained
        sources = self.soft_sources(split, variant) if trained else None

        def load_model() -> Mllm:
            mllm = self.ranker(variant)
            if trained and not self.recommend_settings(variant).soft.alone:
                mllm = merge_adapter(mllm, folder / "adapter")
            if sources:
                mllm.soft_tokens = SoftTokenMap.load(folder / "adapter", sources).to(mllm.device)
            return compiled(mllm, self.recipe.runtime.compile_layers)

        prompts = self.prompts(variant, Late(load_model) if late else load_model())
        prompts.soft = sources
        return prompts

    @property
    def item_file(self) -> Path:
        """Where the run keeps the item states of `content-sasrec`."""
        return self.folder / "items.safetensors"

    def content(self) -> ItemContent:
        """What the items are, to rankers that read it. Raises MmsrarecError where the part is not finished."""
        states = np.load(self.finished(CONTENT_PART) / STATES, mmap_mode="r", allow_pickle=False)
        return ItemContent(states, self.recorded(CONTENT_PART))

    def fusion(self, split: SplitName, kind: Kind) -> Fusion | None:
        """What was learned about fusing this very adapter with the candidate generators; None where it was not."""
        folder = self.folder / fusion_part(split, kind)
        adapter = self.folder / adapter_part(split, "whole")
        if not (is_whole(folder) and is_whole(adapter)):
            return None
        fresh = inputs_of(folder).get("adapter") == read_manifest(adapter)["key"]
        return Fusion.load(folder) if fresh else None

    def recorded(self, part: str) -> str:
        """The key of a finished part. Raises MmsrarecError if it is not finished."""
        return read_manifest(self.folder / part)["key"]

    def finished(self, part: str) -> Path:
        """The folder of a finished part. Raises MmsrarecError if it is not finished."""
        folder = self.folder / part
        read_manifest(folder)
        return folder


def on_device(recipe: Recipe, device: str | None) -> Recipe:
    """The recipe with another device; None leaves the one that it names."""
    runtime = recipe.runtime if device is None else recipe.runtime.model_copy(update={"device": device})
    return recipe.model_copy(update={"runtime": runtime})


def fusion_part(split: SplitName, kind: Kind) -> str:
    """The folder of what was learned about fusing with the candidate generators, inside a run."""
    return f"evaluate/fusion/{split}/{kind}"


def adapter_part(split: Part, variant: str) -> str:
    """The folder of a variant's adapter inside a run."""
    return f"recommend/{split}/{variant.replace(' ', '-')}"


def msr_part(split: SplitName) -> str:
    """The folder of the artefact inside a run."""
    return f"{MSR}/{split}"
