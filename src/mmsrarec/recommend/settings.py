"""Settings of stage 3. Free of torch, so that recipes can be read without it."""

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from mmsrarec.models.backbone.settings import LayerSelection
from mmsrarec.retrieve.settings import EncoderName


class PromptFields(BaseModel):
    """What a prompt shows. Each switch is an ablation: turned off, it removes exactly its signal."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    titles: bool = Field(default=True, description="titles of history, similar users' items and candidates")
    text_keywords: bool = Field(default=True, description="stage 1's keywords of the texts")
    image_keywords: bool = Field(default=True, description="stage 1's keywords of the pictures")
    pictures: bool = Field(default=True, description="the candidate's picture itself, as visual tokens")
    similar: bool = Field(default=True, description="items that similar users consumed next (stage 2)")
    neighbour_votes: bool = Field(
        default=True, description="in words, how many similar users consumed the candidate next [extension]"
    )
    popularity: bool = Field(
        default=True, description="in words, how many users consumed the candidate before [extension]"
    )
    similar_keywords: bool = Field(
        default=False,
        description="keywords of the items that similar users consumed next, by weight and rarity: the paper's context",
    )
    transitions: bool = Field(
        default=False,
        description="items that others consumed soon after the last items of the history, as a second source of the "
        "items or keywords of similar users, or of both [extension]",
    )
    follows: bool = Field(
        default=False,
        description="in words, how often the candidate was consumed soon after the last items [extension]",
    )
    recency: bool = Field(default=False, description="in words, when the candidate was last consumed [extension]")
    trend: bool = Field(
        default=False, description="in words, whether the popularity of the candidate is rising [extension]"
    )
    rare_votes: bool = Field(
        default=True,
        description="also items and keywords of fewer than k_anonymity similar users; reasons never name those",
    )
    descriptions: bool = Field(
        default=False,
        description="the item's own text, cut to description_tokens, in place of keywords: an ablation",
    )


class Tasks(BaseModel):
    """The tasks of writing keywords that are trained beside choosing: their examples as a share of the packs."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    foresee: float = Field(default=0.15, ge=0, le=20, description="history and context -> keywords of the next item")
    recognise: float = Field(default=0.15, ge=0, le=20, description="title and picture of an item -> its keywords")
    profile: float = Field(default=0.15, ge=0, le=20, description="history -> keywords that describe the user best")


class SoftTokens(BaseModel):
    """Vectors of sequence models in the prompt, one token an item [extension] (CoLLM, arXiv 2310.19488)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sources: tuple[EncoderName, ...] = Field(
        default=(), description="sequence models whose vectors enter the prompt; none: words alone"
    )
    history: int = Field(default=20, ge=0, le=50, description="newest items of the history that have a soft token")
    candidates: bool = Field(default=True, description="whether each candidate has a soft token")
    user: bool = Field(default=True, description="whether the user's state has a soft token")
    shuffled: bool = Field(default=False, description="the control: the vectors are exchanged among the items")
    hidden: int = Field(default=1152, ge=1, le=16384, description="width of the inner layer of the learned map")
    learning_rate: float = Field(default=1e-3, gt=0, lt=1, description="peak learning rate of the learned map")
    folds: int = Field(
        default=4,
        ge=2,
        le=20,
        description="the users are cut into so many parts; the training prompts are those of one part, and their "
        "vectors come from models that never saw it, so that no state knows its target",
    )
    alone: bool = Field(
        default=False,
        description="only the map is trained and the language model stays as it is: soft prompts without an adapter "
        "[extension]",
    )

    @model_validator(mode="after")
    def _something_is_trained(self) -> Self:
        if self.alone and not self.sources:
            raise ValueError("alone trains soft tokens and nothing else: name their sources")
        return self


class RecommendSettings(BaseModel):
    """How the ranking model is prompted, tuned and run."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    prompt_fields: PromptFields = PromptFields()
    history: int = Field(default=5, ge=1, le=50, description="items of history in a prompt, the newest (the paper's n)")
    similar_items: int = Field(
        default=5, ge=0, le=50, description="items that similar users consumed next, in a prompt"
    )
    similar_tokens: int = Field(
        default=48, ge=0, le=1024, description="tokens of the keywords of similar users' next items, in a prompt"
    )
    k_anonymity: int = Field(
        default=5,
        ge=1,
        le=1000,
        description="distinct similar users behind an item or a keyword that a reason names, at least",
    )
    transition_window: int = Field(
        default=4, ge=1, le=20, description="how many interactions count as soon after, and how many items as the last"
    )
    item_keywords: int = Field(default=5, ge=1, le=20, description="keywords of one item in a prompt")
    title_tokens: int = Field(default=16, ge=4, le=64, description="tokens of a title in a prompt; the rest is cut")
    description_tokens: int = Field(
        default=24, ge=1, le=512, description="tokens of a description in a prompt, where descriptions are shown"
    )
    visual_tokens: int = Field(default=1, ge=1, le=49, description="visual tokens of a candidate's picture")
    n_examples: int = Field(
        default=1500, ge=1, description="training examples: one query with its positive and its negatives"
    )
    negatives: int = Field(
        default=7, ge=1, le=63, description="negatives in a training pack, items that the user never consumed"
    )
    preference_rate: float = Field(
        default=0.25,
        ge=0,
        le=1,
        description="share of training packs whose user wants more or less of something, so that the model obeys "
        "--more and --less [extension]",
    )
    new_negatives: Literal["matched", "uniform"] = Field(
        default="matched",
        description="negatives that nobody had consumed before their query. matched: as many as among positives, so "
        "that being new tells nothing [extension]; uniform: drawn from the catalogue, with items of the future "
        "(published)",
    )
    hard_negatives: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="how likely a negative is one of the 100 items that the encoder of stage 2 ranks highest for the "
        "query, or the first source of soft tokens; the loss allows for it. The rest are uniform [extension]",
    )
    recency_power: float = Field(
        default=0.0,
        ge=0,
        le=20,
        description="how much more often late queries are trained on: the one at share x of a history as often as "
        "x**recency_power; test queries stand at the end [extension]",
    )
    cold_item_rate: float = Field(
        default=0.15,
        ge=0,
        le=1,
        description="share of candidates that training shows as if nobody had consumed them yet, so that new items are "
        "ranked by their content (DropoutNet, Volkovs et al. 2017) [extension]",
    )
    score: Literal["answer", "span"] = Field(
        default="answer",
        description="answer: the log-odds of yes (published); span: the mean log-likelihood of the candidate's own "
        "words, which needs the loss softmax or lambda (InvariRank, arXiv 2604.27599) [extension]",
    )
    loss: Literal["yesno", "softmax", "both", "lambda"] = Field(
        default="both",
        description="yesno: cross-entropy of the answer (published); softmax over the pack [extension]; their sum; "
        "lambda: LambdaRank over the pack [extension]",
    )
    tasks: Tasks = Tasks()
    soft: SoftTokens = SoftTokens()
    learning_rate: float = Field(default=1e-3, gt=0, lt=1, description="peak learning rate of AdamW")
    batch_size: int = Field(default=8, ge=1, le=256, description="packs in a step")
    validations: int = Field(
        default=0,
        ge=0,
        le=1000,
        description="how often training is validated, evenly spread; the weights of the best validation are kept. 0: "
        "never, the last weights are kept",
    )
    patience: int = Field(
        default=3, ge=1, description="validations that are no better after which training stops, where it is validated"
    )
    rank: int = Field(default=8, ge=1, le=256, description="rank of the LoRA adapter")
    epochs: int = Field(default=1, ge=1, le=100, description="times that every pack is trained on")
    layers: int | None = Field(
        default=None, ge=1, description="layers of the language model that rank; not set: all [extension]"
    )
    layer_selection: LayerSelection = Field(
        default="lowest", description="which layers rank: the lowest, or evenly spaced ones [extension]"
    )
    first_layer: int = Field(
        default=18, ge=0, description="LoRA sits on this layer and those above; the backward ends here"
    )

    @model_validator(mode="after")
    def _a_span_has_no_answer(self) -> Self:
        if self.score == "span" and self.loss in ("yesno", "both"):
            raise ValueError(
                f'a span has no yes or no, which the loss "{self.loss}" needs: set loss to softmax or lambda'
            )
        return self
