"""A server answers while its application is imported and made; then the application answers, to its end."""

import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from mmsrarec.errors import MmsrarecError
from mmsrarec.serve.app.late_application import LateApplication


class Made:
    """An application that is made when the gate opens, and tells what became of it."""

    def __init__(self) -> None:
        self.gate, self.told = threading.Event(), list[str]()
        self.here = threading.Event()

    def make(self) -> FastAPI:
        assert self.gate.wait(30)

        @asynccontextmanager
        async def lifespan(app: FastAPI) -> AsyncIterator[None]:
            self.told.append("started")
            self.here.set()
            yield
            self.told.append("stopped")

        app = FastAPI(lifespan=lifespan)

        @app.get("/name")
        async def name() -> str:
            return "the application"

        return app


@contextmanager
def called(made: Made, key: str | None = None) -> Iterator[tuple[LateApplication, TestClient]]:
    late = LateApplication(made.make, lambda: made.told.append("failed"), key)
    with TestClient(late, "http://127.0.0.1") as client:
        yield late, client
        made.gate.set()


def wait_for(late: LateApplication, made: Made) -> None:
    made.gate.set()
    assert made.here.wait(30)
    while late.app is None:
        pass


def test_it_lives_at_once_and_says_what_it_waits_for() -> None:
    with called(Made()) as (_, client):
        assert client.get("/health/live").json() == {"status": "alive"}
        for path in ("/health/ready", "/name", "/v1/recommend"):
            answer = client.get(path)
            assert answer.status_code == 503
            assert answer.json() == {"detail": "the run is being loaded"}
            assert int(answer.headers["retry-after"]) >= 1


def test_a_browser_is_shown_a_page_that_comes_again() -> None:
    with called(Made()) as (_, client):
        answer = client.get("/", headers={"accept": "text/html,*/*"})
        assert answer.status_code == 503
        assert answer.headers["content-type"].startswith("text/html")
        assert '<meta http-equiv="refresh"' in answer.text
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["cache-control"] == "no-store"


def test_whoever_may_not_call_is_refused_by_it_and_then_by_the_application() -> None:
    made, key = Made(), "correct-horse-battery"
    with called(made, key) as (late, client):
        assert client.get("/health/live").status_code == 200
        assert client.get("/name").status_code == 401
        assert client.get("/name", headers={"Authorization": f"Bearer {key}"}).status_code == 503
        wait_for(late, made)
        assert client.get("/name").status_code == 200  # the application decides, counts and logs: this one lets all in
    with called(Made()) as (_, client):
        assert client.get("/name", headers={"Origin": "http://evil.example"}).status_code == 403


def test_then_the_application_answers_and_is_stopped_in_order() -> None:
    made = Made()
    with called(made) as (late, client):
        wait_for(late, made)
        assert client.get("/name").json() == "the application"
        assert client.get("/health/live").status_code == 404  # it has no such route: nothing stands before it any more
        assert made.told == ["started"]
    assert made.told == ["started", "stopped"]


def test_a_server_that_is_stopped_while_it_starts_ends_in_order() -> None:
    made = Made()
    with called(made):
        pass
    assert made.told == ["started", "stopped"]


def test_an_application_that_cannot_be_made_is_told() -> None:
    failure, told = MmsrarecError("the state cannot be opened"), threading.Event()

    def make() -> FastAPI:
        raise failure

    late = LateApplication(make, told.set)
    with TestClient(late, "http://127.0.0.1") as client:
        assert told.wait(30)
        assert late.failure is failure
        assert client.get("/health/ready").status_code == 503


@pytest.mark.parametrize(
    ("module", "packages"),
    [
        ("mmsrarec.serve.app.server", {"torch", "fastapi", "polars", "numpy"}),  # else nothing answers for seconds
        ("mmsrarec.serve.app.application", {"transformers", "peft", "sympy", "scipy"}),  # ranking need not wait for it
    ],
)
def test_what_takes_long_to_import_is_not_imported_before_it_is_needed(module: str, packages: set[str]) -> None:
    program = f"import {module}, sys; print(sorted({packages} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
