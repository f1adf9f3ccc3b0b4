"""The question of a reranker in the shape of Jina and Cohere: fields that nobody here knows are ignored."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from mmsrarec.serve.schema import schema_examples
from mmsrarec.serve.schema.limits import MAX_DOCUMENTS, MAX_TEXT, NO_NUL, Answered, Id, with_examples
from mmsrarec.serve.schema.recommending import Origin

Text = Annotated[str, StringConstraints(max_length=MAX_TEXT, pattern=NO_NUL)]


class Document(BaseModel):
    """A document as an object: an id of an item, a text, or both."""

    model_config = ConfigDict(extra="ignore")

    id: Id | None = None
    text: Text | None = None


class RerankAsked(BaseModel):
    """Whom or what for, and the documents."""

    model_config = with_examples(schema_examples.RERANK) | ConfigDict(extra="ignore")

    query: Text | list[Id] = Field(
        description="a user id; or item ids, oldest first, as a list or as text parted by commas, blanks or lines; or "
        "any other text, whose words are looked for"
    )
    documents: list[Text | Document] = Field(
        max_length=MAX_DOCUMENTS, description="texts, or objects with an id of an item or a text"
    )
    model: Text | None = Field(default=None, description="repeated in the answer, and otherwise without effect")
    top_n: int | None = Field(
        default=None, strict=True, ge=0, le=MAX_DOCUMENTS, description="how many results; 0 or none: all"
    )
    return_documents: bool = Field(default=False, description="whether results repeat the texts")


ScoredBy = Literal["run", "words", "not_interested"]


class RerankResult(Answered):
    """A document's place."""

    index: int
    relevance_score: float = Field(description="in [0, 1]; compares among the results of one answer with the same `by`")
    by: ScoredBy = Field(
        description="what gave the score: the run, of items; the share of common words, of texts; or the user's "
        "`not_interested`, which puts an item last with 0"
    )
    document: dict[str, str] | None = None


class Usage(Answered):
    """What clients of hosted rerankers look for."""

    total_tokens: int


class RerankMeta(Answered):
    """How the answer came about."""

    origin: Origin
    run: str
    by_words: list[int] = Field(description="places of documents that are no items, which are ranked by their words")
    left_out: list[str] = Field(description="ids of the query that the run does not know")
    notes: list[str] = Field(description="what else should be known of the answer, a sentence each")


class RerankAnswered(Answered):
    """The documents, the most relevant first."""

    model_config = with_examples(schema_examples.RERANKED)

    model: str
    results: list[RerankResult]
    usage: Usage
    meta: RerankMeta
