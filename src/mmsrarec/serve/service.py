"""What a server can do, in plain Python: the HTTP routes and the page call this and nothing behind it.

Whatever waits for the model or for the database is a coroutine; whatever only looks at memory is a function. All of it
is called from one event loop. Errors are those of the library (`MmsrarecError`), `BusyError` where a queue is full, and
`NotReadyError` before a run is loaded.
"""

import asyncio
import logging
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection

from mmsrarec.core.memory import collect_again, collect_everything
from mmsrarec.errors import MmsrarecError, UnknownIdError
from mmsrarec.serve.model import documents
from mmsrarec.serve.model.answer_cache import AnswerCache, digest_of
from mmsrarec.serve.model.catalogue_view import CatalogueView
from mmsrarec.serve.model.served_run import NOBODY, LanguageModel, Question, ServedRun
from mmsrarec.serve.schema import changing, recommending, reranking
from mmsrarec.serve.settings import ServeSettings
from mmsrarec.serve.state import change_log, erasing, kept_answers, user_events
from mmsrarec.serve.state.database import open_database
from mmsrarec.serve.state.item_rows import load_items, load_picture
from mmsrarec.serve.state.state_of_users import StateOfUsers
from mmsrarec.serve.state.state_writer import StateWriter
from mmsrarec.serve.state.user_events import Event, UserState
from mmsrarec.serve.worker import Worker

Result = TypeVar("Result")
STATE_QUEUE = 1000
"""Reads and writes of the database that may wait."""
PRUNE_EVERY = 500
"""Kept answers between two looks at how many there are."""

log = logging.getLogger("mmsrarec.serve")


class NotReadyError(MmsrarecError):
    """No run is loaded yet, or a worker died."""


class Service:
    """One server.

    Attributes:
        settings: How it is run.
        served: The run that answers, with its catalogue of now; None while it is loaded.
        previous: The run before, which can be had back.
        users: What is held of users in memory.
        cache: Answers in memory.
        failure: Why no run could be loaded, or not all of it.
        draining: Whether the server is being stopped.
        workers: The threads without which not everything is answered, by what they do.
        erasures: How many users were erased, here or by another server of the database.
        server: What tells the changes of this server from those of others of the database.
    """

    def __init__(self, settings: ServeSettings) -> None:
        self.settings = settings
        self.served: ServedRun | None = None
        self.previous: ServedRun | None = None
        self.failure: str | None = None
        self.draining = False
        self.server = uuid.uuid4().hex
        self.users = StateOfUsers()
        self.cache = AnswerCache(settings.cached_answers)
        self.state = StateWriter(open_database(settings.state_place), STATE_QUEUE, self.users.clear)
        self.model: Worker[Question | Callable[[ServedRun], object], object] = Worker(
            "model", self._work, settings.queue, settings.batch
        )
        self.workers: dict[str, Worker[Any, Any]] = {"model": self.model, "state": self.state.worker}
        self.erasures = self.state.submit(change_log.erasures).result()
        self._n_stored = 0
        self._tasks: set[asyncio.Task[None]] = set()

    def load_in_background(self) -> threading.Thread:
        """Load the run beside the event loop; until then `run` raises NotReadyError."""
        thread = threading.Thread(target=self._load_first, name="loading", daemon=True)
        thread.start()
        return thread

    def load(self, folder: Path, data: Path | None = None) -> ServedRun:
        """A run with the items of the state, ready to answer; its language model is loaded too."""
        collect_everything()  # the run that answers now may go
        served = self._load_ranking(folder, data)
        served.load_model()
        return served

    def _load_ranking(self, folder: Path, data: Path | None) -> ServedRun:
        """A run with the items of the state and all that it ranks by."""
        return ServedRun.load(folder, data, self.settings.device).with_rows(self.state.submit(load_items).result())

    def _load_first(self) -> None:
        """Load the first run, which answers as soon as it can rank; a language model that only explains comes after."""
        started = time.perf_counter()
        try:
            self.served = served = self._load_ranking(self.settings.run, self.settings.data)
            log.info("run loaded", extra={"run": served.name, "seconds": time.perf_counter() - started})
            if served.language_model == "loading":
                served.load_model()
                log.info("language model loaded", extra={"seconds": time.perf_counter() - started})
        except Exception as error:
            self.failure = str(error)
            unexpected = not isinstance(error, MmsrarecError)  # the log then says where in the code it was
            log.error("the run could not be loaded: %s", error, exc_info=unexpected)
        finally:
            collect_again()

    async def close(self) -> None:
        """Answer what waits, and close the database."""
        self.draining = True
        for worker in (self.model, self.state):
            await asyncio.to_thread(worker.close)

    def run(self) -> ServedRun:
        """The run that answers. Raises NotReadyError."""
        if self.served is None:
            raise NotReadyError(self.failure or "the run is being loaded")
        return self.served

    def why_not_ready(self) -> str | None:
        """Why questions cannot be answered now; None where they can."""
        if self.draining:
            return "stopping"
        for name, worker in self.workers.items():
            if not worker.alive:
                return f"the worker of the {name} died"
        return self.failure if self.served is not None else self.failure or "the run is being loaded"

    @property
    def language_model(self) -> LanguageModel:
        """Whether the language model of the run that answers is there."""
        return self.run().language_model

    async def recommend(self, body: recommending.RecommendAsked) -> recommending.RecommendAnswered:
        """The best items for a user or a history."""
        served, erasures = self.run(), self.erasures
        state = NOBODY if body.user is None else await self.user_state(body.user)
        question = Question(body, state)
        digest = digest_of(served, question)
        if (answer := self.cache.get(digest)) is not None:
            return answer
        stored_body = await self.with_state(lambda connection: kept_answers.find_answer(connection, digest))
        if stored_body is not None:
            answer = recommending.RecommendAnswered.model_validate_json(stored_body)
        else:
            answer = await self._ask(question)
        if self.served is served and self.erasures == erasures:  # else it is of a run or a user of before
            kept_body = stored_body or answer.model_dump_json()
            self.cache.put(digest, body.user, kept_body)
            if stored_body is None:
                self._store(digest, body.user, kept_body, erasures)
        return answer.model_copy(update={"cached": stored_body is not None})

    async def rerank(self, body: reranking.RerankAsked, newest_first: bool = False) -> reranking.RerankAnswered:
        """Documents by how relevant they are to a user, a history or a text.

        Args:
            body: The query and the documents.
            newest_first: Whether the item ids of the query stand newest first.
        """
        served = self.run()
        user = documents.user_of(body)
        state = NOBODY if user is None else await self.user_state(user)
        if user is not None and user not in served.recommender.dataset.user_code and not state.n_events:
            user = None
        return await self.with_model(lambda served: documents.rerank(served, body, user, state, newest_first))

    async def similar(self, body: recommending.SimilarAsked) -> recommending.SimilarAnswered:
        """The items nearest to each of some items."""
        return await self.with_model(lambda served: CatalogueView(served).similar(body.items, body.k))

    async def add_events(self, events: Sequence[changing.EventAsked]) -> changing.EventsAnswered:
        """Keep events, all or none; they have a part in the next answer to their users."""
        now = int(time.time())
        rows = [
            Event(
                event.user,
                event.item,
                event.kind,
                now if event.time is None else event.time,
                event.key or user_events.new_key(),
            )
            for event in events
        ]

        users = sorted({row.user for row in rows})

        def write(connection: Connection) -> int:
            change_log.tell(connection, self.server, "user", users)
            n_new = user_events.add_events(connection, rows)
            for user in users:
                self.users.forget(user)
            return n_new

        n_new = await self.with_state(write)
        unknown = [] if self.served is None else [row.item for row in rows if row.item not in self.served.known]
        return changing.EventsAnswered(
            accepted=n_new, duplicates=len(rows) - n_new, unknown_items=list(dict.fromkeys(unknown))
        )

    async def user_state(self, user: str) -> UserState:
        """What the state knows of a user, who may be unknown."""
        state = self.users.get(user)
        return state if state is not None else await self.with_state(lambda c: self.users.load(c, user))

    async def user(self, user: str) -> changing.UserAnswered:
        """What the server knows of a user. Raises UnknownIdError where that is nothing."""
        state, dataset = await self.user_state(user), self.run().recommender.dataset
        code = dataset.user_code.get(user, -1)
        if code < 0 and state == NOBODY:
            raise UnknownIdError(f"nothing is known of a user {user}")
        past: list[int] = dataset.interactions.items_of(code).tolist() if code >= 0 else []
        events = [changing.UserEvent(item=e.item, kind=e.kind, time=e.time) for e in state.events]  # pyright: ignore[reportArgumentType]
        return changing.UserAnswered(
            user=user,
            in_run=code >= 0,
            history=[*(dataset.items[item].item_id for item in past), *state.chosen],
            events=events,
            n_events=state.n_events,
            more=list(state.more),
            less=list(state.less),
        )

    async def set_keywords(self, user: str, body: changing.UserKeywords) -> changing.UserKeywords:
        """Replace the keywords that stay with a user. Raises MmsrarecError where one is no keyword."""
        words = self.run().recommender.preferences(body.more, body.less)

        def write(connection: Connection) -> None:
            change_log.tell(connection, self.server, "user", [user])
            user_events.set_keywords(connection, user, words.more, words.less)
            self.users.forget(user)

        await self.with_state(write)
        return changing.UserKeywords(more=list(words.more), less=list(words.less))

    async def forget_user(self, user: str) -> erasing.Receipt:
        """Erase a user from the state and from memory; whatever is being computed for them is not kept."""

        def write(connection: Connection) -> erasing.Receipt:
            receipt = erasing.erase_rows(connection, user, self.server)
            self.users.forget(user)
            self.erasures = change_log.erasures(connection)
            return receipt

        receipt = await self.with_state(write)
        self.cache.drop_user(user)
        return receipt

    def picture(self, item_id: str) -> bytes | None:
        """The bytes of the picture of an item that came here. It waits for the database: call it beside the loop."""
        return self.state.submit(lambda connection: load_picture(connection, item_id)).result()

    async def search(
        self, words: str = "", category: str | None = None, offset: int = 0, limit: int = 20
    ) -> changing.ItemsAnswered:
        """A part of the catalogue, as `CatalogueView.search`, beside the event loop: a large one takes a while."""
        return await asyncio.to_thread(self.catalogue().search, words, category, offset, limit)

    def catalogue(self) -> CatalogueView:
        """The catalogue of now, for searches and single items."""
        return CatalogueView(self.run())

    async def with_model(self, ask: Callable[[ServedRun], Result]) -> Result:
        """Ask the run in the model's worker. Raises BusyError where its queue is full."""
        self.run()
        return await asyncio.wrap_future(self.model.submit(ask))  # pyright: ignore[reportReturnType]

    async def with_state(self, step: Callable[[Connection], Result]) -> Result:
        """Read or write the database in its worker; acknowledged once it is on the disk."""
        return await asyncio.wrap_future(self.state.submit(step))

    async def _ask(self, question: Question) -> recommending.RecommendAnswered:
        """An answer of the model's worker, which answers questions that wait together as one batch."""
        answer = await asyncio.wrap_future(self.model.submit(question))
        assert isinstance(answer, recommending.RecommendAnswered)
        return answer

    def _work(self, jobs: Sequence[Question | Callable[[ServedRun], object]]) -> list[object]:
        served = self.run()
        questions = [job for job in jobs if isinstance(job, Question)]
        answers = iter(served.answers(questions))
        return [next(answers) if isinstance(job, Question) else _called(job, served) for job in jobs]

    def _store(self, digest: str, user: str | None, body: str, erasures: int) -> None:
        """Keep an answer, as JSON, in the database; nobody waits for it, and who was erased meanwhile stays out."""
        self._n_stored += 1
        prune = self._n_stored % PRUNE_EVERY == 0

        def write(connection: Connection) -> None:
            change_log.lock(connection)
            if change_log.erasures(connection) == erasures:
                kept_answers.keep_answer(connection, digest, user, body)
            if prune:
                kept_answers.drop_oldest(connection)

        if self.state.worker.waiting < STATE_QUEUE // 2:  # an answer that is not kept is computed again
            self.state.submit(write)


def _called(ask: Callable[[ServedRun], object], served: ServedRun) -> object:
    """What a call returns, or the error that it raises."""
    try:
        return ask(served)
    except Exception as error:
        return error
