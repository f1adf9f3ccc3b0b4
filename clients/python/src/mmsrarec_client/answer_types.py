"""The types of answers, and of the parts of questions.

Made from the server's OpenAPI description by scripts/client_from_openapi.py; changes here are lost.
"""

from typing import Literal, NotRequired, TypedDict


class Document(TypedDict):
    """A document as an object: an id of an item, a text, or both."""

    id: NotRequired[str | int | None]
    text: NotRequired[str | None]


class ErasureAnswered(TypedDict):
    """The receipt of an erasure; it holds no id of a user.

    Attributes:
        events: Events that were erased.
        run: Whether files of the runs or their data held the user: erased from them, or never there.
        notes: What else happened, and what is left to do here.
        not_reached: What an erasure cannot reach, and the command that does.
    """

    receipt: str
    time: int
    events: int
    run: Literal["erased", "absent"]
    notes: list[str]
    not_reached: list[str]


class EventAsked(TypedDict):
    """One thing that a user did.

    Attributes:
        time: Seconds since 1970; now unless given.
        key: Of one user, the same key is counted once; keys of other users do not count.
    """

    user: str | int
    item: str | int
    kind: NotRequired[Literal["view", "click", "like", "cart", "purchase", "not_interested"]]
    time: NotRequired[int | None]
    key: NotRequired[str | int | None]


class EventsAnswered(TypedDict):
    """What became of events. They are on the disk when this is answered.

    Attributes:
        duplicates: Events whose key the same user sent before.
        unknown_items: Ids that are no items now; their events count once they are.
    """

    accepted: int
    duplicates: int
    unknown_items: list[str]


class ItemAnswered(TypedDict):
    """An item as the server knows it."""

    item_id: str
    title: str
    text: str
    categories: list[str]
    keywords: list[str]
    in_stock: bool
    has_picture: bool
    recommendable: bool
    notes: list[str]


class ReasonAnswered(TypedDict):
    """One measured reason."""

    kind: str
    items: list[str]
    words: list[str]
    weight: float
    text: str


class RerankMeta(TypedDict):
    """How the answer came about.

    Attributes:
        by_words: Places of documents that are no items, which are ranked by their words.
        left_out: Ids of the query that the run does not know.
        notes: What else should be known of the answer, a sentence each.
    """

    origin: Literal["warm", "session", "cold", "fallback"]
    run: str
    by_words: list[int]
    left_out: list[str]
    notes: list[str]


class RerankResult(TypedDict):
    """A document's place.

    Attributes:
        relevance_score: In [0, 1]; compares among the results of one answer with the same `by`.
        by: What gave the score: the run, of items; the share of common words, of texts; or the user's
            `not_interested`, which puts an item last with 0.
    """

    index: int
    relevance_score: float
    by: Literal["run", "words", "not_interested"]
    document: dict[str, str] | None


class RunAnswered(TypedDict):
    """The run that answers.

    Attributes:
        previous: The run that can be had back.
    """

    run: str
    previous: str | None


class SimilarItem(TypedDict):
    """An item near to another.

    Attributes:
        score: The cosine of vectors, or the share of common keywords; higher is nearer.
        by: The sequence model whose vectors are compared, or keywords.
    """

    item_id: str
    similar_item_id: str
    title: str
    rank: int
    score: float
    by: str


class Usage(TypedDict):
    """What clients of hosted rerankers look for."""

    total_tokens: int


class UserEvent(TypedDict):
    """One event of a user."""

    item: str
    kind: Literal["view", "click", "like", "cart", "purchase", "not_interested"]
    time: int


class UserKeywords(TypedDict):
    """Keywords that stay with a user until they are changed; a question's own are added to them.

    Attributes:
        more: Keywords that are asked for.
        less: Keywords that are to be spared.
    """

    more: NotRequired[list[str]]
    less: NotRequired[list[str]]


class ItemRanked(TypedDict):
    """One recommended item: the fields of `runs.answers.recommendations.Recommendation`, with its rank from 1."""

    rank: int
    item_id: str
    title: str
    score: float
    probability: float | None
    keywords: list[str]
    because: list[str]
    reasons: list[ReasonAnswered]
    pinned: bool


class ItemsAnswered(TypedDict):
    """A part of the catalogue.

    Attributes:
        total: How many items match.
    """

    items: list[ItemAnswered]
    total: int


class RerankAnswered(TypedDict):
    """The documents, the most relevant first."""

    model: str
    results: list[RerankResult]
    usage: Usage
    meta: RerankMeta


class SimilarAnswered(TypedDict):
    """The nearest items of each item.

    Attributes:
        unknown: Ids that are no items, or of which nothing can be compared.
    """

    items: list[SimilarItem]
    unknown: list[str]


class UserAnswered(TypedDict):
    """What the server knows of a user.

    Attributes:
        in_run: Whether the run was made with this user.
        history: Item ids, oldest first: of the run, then of the events.
        events: The newest events, the last one last.
    """

    user: str
    in_run: bool
    history: list[str]
    events: list[UserEvent]
    n_events: int
    more: list[str]
    less: list[str]


class RecommendAnswered(TypedDict):
    """The best items, and how the answer came about.

    Attributes:
        run: The run that answers.
        left_out: Ids of the history that the run does not know.
        notes: What else should be known of the answer, a sentence each.
        cached: Whether the answer was kept from an equal question.
    """

    origin: Literal["warm", "session", "cold", "fallback"]
    run: str
    items: list[ItemRanked]
    left_out: list[str]
    notes: list[str]
    cached: bool
