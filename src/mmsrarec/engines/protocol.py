"""What every engine can do: answer questions about a text or a picture, score candidates, and describe itself.

An engine is whoever runs the language model: this process, or a server. The module needs no torch.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

COST_FIGURES = ("engine_answers", "prompt_tokens", "completion_tokens", "pictures_sent")
"""Names of the figures of what an engine's answers cost, in the order of `Usage` behind the number of answers."""
Stop = Callable[[str], bool]
"""The test of whether an answer so far is complete."""


@dataclass(frozen=True)
class Prompt:
    """A question in words. An engine renders it for its model.

    Attributes:
        question: The words of the question.
        text: An untrusted text that follows them.
        examples: Texts in place of `text`, each with the answer to it.
        picture: Whether a picture stands before the question.
        instruction: How to answer, for models that follow instructions; "" for none.
    """

    question: str
    text: str = ""
    examples: tuple[tuple[str, str], ...] = ()
    picture: bool = False
    instruction: str = ""


@dataclass(frozen=True)
class PictureFile:
    """A picture on disk, which is opened when it is needed.

    Attributes:
        path: The file.
        root: The folder that it must lie under.
    """

    path: Path
    root: Path


@dataclass(frozen=True)
class Request:
    """A question to an engine.

    Attributes:
        content: A hash of the text or picture that it is about. Requests of equal content have equal answers.
        prompt: The question.
        picture: The picture; None for a question about a text.
    """

    content: str
    prompt: Prompt
    picture: PictureFile | None = None


@dataclass(frozen=True)
class Usage:
    """What answers cost.

    Attributes:
        prompt_tokens: Tokens that were read, as the engine counts them.
        completion_tokens: Tokens that were written.
        pictures: Pictures that were sent.
    """

    prompt_tokens: int = 0
    completion_tokens: int = 0
    pictures: int = 0

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
            self.pictures + other.pictures,
        )


@dataclass(frozen=True)
class Answer:
    """What became of a request.

    Attributes:
        content: The hash of its request.
        text: The answer; None where there is none.
        reason: Why there is none; None where there is one.
        usage: What it cost; None where nobody counts.
    """

    content: str
    text: str | None
    reason: str | None = None
    usage: Usage | None = None


@dataclass(frozen=True)
class EngineFacts:
    """What an engine says of itself.

    Attributes:
        engine: Its kind, as `runtime.engine` names it.
        model: The model that answers.
        place: Where it runs: a device, or the address of a server.
        offers: The models that a server lists; empty where it lists none.
    """

    engine: str
    model: str
    place: str
    offers: tuple[str, ...] = ()


class Engine(Protocol):
    """Whoever runs the language model.

    `generate` yields answers as they come, so that a caller can keep each before the work goes on. Answers are kept
    under `key_of` their prompt, which says nothing of where an engine runs.
    """

    @property
    def model(self) -> str:
        """A name that stands for the model, wherever it runs."""
        ...

    def key_of(self, prompt: Prompt) -> tuple[str, str]:
        """What answers depend on besides a prompt's text or picture.

        Returns:
            A name that stands for the model and what it sees of pictures, and a hash of the prompt without its text.
        """
        ...

    def describe(self) -> EngineFacts:
        """Say which model answers, and where.

        Raises:
            MmsrarecError: The engine cannot be used; the message says what to do.
        """
        ...

    def generate(
        self, requests: Sequence[Request], max_tokens: int, stop: Stop, known: Collection[str] = ()
    ) -> Iterator[Sequence[Answer]]:
        """Answer requests, each token the likeliest one.

        Args:
            requests: The requests, each of another content.
            max_tokens: Tokens of an answer, at most.
            stop: The test of a complete answer, which ends there.
            known: Contents whose answers are there already; they are not asked again.

        Yields:
            Answers, in any order, an answer to each request that is not known.

        Raises:
            MmsrarecError: The engine cannot go on; what it has yielded is good.
        """
        ...

    def score(self, query: Sequence[int], candidates: Sequence[Sequence[int]], labels: Sequence[int]) -> list[float]:
        """Score candidates by what a model would answer after each.

        Args:
            query: Token ids that come first.
            candidates: n continuations of the query, as token ids.
            labels: Token ids of the possible answers.

        Returns:
            n probabilities of the first label, among the labels.

        Raises:
            MmsrarecError: The engine does not score.
        """
        ...
