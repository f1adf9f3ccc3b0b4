"""Settings of stage 1; free of torch, so that a recipe can be read without it."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from mmsrarec.models.vision.native_processor import NATIVE_FAMILIES


class TuneSettings(BaseModel):
    """The tuning of the summarising policy: a warm start on the best of n samples, then GRPO.

    Each field's description holds its unit and meaning. What the paper leaves open is marked [extension].
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    form: Literal["bounded", "published"] = Field(
        default="bounded",
        description="published: the paper's formulas as they stand; bounded [extension]: see rewards.py",
    )
    conditioning: Literal["title", "nothing"] = Field(
        default="title", description="what a reader has without the keywords; later prompts show the title anyway"
    )
    shared_by: int = Field(
        default=3,
        ge=1,
        description="items whose texts must hold a keyword's words for it to count: a name in one item shows no taste",
    )
    information: float = Field(default=1.0, ge=0, description="alpha: weight of the information reward")
    reconstruction: float = Field(default=0.5, ge=0, description="beta: weight of the reconstruction reward")
    length: float = Field(
        default=0.12,
        ge=0,
        description="gamma: weight of the length reward; published: about 0.02, as it counts keywords",
    )
    image: float = Field(default=0.25, ge=0, description="weight of the image information reward [extension]; 0: none")
    embedding_model: str = Field(default="embedded", description='sentence embedding: "embedded", or a name or folder')
    language_model: str = Field(
        default="embedded", description='P of the reconstruction: "embedded" (the untuned model itself), or a name'
    )
    items: int = Field(default=200, ge=1, description="items of each modality that are tuned on, at most")
    held_out: float = Field(default=0.2, gt=0, lt=1, description="share of the items kept out of tuning")
    held_out_items: int = Field(default=100, ge=1, description="held-out items of each modality measured, at most")
    samples: int = Field(default=4, ge=0, le=64, description="answers of the untuned model to choose from; 0: no start")
    epochs: int = Field(default=3, ge=1, description="passes over the chosen answers")
    steps: int = Field(default=40, ge=0, description="GRPO steps after the warm start; 0: none")
    prompts: int = Field(default=4, ge=1, le=256, description="prompts in a GRPO step")
    group: int = Field(default=8, ge=2, le=64, description="answers to a prompt that are compared with each other")
    temperature: float = Field(default=0.9, gt=0, le=2, description="of all sampling")
    kl: float = Field(default=0.0, ge=0, description="weight of the KL divergence from the warm-started policy")
    warm_start_learning_rate: float = Field(
        default=1e-3, gt=0, lt=1, description="peak learning rate of the warm start"
    )
    learning_rate: float = Field(default=2e-4, gt=0, lt=1, description="peak learning rate of GRPO")
    rank: int = Field(default=16, ge=1, le=256, description="rank of the LoRA adapter")
    first_layer: int = Field(default=10, ge=0, description="LoRA sits on this layer of the language model and above")


class SummarizeSettings(BaseModel):
    """The settings of stage 1: the questions about an item, and how much of an answer is kept."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str | None = Field(
        default=None,
        min_length=1,
        max_length=300,
        description='model that an engine other than "local" asks, such as "Qwen/Qwen2.5-VL-7B-Instruct", or '
        '"embedded"; not set: the recipe\'s own model, in this process',
    )
    texts: bool = Field(default=True, description="ask about title, description and categories; off: an ablation")
    pictures: bool = Field(default=True, description="ask about the picture; off: an ablation")
    visual_tokens: int = Field(
        default=9, ge=1, le=4096, description="tokens a picture is shown as; a square keeps the grid"
    )
    picture_form: Literal["auto", "averaged", "native"] = Field(
        default="auto",
        description="how stage 1 shows a picture. native: in the model's own way, with tiles and marks; averaged: as "
        "visual_tokens tokens; auto: native where the model has such a way and its summaries are not tuned",
    )
    eye_words: bool = Field(
        default=True,
        description="the vision encoder's own classifier answers about a picture where it is surer than the model; "
        "only the embedded model has such a classifier [extension]",
    )
    text_budget: int = Field(
        default=160, ge=8, le=8192, description="tokens of an item's text that are read, from its start"
    )
    max_keywords_text: int = Field(default=6, ge=1, le=32, description="keywords kept from the answer about the text")
    max_keywords_image: int = Field(
        default=4, ge=1, le=32, description="keywords kept from the answer about the picture"
    )
    max_new_tokens_text: int = Field(
        default=28, ge=1, le=512, description="tokens of the answer about the text, at most"
    )
    max_new_tokens_image: int = Field(
        default=12, ge=1, le=512, description="tokens of the answer about the picture, at most"
    )
    language: str = Field(
        default="auto",
        description="ISO 639 code of the catalogue's language (\"de\"); auto: detected from each item's words",
    )
    categories: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="share of an item's information that its categories make, in keyword_cost and in tuning; the "
        "rest is its whole text: categories are what items share, and long texts outweigh them [extension]",
    )
    keyword_cost: float | None = Field(
        default=None,
        ge=0,
        lt=1,
        description="information (a cosine) that four letters of a text keyword, about a token, must bring; the most "
        "informative come first, the others are dropped; not set: all keywords in the model's order [extension]",
    )
    embedding_model: str = Field(
        default="embedded", description='sentence embedding of keyword_cost: "embedded", or a name or folder'
    )
    tune: TuneSettings | None = Field(
        default=None, description="tune the policy before it summarizes; not set: the model as it is"
    )

    @model_validator(mode="after")
    def _tuned_as_shown(self) -> "SummarizeSettings":
        """Refuse a tuning that would see pictures otherwise than summarizing does."""
        if self.picture_form == "native" and self.tune is not None:
            raise ValueError(
                'tuning sees pictures as averaged tokens: leave picture_form = "native" out, or summarize.tune'
            )
        return self

    def is_native(self, family: str) -> bool:
        """Whether pictures are shown in the model's own way, where the model has one.

        Args:
            family: The model_type of the model.
        """
        if self.picture_form == "averaged" or self.tune is not None:
            return False
        return self.picture_form == "native" or family in NATIVE_FAMILIES

    @field_validator("language")
    @classmethod
    def _known(cls, language: str) -> str:
        """Refuse a language that has neither a stemmer, filler words nor a script here."""
        if language == "auto":
            return language
        from mmsrarec.summarize.language.lexicon import known_languages

        if language not in known_languages():
            known = ", ".join(sorted(known_languages()))
            raise ValueError(f'nothing is known about the language "{language}": give "auto" or one of {known}')
        return language
