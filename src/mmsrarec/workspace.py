"""A run's folder with everything in it, each part loaded when it is first needed.

run/  recipe.toml  manifest.json  summaries.sqlite  pictures/  tune/  summarize/  retrieve/SPLIT/
      sequence/SPLIT/NAME/  recommend/SPLIT/VARIANT/  evaluate/  seeds/SEED/
"""

import os
import shutil
from dataclasses import replace
from functools import cache, cached_property
from pathlib import Path
from typing import Literal

import numpy as np

from mmsrarec.artefacts import inputs_of, is_current, is_whole, read_manifest
from mmsrarec.data.dataset import Dataset, Events
from mmsrarec.data.split import Split, SplitName, make_split
from mmsrarec.data.tables import load
from mmsrarec.errors import MmsrarecError
from mmsrarec.models import pictures
from mmsrarec.models.adapter import merge_adapter
from mmsrarec.models.mllm import Mllm
from mmsrarec.recipe import Recipe, load_recipe
from mmsrarec.recommend.evidence import Retrieval
from mmsrarec.recommend.fuse import Fusion
from mmsrarec.recommend.prompts import Prompts
from mmsrarec.recommend.settings import RecommendSettings
from mmsrarec.recommend.variants import variant_named
from mmsrarec.retrieve.encode import Encoder
from mmsrarec.retrieve.neighbours import Neighbours
from mmsrarec.retrieve.settings import EncoderName
from mmsrarec.summarize.keywords import Keywords, exchanged

STAGE_1 = ("pictures", "tune", "summarize", "summarize-untuned")
SEEDS = "seeds"
"""The folder of what was done again with other seeds."""

Kind = Literal["published", "full"]
"""What is ranked: candidates of the published protocol, or what was proposed of the whole catalogue."""


class Workspace:
    """What a recipe's stages left in a folder, ready for use."""

    def __init__(self, recipe: Recipe, folder: Path):
        self.recipe, self.folder = recipe, folder
        self.split = cache(self._split)
        self.encoder = cache(self._encoder)
        self.retrieval = cache(self._retrieval)
        self._index = cache(self._find_index)
        self._keywords = cache(self._load_keywords)

    @classmethod
    def open(cls, folder: Path) -> "Workspace":
        """The workspace of a finished run. Raises MmsrarecError where there is none, or one of another version."""
        if not (folder / "recipe.toml").is_file():
            raise MmsrarecError(f"{folder} is not a run: make one with mmsrarec run RECIPE --out {folder}")
        try:
            return cls(load_recipe(folder / "recipe.toml"), folder)
        except MmsrarecError as error:
            raise MmsrarecError(f"{error}; make the run anew with mmsrarec run RECIPE --out {folder}") from error

    def with_log(self, events: Events) -> "Workspace":
        """The same run as it would see another log; what is trained stays as it is."""
        other = Workspace(self.recipe, self.folder)
        other.dataset = replace(self.dataset, events=events)
        return other

    def repeat(self, seed: int) -> "Workspace":
        """A run of the same recipe with another seed, inside this one, that shares its finished stage 1."""
        evaluate = self.recipe.evaluate.model_copy(update={"repeats": 1, "shown_users": 0})
        other = Workspace(
            self.recipe.model_copy(update={"seed": seed, "evaluate": evaluate}), self.folder / SEEDS / str(seed)
        )
        for part in STAGE_1:
            mine, theirs = self.folder / part, other.folder / part
            if is_whole(mine) and not is_current(theirs, read_manifest(mine)["key"]):
                shutil.rmtree(theirs, ignore_errors=True)
                shutil.copytree(mine, theirs, copy_function=os.link)
        return other

    @cached_property
    def dataset(self) -> Dataset:
        return load(self.recipe.data)

    @cached_property
    def mllm(self) -> Mllm:
        """The untuned model."""
        return Mllm.load(self.recipe.model)

    @cached_property
    def features(self) -> pictures.Features:
        return pictures.load(self._finished("pictures") / "features.safetensors")

    @cached_property
    def keywords(self) -> Keywords:
        """Stage 1's result by the policy of the recipe."""
        return self._keywords("summarize")

    def policy(self) -> Mllm:
        """The tuned policy of stage 1, on a model of its own."""
        return merge_adapter(Mllm.load(self.recipe.model), self._finished("tune") / "adapter")

    def summaries(self, variant: str) -> str:
        """The part whose keywords a variant of stage 3 reads."""
        untuned = variant_named(variant).keywords == "untuned" and self.recipe.summarize.tune
        return "summarize-untuned" if untuned else "summarize"

    def _load_keywords(self, part: str) -> Keywords:
        return Keywords.load(self._finished(part) / "keywords.parquet", self.dataset)

    def _split(self, name: SplitName) -> Split:
        return make_split(name, self.dataset.events, self.recipe.seed, self.recipe.evaluate.repeat_consumption)

    def encoder_part(self, split: SplitName, name: EncoderName, refit: bool = False) -> str:
        """The folder of a sequence model inside the run: stage 2's own, or beside it one that is a row only.

        refit: trained on the validation events as well, which stage 2's own never is.
        """
        if refit:
            return f"sequence/{split}/{name}-refit"
        return f"retrieve/{split}" if name == self.recipe.retrieve.encoder else f"sequence/{split}/{name}"

    def _encoder(self, split: SplitName, name: EncoderName | None = None, refit: bool = False) -> Encoder:
        """The sequence model of that name, stage 2's where None."""
        return Encoder.load(self._finished(self.encoder_part(split, name or self.recipe.retrieve.encoder, refit)))

    def _retrieval(self, split: SplitName, variant: str = "whole") -> Retrieval:
        settings = variant_named(variant).asks(self.recipe.retrieve)
        return Retrieval(self.split(split).train, self._index(split, settings.encoder), settings)

    def _find_index(self, split: SplitName, encoder: EncoderName) -> Neighbours:
        """All training moments as an encoder sees them; what stage 2's own sees is kept in the run."""
        train, device, own = self.split(split).train, self.recipe.model.device, self.recipe.retrieve
        if encoder != own.encoder:
            return Neighbours(train, self.encoder(split, encoder), own.index, device)
        return Neighbours.load(self._finished(f"retrieve/{split}"), train, self.encoder(split), own.index, device)

    def recommend_settings(self, variant: str) -> RecommendSettings:
        """The recipe's settings with what the variant changes."""
        return variant_named(variant).applied(self.recipe.recommend)

    def searches_with(self, variant: str) -> EncoderName:
        """The sequence model whose similar users a variant is shown."""
        return variant_named(variant).asks(self.recipe.retrieve).encoder

    def prompts(self, variant: str, mllm: Mllm | None = None) -> Prompts:
        settings = self.recommend_settings(variant)
        features = pictures.pool(self.features, settings.visual_tokens) if settings.shows.pictures else {}
        keywords = self._keywords(self.summaries(variant))
        if variant_named(variant).keywords == "exchanged":
            keywords = exchanged(keywords, np.random.default_rng(self.recipe.seed))
        return Prompts(mllm or self.mllm, self.dataset, keywords, features, settings)

    @property
    def served(self) -> str:
        """The variant that recommends and explains."""
        return "small" if self.recipe.model.name == "embedded-small" else "whole"

    def ranker(self, variant: str) -> Mllm:
        """A fresh model for stage 3, as deep as the variant wants it."""
        settings = self.recommend_settings(variant)
        return Mllm.load(self.recipe.model).shorten(settings.layers, settings.keep)

    def tuned(self, split: SplitName, variant: str) -> Prompts:
        """Prompts on a model of their own, into which the variant's adapter is merged, if it has one."""
        mllm, folder = self.ranker(variant), self._finished(adapter_part(split, variant))
        if variant_named(variant).trained:
            mllm = merge_adapter(mllm, folder / "adapter")
        return self.prompts(variant, mllm)

    @property
    def item_file(self) -> Path:
        """Where the run keeps the item states of `content-sasrec`."""
        return self.folder / "items.safetensors"

    def fusion(self, split: SplitName, kind: Kind) -> Fusion | None:
        """What was learned about fusing this very adapter with the proposers; None where that was not done."""
        folder = self.folder / fusion_part(split, kind)
        adapter = self.folder / adapter_part(split, "whole")
        if not (is_whole(folder) and is_whole(adapter)):
            return None
        fresh = inputs_of(folder).get("adapter") == read_manifest(adapter)["key"]
        return Fusion.load(folder) if fresh else None

    def recorded(self, part: str) -> str:
        """The key of a finished part. Raises MmsrarecError if it is not finished."""
        return read_manifest(self.folder / part)["key"]

    def _finished(self, part: str) -> Path:
        folder = self.folder / part
        read_manifest(folder)
        return folder


def fusion_part(split: SplitName, kind: Kind) -> str:
    """The folder of what was learned about fusing with the proposers, inside a run."""
    return f"evaluate/fusion/{split}/{kind}"


def adapter_part(split: SplitName, variant: str) -> str:
    """The folder of a variant's adapter inside a run."""
    return f"recommend/{split}/{variant.replace(' ', '-')}"
