"""Questions for recommendations, and their answers."""

from typing import Annotated, Literal

from pydantic import Field

from mmsrarec.serve.schema import schema_examples
from mmsrarec.serve.schema.limits import (
    MAX_BOOSTS,
    MAX_HISTORY,
    MAX_IDS,
    MAX_PINNED,
    Answered,
    Asked,
    Categories,
    Count,
    Id,
    Keywords,
    with_examples,
)

Origin = Literal["warm", "session", "cold", "fallback"]
"""How an answer came about.

warm: by the past that the run knows of this user, and their events since. session: by events or a history of somebody
whom the run does not know. cold: nothing is known, so items that many choose are proposed. fallback: something was
given, and none of it is known to the run; the answer is that of somebody of whom nothing is known.
"""
Boost = Annotated[float, Field(ge=-5, le=5)]


class RecommendAsked(Asked):
    """For whom, how many, and of what."""

    model_config = with_examples(schema_examples.QUESTION, schema_examples.SESSION)

    user: Id | None = Field(default=None, description="a user id; with `history`, what the user did just now")
    history: list[Id] | None = Field(
        default=None, max_length=MAX_HISTORY, description="item ids, oldest first; unknown ones are skipped and listed"
    )
    k: Count = Field(default=10, description="how many items; fewer come where fewer are left")
    among: list[Id] | None = Field(default=None, max_length=MAX_IDS, description="only these items")
    exclude: list[Id] = Field(default_factory=list, max_length=MAX_IDS, description="not these items")
    categories: Categories | None = Field(default=None, description="only items of one of these categories")
    exclude_categories: Categories = Field(default_factory=list, description="no items of these categories")
    more: Keywords = Field(default_factory=list, description="keywords that are asked for")
    less: Keywords = Field(default_factory=list, description="keywords that are to be spared")
    allow_seen: bool | None = Field(
        default=None, description="whether items that they had may come again; as the run was evaluated unless given"
    )
    reasons: bool = Field(default=True, description="whether to measure what carried each item, which takes longer")
    pinned: list[Id] = Field(default_factory=list, max_length=MAX_PINNED, description="items that stand first")
    boosts: dict[Id, Boost] = Field(
        default_factory=dict, max_length=MAX_BOOSTS, description="log-odds that items gain or lose, in [-5, 5]"
    )
    max_per_category: Count | None = Field(
        default=None, description="items of one category, at most; an item counts by its first one"
    )
    one_per_product: bool = Field(default=False, description="whether variants of one product count as one item")


class ReasonAnswered(Answered):
    """One measured reason.

    Attributes:
        kind: What spoke for the item, such as "history", "similar", "keywords" or "ranker".
        items: Ids of the items that it names.
        words: Keywords that it names.
        weight: How far the score falls without it.
        text: The sentence; empty where the kind has no words for a shopper.
    """

    kind: str
    items: list[str]
    words: list[str]
    weight: float
    text: str


class ItemRanked(Answered):
    """One recommended item: the fields of `runs.answers.recommendations.Recommendation`, with its rank from 1."""

    rank: int
    item_id: str
    title: str
    score: float
    probability: float | None
    keywords: list[str]
    because: list[str]
    reasons: list[ReasonAnswered]
    pinned: bool = False


class RecommendAnswered(Answered):
    """The best items, and how the answer came about."""

    model_config = with_examples(schema_examples.ANSWER)

    origin: Origin
    run: str = Field(description="the run that answers")
    items: list[ItemRanked]
    left_out: list[str] = Field(description="ids of the history that the run does not know")
    notes: list[str] = Field(description="what else should be known of the answer, a sentence each")
    cached: bool = Field(default=False, description="whether the answer was kept from an equal question")


class SimilarAsked(Asked):
    """Items whose neighbours are wanted."""

    model_config = with_examples(schema_examples.NEAR)

    items: list[Id] = Field(min_length=1, max_length=100, description="item ids")
    k: Count = Field(default=10, description="how many near items of each")


class SimilarItem(Answered):
    """An item near to another."""

    item_id: str
    similar_item_id: str
    title: str
    rank: int
    score: float = Field(description="the cosine of vectors, or the share of common keywords; higher is nearer")
    by: str = Field(description="the sequence model whose vectors are compared, or keywords")


class SimilarAnswered(Answered):
    """The nearest items of each item."""

    model_config = with_examples({"items": [schema_examples.SIMILAR], "unknown": []})

    items: list[SimilarItem]
    unknown: list[str] = Field(description="ids that are no items, or of which nothing can be compared")
