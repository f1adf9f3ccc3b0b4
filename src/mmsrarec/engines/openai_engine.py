"""The engine that asks a server with the API of OpenAI: vLLM, SGLang, `transformers serve`, llama.cpp, or a hosted one.

Threads send requests side by side. The first one goes alone: where the server refuses it, the others are not sent.
"""

import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from mmsrarec.core.artefacts import key as hash_of
from mmsrarec.core.terminal import remark
from mmsrarec.data.images import BadPicture
from mmsrarec.engines.chat_completions import Completion, UnreadableAnswer, read_completion, read_models
from mmsrarec.engines.chat_messages import chat_messages
from mmsrarec.engines.outcomes.empty_answers import EmptyAnswers
from mmsrarec.engines.outcomes.parallel_requests import ParallelRequests
from mmsrarec.engines.pacing import Pacing
from mmsrarec.engines.picture_urls import ENCODING, data_url
from mmsrarec.engines.protocol import Answer, EngineFacts, Prompt, Request, Stop, Usage
from mmsrarec.engines.scoring.server_scoring import ServerScoring
from mmsrarec.engines.server_address import check_address, engine_key, safe_line
from mmsrarec.engines.server_client import Refused, ServerClient, Unanswered
from mmsrarec.engines.settings import EngineSettings
from mmsrarec.errors import EngineError, MmsrarecError

MOST_REFUSALS = 3
"""Requests in a row that a server may refuse. Then it is asked again what it answered earlier; where it refuses that
too, or answered nothing so far, nothing more is sent. The number doubles with each such look."""
MOST_FAILURES = 3
"""Requests in a row whose attempts may all fail; then nothing more is sent."""
LAST_SECONDS = 10.0
"""For which answers under way are waited for, where the work ends early and the server has answered."""
_SENT_OTHERWISE = {"max_tokens": "max_completion_tokens", "temperature": None}
"""Parameters that some models refuse, and the name of the one that they take instead; None: it is left out."""


@dataclass
class Tally:
    """What an engine was asked and what it cost since it was opened.

    Attributes:
        answers: Answers that came.
        cut: Answers that ended because they were as long as they may be.
        uncounted: Answers whose tokens the server did not count.
        attempts: Requests that were sent, repeated ones included.
        usage: What the answers cost.
        models: What the server called the models that answered, with the number of their answers.
    """

    answers: int = 0
    cut: int = 0
    uncounted: int = 0
    attempts: int = 0
    usage: Usage = field(default_factory=Usage)
    models: Counter[str] = field(default_factory=Counter[str])


class OpenAIEngine:
    """A server that answers, asked for one model.

    Attributes:
        model: The name that stands for the model.
        served_name: The name by which the server knows it.
        client: Speaks with the server.
        tally: What was asked and what it cost.
    """

    def __init__(self, settings: EngineSettings, model: str, pacing: Pacing | None = None):
        """Prepare to ask a server; nothing is sent yet.

        Args:
            settings: Where the server is, and how fast it is asked.
            model: The name that stands for the model.
            pacing: When the next request may start; from the settings unless given.

        Raises:
            RecipeError: The settings name no server.
            MissingDependencyError: The package that speaks HTTP is not installed.
        """
        self.model, self.served_name = model, settings.engine_model or model
        self._workers, self._key = settings.engine_requests, engine_key()
        self.client = ServerClient(
            check_address(settings.engine_url),
            self._key,
            pacing or Pacing(settings.engine_rate),
            settings.engine_seconds,
            settings.engine_attempts,
            settings.engine_requests,
        )
        self._scoring = ServerScoring(self.client, self.served_name, self._key)
        self.tally = Tally()
        self._lock = threading.Lock()
        self._has_answered = False
        self._renamed: dict[str, str | None] = {}
        self._taken: set[str] = set()  # parameters with which an answer came

    def key_of(self, prompt: Prompt) -> tuple[str, str]:
        """The model's name, and a hash of the messages around a text or a picture."""
        parts = chat_messages(replace(prompt, text=""), ENCODING if prompt.picture else None)
        return self.model, hash_of(messages=parts)[:16]

    def describe(self) -> EngineFacts:
        """Ask the server which models it has.

        Raises:
            EngineError: There is no server, or it does not know the key.
        """
        offers: tuple[str, ...] = ()  # some servers have no such list, or fail at it while they answer well
        try:
            offers = read_models(self.client.get("models").body)
        except Unanswered as error:
            if error.status is None:
                raise EngineError(self._no_server(error)) from None
        except (Refused, UnreadableAnswer):
            pass
        return EngineFacts("openai", self.served_name, self.client.address, offers)

    def generate(
        self, requests: Sequence[Request], max_tokens: int, stop: Stop, known: Collection[str] = ()
    ) -> Iterator[Sequence[Answer]]:
        """Answer requests (see `Engine.generate`).

        Raises:
            EngineError: There is no server, it refuses, or it stopped answering.
        """
        missing = [request for request in requests if request.content not in known]
        example = next((request for request in requests if request.content in known), None)
        answer = partial(self._answer, max_tokens=max_tokens, stop=stop)
        empty, n_cut = EmptyAnswers(self._has_answered), self.tally.cut
        try:
            for answers in self._outcomes(missing, answer, example):
                ready = empty.hold_back(answers)
                self._has_answered = empty.is_able  # who answered about texts may know nothing of pictures
                yield ready
                if empty.are_too_many:
                    reason = empty.reason(self.tally.cut - n_cut)
                    raise EngineError(f"the engine at {self.client.address} says nothing: {reason}")
        except MmsrarecError:
            yield empty.failures(self.tally.cut - n_cut)
            raise
        yield empty.rest(self.tally.cut - n_cut)

    def _outcomes(
        self, requests: Sequence[Request], answer: Callable[[Request], Answer], example: Request | None
    ) -> Iterator[list[Answer]]:
        """What became of requests, as it comes; `example` is one that was answered earlier."""
        by_content = {request.content: request for request in requests}
        refusals, failures, n_answers, most_refusals = 0, 0, 0, MOST_REFUSALS
        with ParallelRequests(requests, answer, self._workers) as work:
            for outcomes in work.outcomes():
                answers: list[Answer] = []
                stopped: MmsrarecError | None = None
                last_refusal = ""
                for content, outcome in outcomes:
                    if isinstance(outcome, Answer):
                        answers.append(outcome)
                        refusals, failures, n_answers = 0, 0, n_answers + 1
                        example = by_content[content]
                    elif isinstance(outcome, Refused):
                        last_refusal = str(outcome)
                        answers.append(Answer(content, None, last_refusal))
                        refusals += 1
                        if outcome.status == 404:
                            stopped = EngineError(self._refuses(last_refusal))
                    elif isinstance(outcome, Unanswered):
                        answers.append(Answer(content, None, str(outcome)))
                        failures += 1
                        if outcome.absent and not n_answers:
                            stopped = EngineError(self._no_server(outcome))
                        elif failures >= MOST_FAILURES:
                            stopped = EngineError(self._stopped(outcome))
                    elif isinstance(outcome, BadPicture):
                        answers.append(Answer(content, None, f"the picture cannot be used: {outcome}"))
                    else:
                        stopped = outcome if isinstance(outcome, MmsrarecError) else None
                        if stopped is None:
                            raise outcome
                if answers:
                    yield answers
                if stopped is None and refusals >= most_refusals:
                    stopped = self._check_example(example, answer, last_refusal)
                    refusals, most_refusals = 0, 2 * most_refusals
                if stopped is not None:
                    last = [outcome for _, outcome in work.last_outcomes(LAST_SECONDS)] if n_answers else []
                    yield [outcome for outcome in last if isinstance(outcome, Answer)]
                    raise stopped
                if n_answers:
                    work.widen()

    def _check_example(
        self, example: Request | None, answer: Callable[[Request], Answer], refusal: str
    ) -> MmsrarecError | None:
        """Tell a server that refuses items from one that refuses everything: ask again what it answered earlier.

        Returns:
            Why the work ends: the server refuses that too, or never answered; None where it answers.
        """
        if example is None:
            return EngineError(self._refuses(refusal))
        try:
            answer(example)
        except (Refused, Unanswered) as error:
            return EngineError(self._stopped(error))
        except BadPicture:  # the file was changed since then
            return EngineError(self._refuses(refusal))
        except MmsrarecError as error:
            return error
        return None

    def score(self, query: Sequence[int], candidates: Sequence[Sequence[int]], labels: Sequence[int]) -> list[float]:
        """Score candidates (see `Engine.score`), by vLLM's or SGLang's own route. Token ids are those of its model.

        Raises:
            EngineError: The server gives no scores, or ignores the adapter that it was asked for.
        """
        return self._scoring.score(query, candidates, labels)

    def close(self) -> None:
        """Close all connections."""
        self.client.close()

    def sentence(self) -> str:
        """Which model answered, and what it cost, in words; "" where nothing was asked."""
        tally = self.tally
        if not tally.answers:
            return ""
        names = ", ".join(safe_line(name, self._key) or "a model without a name" for name in tally.models)
        usage = tally.usage
        parts = [
            f"{tally.answers} answers by {names} at {self.client.address}",
            f"{usage.prompt_tokens} tokens read and {usage.completion_tokens} written",
            f"{usage.pictures} pictures sent",
            f"{tally.attempts - tally.answers} requests repeated",
        ]
        parts += [f"{tally.cut} answers cut at their longest"] * bool(tally.cut)
        parts += [f"the tokens of {tally.uncounted} answers not counted by the server"] * bool(tally.uncounted)
        return "; ".join(parts)

    def _answer(self, request: Request, max_tokens: int, stop: Stop) -> Answer:
        """Ask one request. Raises what `ServerClient.post` raises, and BadPicture."""
        url = data_url(request.picture) if request.picture else None
        completion, attempts = self._complete(chat_messages(request.prompt, url), max_tokens, request.prompt.text)
        pictures = int(url is not None)
        usage = replace(completion.usage, pictures=pictures) if completion.usage else Usage(pictures=pictures)
        with self._lock:
            tally = self.tally
            tally.answers, tally.attempts = tally.answers + 1, tally.attempts + attempts
            tally.cut, tally.usage = tally.cut + completion.cut, tally.usage + usage
            tally.uncounted += completion.usage is None
            tally.models[completion.model or self.served_name] += 1
        if completion.refused is not None:
            reason = f"the model refuses: {safe_line(completion.refused, self._key)}"
            return Answer(request.content, None, reason, usage)
        return Answer(request.content, complete_part(completion.text, stop), None, usage)

    def _complete(self, messages: list[dict[str, Any]], max_tokens: int, text: str) -> tuple[Completion, int]:
        """A completion, and how many requests it took.

        A refusal may be for a parameter, or for the item. It is for a parameter where the server names it, where no
        answer came with it, and where the same request without it is answered. Only then it is left out for all.
        """
        parameters = {"max_tokens": max_tokens, "temperature": 0.0}
        renamed, attempts = dict(self._renamed), 0
        while True:
            names = {name: renamed.get(name, name) for name in parameters}
            sent = {other: parameters[name] for name, other in names.items() if other is not None}
            try:
                body = {"model": self.served_name, "messages": messages, "stream": False, **sent}
                completion, sent_now = self.client.ask("chat/completions", body, read_completion)
            except Refused as refusal:
                attempts += 1
                if (name := self._blamed(refusal, names, text)) is None:
                    raise
                renamed[name] = _SENT_OTHERWISE[name]
            else:
                self._learn(names)
                return completion, attempts + sent_now

    def _blamed(self, refusal: Refused, names: Mapping[str, str | None], text: str) -> str | None:
        """The parameter for which a server may refuse a request about a text; None where it is the item."""
        if refusal.status not in (400, 422):
            return None
        open_names = [name for name in names if names[name] == name and name not in self._taken]
        return next((name for name in open_names if refusal.blame.of(name, text)), None)

    def _learn(self, names: Mapping[str, str | None]) -> None:
        """Keep which parameters an answer came with; those without which it came are left out from now on."""
        with self._lock:
            decided = self._taken | self._renamed.keys()
            left_out = {name: other for name, other in names.items() if other != name and name not in decided}
            self._renamed |= left_out
            self._taken |= {name for name, other in names.items() if other == name}
        for name in (name for name, other in left_out.items() if other is None):
            remark(f"the model {self.served_name} takes no {name}: its answers may differ from call to call")

    def _no_server(self, error: Unanswered) -> str:
        address = self.client.address
        return f"no engine answers at {address}: {error}; start it there, or name another by runtime.engine_url"

    def _refuses(self, message: str) -> str:
        hint = "runtime.engine_model is the name by which it knows the model"
        return f'the engine at {self.client.address} refuses to answer as "{self.served_name}": {message}; {hint}'

    def _stopped(self, error: Refused | Unanswered) -> str:
        hint = "what it answered is kept, so start again when it is well"
        return f"the engine at {self.client.address} stopped answering: {error}; {hint}"


def complete_part(text: str, stop: Stop) -> str:
    """The start of an answer at which it is complete, where a model of this process would have stopped.

    Args:
        text: The answer.
        stop: The test of a complete answer.
    """
    if not stop(text):
        return text
    low, high = 0, len(text)  # once an answer is complete, it stays so
    while low + 1 < high:
        middle = (low + high) // 2
        low, high = (low, middle) if stop(text[:middle]) else (middle, high)
    return text[:high]
