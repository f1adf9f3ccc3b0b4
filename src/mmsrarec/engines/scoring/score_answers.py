"""The two ways in which servers score candidates: what is sent, and what comes back, which is untrusted.

vLLM has `/generative_scoring`, beside its API of OpenAI; SGLang has `/v1/score`, in it. Both take token ids, put each
candidate behind the query, and answer with probabilities of the next token.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from mmsrarec.engines.chat_completions import UnreadableAnswer, read_form

SUM_TOLERANCE = 1e-3
"""How far the probabilities of all labels may be from adding up to 1, which bfloat16 needs."""
Probability = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class _Score(BaseModel):
    model_config = ConfigDict(strict=True)

    index: int
    score: Probability


class _ScoreList(BaseModel):
    model_config = ConfigDict(strict=True)

    data: list[_Score]


class _ScoreRows(BaseModel):
    model_config = ConfigDict(strict=True)

    scores: list[list[Probability]]


class _Card(BaseModel):
    id: str
    parent: str | None = None


class _Cards(BaseModel):
    data: list[_Card]


@dataclass(frozen=True)
class Route:
    """A way to ask for scores.

    Attributes:
        path: Where a request is sent, as `ServerClient.post` takes it.
        read: Is given an answer, the number of candidates and that of labels; returns a score for each candidate.
    """

    path: str
    read: Callable[[bytes, int, int], list[float]]

    def reader(self, n_candidates: int, n_labels: int) -> Callable[[bytes], list[float]]:
        """What reads the answer to a request of so many candidates and labels."""
        return lambda body: self.read(body, n_candidates, n_labels)


def score_request(
    model: str, query: Sequence[int], candidates: Sequence[Sequence[int]], labels: Sequence[int]
) -> dict[str, Any]:
    """A request that both routes take. All of it is token ids, so that no tokenizer of the server has a say.

    Args:
        model: The name by which the server knows the model.
        query: Token ids that come first.
        candidates: n continuations of the query, as token ids.
        labels: Token ids of the possible answers.
    """
    return {
        "model": model,
        "query": list(query),
        "items": [list(candidate) for candidate in candidates],
        "label_token_ids": list(labels),
        "apply_softmax": True,  # vLLM does so unless told otherwise, and SGLang does not
        "item_first": False,
    }


def read_score_list(body: bytes, n_candidates: int, n_labels: int) -> list[float]:
    """Read vLLM's answer: the probability of the first label for each candidate, in any order.

    Raises:
        UnreadableAnswer: It is no such answer, or not to so many candidates.
    """
    rows: list[_Score] = read_form(body, _ScoreList, "list of scores").data
    scores = {row.index: row.score for row in rows}
    if len(rows) != n_candidates or sorted(scores) != list(range(n_candidates)):
        raise UnreadableAnswer(f"the engine sent {len(rows)} scores for {n_candidates} candidates")
    return [scores[place] for place in range(n_candidates)]


def read_score_rows(body: bytes, n_candidates: int, n_labels: int) -> list[float]:
    """Read SGLang's answer: the probabilities of all labels for each candidate, in the order of the candidates.

    Raises:
        UnreadableAnswer: It is no such answer, or not to so many candidates and labels.
    """
    rows: list[list[float]] = read_form(body, _ScoreRows, "table of scores").scores
    if len(rows) != n_candidates or any(len(row) != n_labels for row in rows):
        raise UnreadableAnswer(
            f"the engine sent {len(rows)} rows of scores for {n_candidates} candidates and {n_labels} labels"
        )
    if any(abs(sum(row) - 1) > SUM_TOLERANCE for row in rows):
        raise UnreadableAnswer("the engine sent probabilities of the labels that do not add up to 1")
    return [row[0] for row in rows]


def parent_of(body: bytes, model: str) -> str | None:
    """The model under an adapter, from a server's list of models; None where the list names none.

    Raises:
        UnreadableAnswer: It is no list of models.
    """
    cards: list[_Card] = read_form(body, _Cards, "list of models").data
    parents = [card.parent for card in cards if card.id == model and card.parent and card.parent != model]
    return parents[0] if parents else None


ROUTES = (Route("/generative_scoring", read_score_list), Route("score", read_score_rows))
"""The ways to ask, in the order in which they are tried."""
