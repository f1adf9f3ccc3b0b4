"""The local engine: a loaded model of this process answers, batch by batch."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from mmsrarec.core.artefacts import key
from mmsrarec.data.images import BadPicture
from mmsrarec.engines.picture_urls import open_shrunk
from mmsrarec.engines.prompt_rendering import prompt_ids
from mmsrarec.engines.protocol import Answer, EngineFacts, PictureFile, Prompt, Request, Stop
from mmsrarec.errors import MmsrarecError
from mmsrarec.models.backbone.mllm import Mllm
from mmsrarec.models.untyped import to_list
from mmsrarec.models.vision.native_pictures import native_answers, native_key
from mmsrarec.models.vision.native_processor import LONGEST_SIDE


@dataclass(frozen=True)
class Question:
    """A rendered question.

    Attributes:
        content: A hash of the text or picture that it is about.
        prompt: Token ids.
        feature: (v, d) picture features; None for a text, and for a picture that is shown in the model's own way.
        picture: A picture that is shown in the model's own way (`native_pictures`); None for others.
        words: The words of the question about such a picture.
    """

    content: str
    prompt: Sequence[int]
    feature: Tensor | None = None
    picture: PictureFile | None = None
    words: str = ""


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
        native: Whether pictures are shown in the model's own way, from their files, and not by features.
    """

    def __init__(
        self,
        mllm: Mllm,
        features: Mapping[str, Tensor] | None = None,
        text_tokens: int = 160,
        batch: int = 32,
        eye: str = "",
        first_answers: FirstAnswers | None = None,
        native: bool = False,
    ):
        self.native = native
        self.mllm, self.features, self.text_tokens, self.batch = mllm, features or {}, text_tokens, batch
        self.eye, self.first_answers = eye, first_answers

    @property
    def model(self) -> str:
        """The model's fingerprint."""
        return self.mllm.fingerprint

    def key_of(self, prompt: Prompt) -> tuple[str, str]:
        """The model's fingerprint, and a hash of the token ids around a text or one visual token.

        Where pictures are shown in the model's own way, it is a hash of all that decides what the model reads.
        """
        if self.native and prompt.picture:
            shown_input = native_key(self.mllm, prompt.question)
            return f"{self.model}{self.eye}-native", key(**shown_input, side=LONGEST_SIDE)[:16]
        ids = prompt_ids(self.mllm, replace(prompt, text=""), visual_tokens=1)
        return self.model + (self.eye if prompt.picture else ""), key(ids=ids)[:16]

    def describe(self) -> EngineFacts:
        """Say which model answers, and on which device."""
        return EngineFacts("local", self.model, str(self.mllm.device))

    def question(self, request: Request) -> Question:
        """Render a request.

        Raises:
            MmsrarecError: The picture, or its features, are not there.
        """
        if self.native and request.prompt.picture:
            if request.picture is None:
                raise MmsrarecError("a model sees pictures in its own way from their files, and one is not named")
            ids = prompt_ids(self.mllm, request.prompt, visual_tokens=1)
            return Question(request.content, ids, None, request.picture, request.prompt.question)
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
        own_way = [place for place in places if questions[place].picture is not None]
        others = [place for place in places if questions[place].picture is None]
        if others:
            prompts = [questions[place].prompt for place in others]
            features = [questions[place].feature for place in others]
            for place, answer in zip(others, mllm.generate(prompts, features, max_tokens, stop), strict=True):
                answers[place] = answer
        if own_way:
            native_questions = [questions[place] for place in own_way]
            for place, answer in zip(
                own_way, _answers_in_own_way(mllm, native_questions, max_tokens, stop), strict=True
            ):
                answers[place] = answer
    except (RuntimeError, ValueError, BadPicture) as error:  # torch's, out of memory included, and a processor's
        if len(questions) == 1:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            return [Answer(questions[0].content, None, reason)]
        return [
            row for question in questions for row in answer_questions(mllm, [question], max_tokens, stop, first_answers)
        ]
    return [Answer(question.content, answer) for question, answer in zip(questions, answers, strict=True)]


def _answers_in_own_way(mllm: Mllm, questions: Sequence[Question], max_tokens: int, stop: Stop) -> list[str]:
    """The answers to questions about pictures that the model sees in its own way, which are worded alike."""
    pictures = [open_shrunk(question.picture) for question in questions if question.picture is not None]
    return native_answers(mllm, pictures, questions[0].words, max_tokens, stop)
