"""The local engine: a loaded model of this process answers, batch by batch."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from mmsrarec.core.artefacts import key
from mmsrarec.engines.prompt_rendering import prompt_ids
from mmsrarec.engines.protocol import Answer, EngineFacts, Prompt, Request, Stop
from mmsrarec.errors import MmsrarecError
from mmsrarec.models.backbone.mllm import Mllm
from mmsrarec.models.untyped import to_list


@dataclass(frozen=True)
class Question:
    """A rendered question.

    Attributes:
        content: A hash of the text or picture that it is about.
        prompt: Token ids.
        feature: (v, d) picture features; None for a text.
    """

    content: str
    prompt: Sequence[int]
    feature: Tensor | None = None


FirstAnswers = Callable[[Mllm, Sequence[Question]], list[str | None]]
"""Answers that somebody else gives before the model is asked; None where the model is to answer. It is given the model,
which may be one of another process."""


class LocalEngine:
    """A loaded model that answers in this process.

    Attributes:
        mllm: The model.
        features: (v, d) picture features by content hash.
        text_tokens: Tokens of a text that are read, from its start.
        batch: Questions of a batch.
        eye: A fingerprint of what the features depend on besides the model.
        first_answers: Answers some questions in the model's place; None lets the model answer all.
    """

    def __init__(
        self,
        mllm: Mllm,
        features: Mapping[str, Tensor] | None = None,
        text_tokens: int = 160,
        batch: int = 32,
        eye: str = "",
        first_answers: FirstAnswers | None = None,
    ):
        self.mllm, self.features, self.text_tokens, self.batch = mllm, features or {}, text_tokens, batch
        self.eye, self.first_answers = eye, first_answers

    @property
    def model(self) -> str:
        """The model's fingerprint."""
        return self.mllm.fingerprint

    def key_of(self, prompt: Prompt) -> tuple[str, str]:
        """The model's fingerprint, and a hash of the token ids around a text or one visual token."""
        ids = prompt_ids(self.mllm, replace(prompt, text=""), visual_tokens=1)
        return self.model + (self.eye if prompt.picture else ""), key(ids=ids)[:16]

    def describe(self) -> EngineFacts:
        """Say which model answers, and on which device."""
        return EngineFacts("local", self.model, str(self.mllm.device))

    def question(self, request: Request) -> Question:
        """Render a request.

        Raises:
            MmsrarecError: The features of its picture are not there.
        """
        feature = None
        if request.prompt.picture and (feature := self.features.get(request.content)) is None:
            raise MmsrarecError("the local engine answers about pictures by their features, and one has none")
        visual_tokens = 0 if feature is None else len(feature)
        ids = prompt_ids(self.mllm, request.prompt, self.text_tokens, visual_tokens)
        return Question(request.content, ids, feature)

    def generate(
        self, requests: Sequence[Request], max_tokens: int, stop: Stop, known: Collection[str] = ()
    ) -> Iterator[Sequence[Answer]]:
        """Answer requests, a batch at a time (see `Engine.generate`)."""
        questions = [self.question(request) for request in requests]
        yield from answer_batches(self.mllm, questions, max_tokens, stop, self.batch, known, self.first_answers)

    @torch.inference_mode()
    def score(self, query: Sequence[int], candidates: Sequence[Sequence[int]], labels: Sequence[int]) -> list[float]:
        """Score candidates (see `Engine.score`), each in a prompt of its own."""
        head = self.mllm.model.get_output_embeddings()
        scores: list[float] = []
        for candidate in candidates:
            ids = torch.tensor([[*query, *candidate]], device=self.mllm.device)
            states: Tensor = self.mllm.decoder(
                inputs_embeds=self.mllm.embed(ids, None), use_cache=False
            ).last_hidden_state[:, -1]
            logits: Tensor = head(states)[0, list(labels)].float()
            probabilities: list[float] = to_list(logits.softmax(-1))
            scores.append(probabilities[0])
        return scores


def answer_batches(
    mllm: Mllm,
    questions: Sequence[Question],
    max_tokens: int,
    stop: Stop,
    batch: int,
    known: Collection[str] = (),
    first_answers: FirstAnswers | None = None,
) -> Iterator[list[Answer]]:
    """Answer questions, batch by batch.

    Args:
        mllm: The model.
        questions: The questions, each of another content.
        max_tokens: Tokens of an answer, at most.
        stop: The test of a complete answer.
        batch: Questions of a batch.
        known: Contents whose answers are there already.
        first_answers: Answers some questions in the model's place; None lets the model answer all.

    Yields:
        The answers of each batch to the questions that are not known.
    """
    for missing in batches_of(questions, batch, known):
        yield answer_questions(mllm, missing, max_tokens, stop, first_answers)


def batches_of(questions: Sequence[Question], batch: int, known: Collection[str] = ()) -> Iterator[list[Question]]:
    """Cut questions into batches.

    Batches are cut before known questions are left out, so that resumed work forms the batches of uninterrupted work:
    low-precision rounding depends on a batch's shape.

    Args:
        questions: The questions, each of another content.
        batch: Questions of a batch.
        known: Contents whose answers are there already.

    Yields:
        The questions of each batch that are not known; none where all are.
    """
    order = sorted(questions, key=lambda question: (len(question.prompt), question.content))
    for start in range(0, len(order), batch):
        yield [question for question in order[start : start + batch] if question.content not in known]


def answer_questions(
    mllm: Mllm, questions: Sequence[Question], max_tokens: int, stop: Stop, first_answers: FirstAnswers | None = None
) -> list[Answer]:
    """Answer the questions of a batch; one that fails spares the rest of its batch.

    Args:
        mllm: The model.
        questions: The questions.
        max_tokens: Tokens of an answer, at most.
        stop: The test of a complete answer.
        first_answers: Answers some questions in the model's place; None lets the model answer all.
    """
    if not questions:
        return []
    try:
        answers: list[str | None] = [None] * len(questions)
        if first_answers:
            answers = first_answers(mllm, questions)
        places = [place for place, answer in enumerate(answers) if answer is None]
        prompts = [questions[place].prompt for place in places]
        features = [questions[place].feature for place in places]
        generated = mllm.generate(prompts, features, max_tokens, stop) if places else []
        for place, answer in zip(places, generated, strict=True):
            answers[place] = answer
    except RuntimeError as error:  # torch's errors, out of memory included
        if len(questions) == 1:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            return [Answer(questions[0].content, None, reason)]
        return [
            row for question in questions for row in answer_questions(mllm, [question], max_tokens, stop, first_answers)
        ]
    return [Answer(question.content, answer) for question, answer in zip(questions, answers, strict=True)]
