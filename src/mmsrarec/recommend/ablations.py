"""Variants of stage 3 by name: plain fine-tuning and the ablations, each as what it changes of the recipe.

A new one is a line in VARIANTS: `"its name": Variant(shows={"titles": False}, settings={"lr": 1e-4})`. Named in
`evaluate.ablations` it is trained, measured and reported. "history 3" and "k 5" are variants too, for any number: so
the paper's sweeps (its figure 3) are ablations like others.
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
    """shows: switches of `PromptFields`; settings: other fields of `RecommendSettings`; retrieve: fields of
    `RetrieveSettings` that say who is asked, the encoder among them; what is named nowhere stays as the recipe has it.
    keywords: of the tuned policy, of the untuned one (stage 1 without its RL), or each item's taken from another item.
    trained: with an adapter; without, the model is asked as it is. teacher: the variant whose scores are learned beside
    the own loss.
    """

    prompt_fields: Mapping[str, bool] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    retrieve: Mapping[str, Any] = field(default_factory=dict)
    keywords: Literal["tuned", "untuned", "exchanged"] = "tuned"
    trained: bool = True
    teacher: str | None = None

    def applied(self, settings: RecommendSettings) -> RecommendSettings:
        """The recipe's settings with what the variant changes."""
        prompt_fields = settings.prompt_fields.model_dump() | dict(self.prompt_fields)
        return RecommendSettings.model_validate(
            settings.model_dump() | dict(self.settings) | {"prompt_fields": prompt_fields}
        )

    def asks(self, settings: RetrieveSettings) -> RetrieveSettings:
        """Stage 2's settings with what the variant changes."""
        return RetrieveSettings.model_validate(settings.model_dump() | dict(self.retrieve))


def _only(*shown: str) -> dict[str, bool]:
    return {name: name in shown for name in PromptFields.model_fields}


def _without(*hidden: str) -> Variant:
    return Variant(prompt_fields=dict.fromkeys(hidden, False))


VARIANTS: dict[str, Variant] = {
    "whole": Variant(),
    "titles": Variant(prompt_fields=_only("titles")),
    "titles and pictures": Variant(prompt_fields=_only("titles", "pictures")),
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
    "without lone voices": _without("rare_votes"),
    "raw descriptions": Variant(prompt_fields={"text_keywords": False, "image_keywords": False, "descriptions": True}),
    "untuned keywords": Variant(keywords="untuned"),
    "random keywords": Variant(keywords="exchanged"),
    "yes or no alone": Variant(settings={"loss": "yesno"}),
    "softmax alone": Variant(settings={"loss": "softmax"}),
    "stage 2 with GRU4Rec": Variant(retrieve={"encoder": "gru4rec"}),
    "without multi-task": Variant(settings={"tasks": dict.fromkeys(Tasks.model_fields, 0.0)}),
    "small": Variant(settings={"layers": 8, "first_layer": 0}, teacher="whole"),  # by benchmarks/backbone.py
    "untrained": Variant(settings={"layers": None}, trained=False),  # cut short, an untuned model is no model
}
"""What a variant changes. "titles" and "titles and pictures" are plain fine-tuning, the others are ablations; with
"collaborative keywords" stage 2 speaks as in the paper."""


SWEEPS = {"history": "items of history in the prompt", "k": "similar users asked"}
"""What can be swept, and what is counted."""


def variant_named(name: str) -> Variant:
    """Raises MmsrarecError for a name that is no variant."""
    if (swept := sweep_of(name)) is not None:
        what, count = swept
        return Variant(settings={"history": count}) if what == "history" else Variant(retrieve={"k": count})
    if name not in VARIANTS:
        known = ", ".join([*VARIANTS, *(f'"{what} N"' for what in SWEEPS)])
        raise RecipeError(f'unknown variant "{name}": choose from {known}')
    return VARIANTS[name]


def sweep_of(name: str) -> tuple[str, int] | None:
    """("k", 5) of "k 5"; None where the name is no point of a sweep."""
    found = re.fullmatch(rf"({'|'.join(SWEEPS)}) ([1-9]\d?)", name)
    return None if found is None else (found[1], int(found[2]))
