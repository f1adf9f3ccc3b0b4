"""The service in plain Python: what is kept, what makes it old, and what is not kept."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import pytest
from served import Served, served

from mmsrarec.errors import UnknownIdError
from mmsrarec.serve.model.served_run import Question, ServedRun
from mmsrarec.serve.schema.changing import EventAsked
from mmsrarec.serve.schema.recommending import RecommendAsked
from mmsrarec.serve.service import NotReadyError, Service
from mmsrarec.serve.settings import ServeSettings

Result = TypeVar("Result")


def run(work: Callable[[], Awaitable[Result]]) -> Result:
    async def call() -> Result:
        return await work()

    return asyncio.run(call())


def question(**how: object) -> RecommendAsked:
    return RecommendAsked.model_validate({"reasons": False} | how)


def test_before_a_run_is_loaded_everything_says_so(tmp_path: Path) -> None:
    service = Service(ServeSettings(tmp_path, str(tmp_path / "s.sqlite")))
    for work in (lambda: service.recommend(question()), lambda: service.user("u")):
        with pytest.raises(NotReadyError, match="being loaded"):
            run(work)
    with pytest.raises(NotReadyError):
        service.catalogue()
    run(service.close)
    assert service.why_not_ready() == "stopping"


def test_kept_answers_survive_a_restart(finished: Path, tmp_path: Path) -> None:
    with served(finished / "run", tmp_path / "s.sqlite") as server:
        user = server.user()
        first = server.ask(user=user)
        server.service.state.submit(lambda connection: None).result(10)  # it is written behind the answer
    with served(finished / "run", tmp_path / "s.sqlite") as server:
        asked = server.service.model.questions
        again = server.ask(user=user)
        assert (again["cached"], again["items"]) == (True, first["items"])
        assert server.service.model.questions == asked


def test_events_survive_a_restart(finished: Path, tmp_path: Path) -> None:
    with served(finished / "run", tmp_path / "s.sqlite") as server:
        server.ok("POST", "/v1/events", {"user": "new", "item": "001"})
        server.ok("PUT", "/v1/items/x", {"title": "A lamp of glass"})
        server.ok("PATCH", "/v1/items/002", {"in_stock": False})
        expected = server.ask(user="new", k=60)["items"]
    with served(finished / "run", tmp_path / "s.sqlite") as server:
        assert server.ask(user="new", k=60, allow_seen=False)["items"] == expected
        assert server.ok("GET", "/v1/items/x")["title"] == "A lamp of glass"
        assert not server.ok("GET", "/v1/items/002")["recommendable"]


def test_an_event_of_another_user_keeps_an_answer(own: Served) -> None:
    own.ask(user=own.user())
    own.ok("POST", "/v1/events", {"user": own.user(1), "item": "001"})
    assert own.ask(user=own.user())["cached"]
    assert not own.ask(user=own.user(1))["cached"]


def test_a_changed_catalogue_makes_answers_old(own: Served) -> None:
    own.ask(user=own.user())
    own.ok("PATCH", "/v1/items/001", {"in_stock": False})
    assert not own.ask(user=own.user())["cached"]


def test_an_answer_of_before_an_erasure_is_not_kept(own: Served) -> None:
    """The user is erased while their answer is computed: it must not come to lie in the database behind that."""
    service, gate, started = own.service, threading.Event(), threading.Event()
    service.model.submit(lambda served: (started.set(), gate.wait(10)))
    assert started.wait(10)
    own.ok("POST", "/v1/events", {"user": "late", "item": "001"})
    answers = list[object]()
    asking = threading.Thread(target=lambda: answers.append(own.ask(user="late")))
    asking.start()
    while not service.model.waiting:
        pass
    own.ok("DELETE", "/v1/users/late")
    gate.set()
    asking.join(10)
    assert answers
    assert len(service.cache) == 0
    with service.state.engine.connect() as connection:
        from state_tables import tables_hold

        assert connection
        assert tables_hold(service.state.engine, "late") == []


def test_questions_that_wait_together_are_one_batch(own: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes, answers = list[int](), ServedRun.answers
    monkeypatch.setattr(ServedRun, "answers", lambda self, asked: sizes.append(len(asked)) or answers(self, asked))
    gate, started = threading.Event(), threading.Event()
    own.service.model.submit(lambda served: (started.set(), gate.wait(10)))
    assert started.wait(10)
    futures = [own.service.model.submit(Question(question(user=own.user(number)))) for number in range(5)]
    gate.set()
    together = [future.result(10) for future in futures]
    assert sizes == [0, 5]
    alone = [own.ask(user=own.user(number))["items"] for number in range(5)]
    assert [[item.item_id for item in answer.items] for answer in together] == [
        [item["item_id"] for item in items] for items in alone
    ]
    for answer, items in zip(together, alone, strict=True):  # a batch may round the last digits otherwise
        scores = [item.score for item in answer.items]
        assert scores == pytest.approx([item["score"] for item in items], abs=1e-4)


def test_a_question_that_fails_leaves_its_batch_alone(own: Served) -> None:
    gate, started = threading.Event(), threading.Event()
    own.service.model.submit(lambda served: (started.set(), gate.wait(10)))
    assert started.wait(10)
    bad = own.service.model.submit(Question(question(more=["one two three four five six seven eight nine"])))
    good = own.service.model.submit(Question(question(user=own.user())))
    gate.set()
    assert good.result(10).items
    with pytest.raises(Exception, match="keyword"):
        bad.result(10)


def test_whoever_is_unknown_is_an_error(own: Served) -> None:
    with pytest.raises(UnknownIdError):
        run(lambda: own.service.user("nobody"))
    assert run(lambda: own.service.add_events([EventAsked(user="u", item="001")])).accepted == 1
