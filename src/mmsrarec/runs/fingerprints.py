"""The keys of a run's parts: what each part is made from, so that it is out of date once any of it has changed."""

from functools import cached_property
from typing import Any

from mmsrarec.core import artefacts
from mmsrarec.data.identity import log_digest, picture_digests, text_digest
from mmsrarec.data.splits import EVERYTHING, OWN_SPLIT, SplitName
from mmsrarec.evaluate.hyperparameter_search import VERSION, searched
from mmsrarec.models.backbone.settings import ModelSettings
from mmsrarec.models.vision.class_words import class_words_hash
from mmsrarec.rankers.registry.settings import encoder_settings, space_of
from mmsrarec.recommend.ablations import variant_named
from mmsrarec.recommend.settings import RecommendSettings
from mmsrarec.retrieve.search.nearest_search import APPROXIMATE
from mmsrarec.retrieve.settings import (
    CONTENT_ENCODERS,
    ITEM_TOKENS,
    SPEEDER_STYLE,
    EncoderName,
    EncoderSettings,
    RetrieveSettings,
)
from mmsrarec.runs.run_folder import CONTENT_PART, Part, RunFolder, adapter_part, msr_part
from mmsrarec.runs.soft_vectors import held_out_part
from mmsrarec.summarize import prompts
from mmsrarec.summarize.settings import SummarizeSettings

TRAINING_PLAN = 3
"""Raised where the same settings draw other training examples, or word a prompt otherwise, than they did."""
HARD_NEGATIVES = 2
"""Raised where hard negatives are drawn or weighed otherwise than they were."""
FEATURES_VERSION = 2
"""Raised where a model other than the embedded one sees a picture otherwise than it did."""
ITEM_SETTINGS = {
    "prompt_fields",
    "item_keywords",
    "title_tokens",
    "description_tokens",
    "visual_tokens",
    "layers",
    "layer_selection",
}
"""Settings of stage 3 that say what the backbone is shown of an item by itself, and which of its layers look."""


class Fingerprints:
    """A part of a run is up to date where its manifest holds the key given here.

    A key holds what its part was made from and nothing else: the log, what is written of the items, their pictures, the
    language model. A part made from other parts has their keys in its own, so they must be finished: MmsrarecError
    where they are not.
    """

    def __init__(self, run_folder: RunFolder):
        self.run_folder, self.recipe = run_folder, run_folder.recipe

    @cached_property
    def log(self) -> str:
        """Who interacted with what when, and the order in which the codes of users and items stand."""
        return log_digest(self.run_folder.dataset)

    @cached_property
    def texts(self) -> str:
        """What is written of the items."""
        return text_digest(self.run_folder.dataset.items)

    @cached_property
    def images(self) -> str:
        """The pictures of the items."""
        return artefacts.key(images=picture_digests(self.run_folder.dataset))

    @property
    def catalogue(self) -> str:
        """What the items are: their texts and their pictures."""
        return artefacts.key(texts=self.texts, images=self.images)

    def of(self, part: str, **made_from: Any) -> str:
        """The key of a part: its name, the seed, and whatever it is made from."""
        return artefacts.key(part=part, seed=self.recipe.seed, version=2, **made_from)

    @property
    def model(self) -> ModelSettings:
        """The language model that reads and teaches."""
        return self.recipe.model.whole

    def pictures(self) -> str:
        """Of what the model sees of the pictures."""
        visual_tokens = self.recipe.summarize.visual_tokens
        categories = self.texts if self.model.warm_up_steps else None
        return self.of(
            "pictures",
            model=self.model,
            images=self.images,
            categories=categories,
            visual_tokens=visual_tokens,
            class_words=class_words_hash(),
            **features_version(self.model),
        )

    def learned(self) -> str:
        """Of what was learned and seen of the pictures, which is kept when the catalogue changes."""
        recipe = self.recipe
        return artefacts.key(
            model=self.model,
            seed=recipe.seed,
            visual_tokens=recipe.summarize.visual_tokens,
            class_words=class_words_hash(),
            **features_version(self.model),
        )

    def tune(self, retune: bool) -> str:
        """Of the tuned policy, which is for items to come and so is kept when the catalogue changes.

        Args:
            retune: Do not keep it where the catalogue has changed since it was tuned.
        """
        recipe, settings = self.recipe, self.recipe.summarize
        made_from: dict[str, Any] = {
            "settings": settings.model_dump(exclude=unused(settings)),
            "prompts": prompts.ASKED,
            "model": self.model,
            "seed": recipe.seed,
        }
        first = artefacts.key(part="tune", version=1, **made_from)
        again = artefacts.key(part="tune", version=1, data=self.catalogue, **made_from)
        if self.tuned_on_other_data():
            return again if retune else first
        return again if artefacts.is_current(self.run_folder.folder / "tune", again) else first

    def tuned_on_other_data(self) -> bool:
        """Whether the policy was tuned before the catalogue was as it is; also true where none was tuned."""
        return artefacts.inputs_of(self.run_folder.folder / "tune").get("data") != self.catalogue

    def summarize(self, part: str, tuned: bool) -> str:
        """Of the keywords.

        Args:
            part: "summarize" or "summarize-untuned".
            tuned: Whether the tuned policy writes them.
        """
        pictures = self.run_folder.recorded("pictures")
        return self.of(part, made_by=self.summarized_by(tuned), texts=self.texts, pictures=pictures)

    def summarized_by(self, tuned: bool) -> str:
        """Of how keywords are made, whatever the items: what the ranker was trained to read."""
        settings = self.recipe.summarize
        policy: dict[str, Any] = {"policy": self.run_folder.recorded("tune")} if tuned else {}
        if shown_native(self.recipe.model, settings):
            policy["pictures"] = "native"
        used_settings = settings.model_dump(exclude={"tune", *unused(settings)})
        instruction = prompts.instruction_for(settings.model)
        texts = (*prompts.ASKED, instruction) if instruction else prompts.ASKED
        return artefacts.key(settings=used_settings, prompts=texts, learned=self.learned(), **policy)

    def content(self) -> str:
        """Of the states of the items, which the seed does not change."""
        return artefacts.key(part=CONTENT_PART, version=1, **self._items())

    def _items(self) -> dict[str, Any]:
        """What a model is told of the items, and which model tells it."""
        item_settings = self.run_folder.recommend_settings("whole").model_dump(include=ITEM_SETTINGS)
        items: dict[str, Any] = {"told": item_settings, "model": self.model, "texts": self.texts}
        return items | {part_name: self.run_folder.recorded(part_name) for part_name in ("pictures", "summarize")}

    def encoder(self, split: Part, name: EncoderName, refit: bool = False) -> str:
        """Of a sequence model, stage 2's encoder among them."""
        part, settings = self.run_folder.encoder_part(split, name, refit), set(EncoderSettings.model_fields)
        items: dict[str, Any] = {}
        if name in CONTENT_ENCODERS:
            items = self._items()
        else:
            settings -= {"content_size", "id_dropout"}
        if name not in ITEM_TOKENS:
            settings.remove("body_learning_rate")
        if name != SPEEDER_STYLE:
            settings -= {"picture_size", "modality_dropout", "order_weight"}
        evaluate = self.recipe.evaluate
        trained = encoder_settings(self.recipe.retrieve, evaluate.baselines, name).model_dump(include=settings)
        if name != self.recipe.retrieve.encoder and searched(name, evaluate):
            items["search"] = [evaluate.tune_baselines, space_of(name), VERSION]
        valid = self.run_folder.split(split).valid
        if valid.allow_seen or valid.repeated.any():  # what decides when training stops
            items["repeat_consumption"] = evaluate.repeat_consumption
        if split == OWN_SPLIT:
            items["user_parts"] = self.run_folder.user_parts
        passes = self.run_folder.encoder(self.run_folder.chosen_on, name).best_pass if split == EVERYTHING else None
        return self.of(part, settings=trained, log=self.log, items=items, passes=passes)

    def held_out_encoder(self, split: Part, name: EncoderName, folds: int) -> str:
        """Of a sequence model that does not see the users whose prompts train the language model."""
        whole = self.run_folder.recorded(self.run_folder.encoder_part(split, name))
        return self.of(held_out_part(split, name), whole=whole, folds=folds)

    def recommend(self, split: Part, variant: str) -> str:
        """Of a variant's adapter."""
        run_folder, changes = self.run_folder, variant_named(variant)
        made_from: dict[str, Any] = {
            "model": self.model,
            "texts": self.texts,
            "summarize": run_folder.recorded(run_folder.summaries(variant)),
            "retrieve": run_folder.recorded(f"retrieve/{split}"),
            "asked": search_settings(self.recipe.retrieve),
            "training_plan": TRAINING_PLAN,
        }
        if changes.retrieve:
            encoder = run_folder.recorded(run_folder.encoder_part(split, run_folder.retrieval_encoder(variant)))
            made_from["retrieve"] = artefacts.key(own=made_from["retrieve"], changed=changes.retrieve, encoder=encoder)
        if sources := run_folder.recommend_settings(variant).soft.sources:
            parts = [run_folder.encoder_part(split, name) for name in sources]
            parts += [held_out_part(split, name) for name in sources]
            made_from["soft"] = [run_folder.recorded(part) for part in parts]
        if run_folder.recommend_settings(variant).hard_negatives:
            made_from["hard_negatives"] = HARD_NEGATIVES
        if changes.teacher:
            made_from["teacher"] = run_folder.recorded(adapter_part(split, changes.teacher))
        return self.of(adapter_part(split, variant), settings=used(run_folder.recommend_settings(variant)), **made_from)

    def msr(self, split: SplitName, words: tuple[str, ...]) -> str:
        """Of the model behind the row of MLLM-MSR.

        Args:
            split: What it is trained on.
            words: All the words of its prompts.
        """
        recipe = self.recipe
        made_from = {name: self.run_folder.recorded(name) for name in ("pictures", f"retrieve/{split}")}
        msr_settings, training_plan = recipe.evaluate.mllm_msr, TRAINING_PLAN
        return self.of(
            msr_part(split),
            model=self.model,
            texts=self.texts,
            settings=used(recipe.recommend),
            msr=msr_settings,
            prompts=words,
            training_plan=training_plan,
            **made_from,
        )


def used(settings: RecommendSettings) -> dict[str, Any]:
    """The settings of stage 3 without those that joined later and are off, so that older adapters stay current."""
    soft: set[str] = set() if settings.soft.alone else {"alone"}
    top = {"score": True} if settings.score == "answer" else {}
    return settings.model_dump(mode="json", exclude={"soft": soft, **top})


def features_version(model: ModelSettings) -> dict[str, int]:
    """What tells features of pictures from those that were kept before deepstack features went along.

    The embedded model has none, and its features are what they were.
    """
    return {} if model.whole.name == "embedded" else {"features": FEATURES_VERSION}


def shown_native(model: ModelSettings, settings: SummarizeSettings) -> bool:
    """Whether stage 1 is to show pictures in the model's own way, where the model has one."""
    of_this_process = settings.model is None and model.whole.name != "embedded"
    return of_this_process and settings.pictures and settings.picture_form != "averaged" and settings.tune is None


def unused(settings: SummarizeSettings) -> set[str]:
    """Settings that change nothing as the others are; `shown_native` says how pictures are shown."""
    local = {"model"} if settings.model is None else {"eye_words"}  # no classifier answers for another model
    local.add("picture_form")
    if settings.keyword_cost is not None:
        return local
    words = {"keyword_cost", "embedding_model"}
    return local | words if settings.tune else local | words | {"categories"}


def search_settings(settings: RetrieveSettings) -> dict[str, Any]:
    """What is asked of an encoder that is trained; which exact search answers makes no difference.

    A setting that joined later and is off is left out, so that older adapters stay current.
    """
    left_out: set[str] = set() if settings.index in APPROXIMATE else {"index"}
    if settings.rows_per_user is None:
        left_out.add("rows_per_user")
    return settings.model_dump(exclude={*left_out, *EncoderSettings.model_fields})
