"""Variants of stage 3 by name: plain fine-tuning and the ablations, each as its changes to the recipe.

A new variant is a line in `VARIANTS`, such as
`"no titles": Variant(prompt_fields={"titles": False}, settings={"learning_rate": 1e-4})`. Named in
`evaluate.ablations` it is trained, measured and reported. "history 3" and "k 5" are variants too, for any number, so
the sweeps of figure 3 (arXiv 2512.20916) are ablations like others; "packs 4800" is a point of the learning curve.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from mmsrarec.errors import RecipeError
from mmsrarec.recommend.settings import PromptFields, RecommendSettings, Tasks
from mmsrarec.retrieve.settings import RetrieveSettings


@dataclass(frozen=True)
class Variant:
    """What a variant changes of the recipe. A setting that it does not name stays as the recipe has it.

    Attributes:
        prompt_fields: Switches of `PromptFields`.
        settings: Other fields of `RecommendSettings`.
        soft: Fields of `SoftTokens`; None: no soft tokens.
        retrieve: Fields of `RetrieveSettings` that choose the similar users, such as the encoder.
        keywords: "tuned": those of the tuned policy; "untuned": of stage 1 without its reinforcement learning;
            "exchanged": each item has the keywords of another item.
        trained: Whether an adapter is trained; otherwise the backbone ranks as it is.
        teacher: Variant whose scores are distilled beside the own loss.
    """

    prompt_fields: Mapping[str, bool] = field(default_factory=dict[str, bool])
    settings: Mapping[str, Any] = field(default_factory=dict[str, Any])
    soft: Mapping[str, Any] | None = field(default_factory=dict[str, Any])
    retrieve: Mapping[str, Any] = field(default_factory=dict[str, Any])
    keywords: Literal["tuned", "untuned", "exchanged"] = "tuned"
    trained: bool = True
    teacher: str | None = None

    def applied(self, settings: RecommendSettings) -> RecommendSettings:
        """The recipe's settings of stage 3 with the variant's changes."""
        prompt_fields = settings.prompt_fields.model_dump() | dict(self.prompt_fields)
        soft = {} if self.soft is None else settings.soft.model_dump() | dict(self.soft)
        return RecommendSettings.model_validate(
            settings.model_dump() | dict(self.settings) | {"prompt_fields": prompt_fields, "soft": soft}
        )

    def retrieval_settings(self, settings: RetrieveSettings) -> RetrieveSettings:
        """The recipe's settings of stage 2 with the variant's changes."""
        return RetrieveSettings.model_validate(settings.model_dump() | dict(self.retrieve))


def _only(*names: str) -> dict[str, bool]:
    return {name: name in names for name in PromptFields.model_fields}


def _without(*names: str) -> Variant:
    return Variant(prompt_fields=dict.fromkeys(names, False))


WORDS_ALONE = "without soft tokens"
"""The variant whose prompts need no sequence model but stage 2's."""
VARIANTS: dict[str, Variant] = {
    "whole": Variant(),
    "titles": Variant(prompt_fields=_only("titles"), soft=None),
    "titles and pictures": Variant(prompt_fields=_only("titles", "pictures"), soft=None),
    WORDS_ALONE: Variant(soft=None),
    "shuffled soft tokens": Variant(soft={"shuffled": True}),
    "without words": Variant(prompt_fields=_only(), settings={"history": 1, "similar_items": 0}),
    "without pictures": _without("image_keywords", "pictures"),
    "without texts": _without("text_keywords", "descriptions"),
    "without stage 1": _without("text_keywords", "image_keywords"),
    "without stage 2": _without("similar", "similar_keywords", "transitions", "neighbour_votes", "follows"),
    "without counts in words": _without("neighbour_votes", "follows", "popularity", "recency", "trend"),
    "collaborative keywords": Variant(prompt_fields={"similar": False, "similar_keywords": True}),
    "items and keywords": Variant(prompt_fields={"similar": True, "similar_keywords": True}),
    "with transitions": Variant(prompt_fields={"transitions": True}),
    "with follows in words": Variant(prompt_fields={"follows": True}),
    "with recency in words": Variant(prompt_fields={"recency": True}),
    "with trend in words": Variant(prompt_fields={"trend": True}),
    "without rare votes": _without("rare_votes"),
    "raw descriptions": Variant(prompt_fields={"text_keywords": False, "image_keywords": False, "descriptions": True}),
    "untuned keywords": Variant(keywords="untuned"),
    "random keywords": Variant(keywords="exchanged"),
    "yes or no alone": Variant(settings={"loss": "yesno", "score": "answer"}),
    "softmax alone": Variant(settings={"loss": "softmax"}),
    "LambdaRank alone": Variant(settings={"loss": "lambda"}),
    "span score alone": Variant(settings={"score": "span", "loss": "softmax"}),
    "invarirank-style": Variant(
        prompt_fields=_only("titles"),
        soft=None,
        settings={"score": "span", "loss": "lambda", "tasks": dict.fromkeys(Tasks.model_fields, 0.0)},
    ),
    "soft prompt alone": Variant(
        prompt_fields=_only("titles"), soft={"sources": ("sasrec",), "alone": True}, settings={"similar_items": 0}
    ),
    "stage 2 with GRU4Rec": Variant(retrieve={"encoder": "gru4rec"}),
    "without multi-task": Variant(settings={"tasks": dict.fromkeys(Tasks.model_fields, 0.0)}),
    "small": Variant(settings={"layers": 8, "first_layer": 0}, teacher="whole"),  # by benchmarks/backbone.py
    "untrained": Variant(
        settings={"layers": None}, soft=None, trained=False
    ),  # needs all its layers: it was not trained on fewer
    "untrained titles": Variant(prompt_fields=_only("titles"), settings={"layers": None}, soft=None, trained=False),
}
"""Name to variant. "titles" and "titles and pictures" are plain fine-tuning, the others are ablations. "collaborative
keywords" gives the model the context of the paper. "untrained titles" is zero-shot; "untrained" also shows the whole
prompt, with what similar users consumed next.
"""


SWEEPS = {"history": "items of history in the prompt", "k": "similar users asked", "packs": "training packs"}
"""Name of a setting that can be swept, and what it counts."""


def variant_named(name: str) -> Variant:
    """The variant of a name.

    Args:
        name: A key of `VARIANTS`, or a point of a sweep such as "k 5".

    Returns:
        The variant.

    Raises:
        RecipeError: There is no such variant.
    """
    if (point := sweep_of(name)) is not None:
        setting, count = point
        changes = {"history": Variant(settings={"history": count}), "packs": Variant(settings={"n_examples": count})}
        return changes.get(setting) or Variant(retrieve={"k": count})
    if name not in VARIANTS:
        variants = ", ".join([*VARIANTS, *(f'"{setting} N"' for setting in SWEEPS)])
        raise RecipeError(f'unknown variant "{name}": choose from {variants}')
    return VARIANTS[name]


def sweep_of(name: str) -> tuple[str, int] | None:
    """The setting and the value of a point of a sweep: ("k", 5) of "k 5"; None where the name is none."""
    match = re.fullmatch(rf"({'|'.join(SWEEPS)}) ([1-9]\d{{0,7}})", name)
    if match is None or (match[1] != "packs" and len(match[2]) > 2):
        return None
    return match[1], int(match[2])
