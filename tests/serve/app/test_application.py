"""A server from its start to its end: not ready, ready, busy, stopping; and its description of itself."""

import threading
from pathlib import Path

import pytest
from served import Served, called, served
from starlette.testclient import TestClient

from mmsrarec.serve.app.application import create_app
from mmsrarec.serve.settings import ServeSettings


def test_it_is_alive_before_it_is_ready(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gate = threading.Event()
    from mmsrarec.serve.model.served_run import ServedRun

    load = ServedRun.load
    monkeypatch.setattr(ServedRun, "load", lambda *args: gate.wait(30) and load(*args))
    app = create_app(ServeSettings(finished / "run", str(tmp_path / "s.sqlite")))
    with TestClient(app, "http://127.0.0.1") as client:
        assert client.get("/health/live").status_code == 200
        for answer in (client.get("/health/ready"), client.post("/v1/recommend", json={}), client.get("/v1/items")):
            assert answer.status_code == 503
            assert answer.headers["Retry-After"] == "2"
        gate.set()
        app.state.loading.join(30)
        assert client.get("/health/ready").json() == {"status": "ready", "run": "run", "language_model": "loaded"}


def test_a_run_that_cannot_be_loaded_is_said(tmp_path: Path) -> None:
    with called(ServeSettings(tmp_path / "nothing", str(tmp_path / "s.sqlite"))) as server:
        answer = server.client.get("/health/ready")
        assert answer.status_code == 503
        assert "is not a run" in answer.json()["detail"]


def test_a_full_queue_is_refused_and_not_waited_for(finished: Path, tmp_path: Path) -> None:
    with served(finished / "run", tmp_path / "s.sqlite", queue=1, batch=1) as server:
        gate, started = threading.Event(), threading.Event()
        server.service.model.submit(lambda run: (started.set(), gate.wait(30)))
        assert started.wait(10)
        waiting = server.service.model.submit(lambda run: True)
        answer = server.client.post("/v1/recommend", json={"user": server.user()})
        assert answer.status_code == 429
        assert int(answer.headers["Retry-After"]) >= 1
        assert server.client.get("/health/live").status_code == 200
        gate.set()
        assert waiting.result(10)
        server.ok("POST", "/v1/recommend", {"user": server.user()})


def test_a_dead_worker_makes_it_unready(own: Served) -> None:
    assert set(own.service.workers) == {"model", "state", "changes"}
    calls = {
        "changes": ("PUT", "/v1/items/x", {"title": "A lamp"}),
        "model": ("POST", "/v1/similar", {"items": ["001"]}),
        "state": ("POST", "/v1/events", {"user": "u", "item": "001"}),
    }
    for name, call in calls.items():
        alive = own.service.workers.pop(name)
        own.service.workers = {name: alive, **own.service.workers}  # the first that died is named
        own.ok("GET", "/health/ready" if name == "changes" else "/health/live")
        alive.close()
        assert name in own.ok("GET", "/health/ready", status=503)["detail"]
        own.ok(*call, status=503)


def test_questions_in_progress_are_answered_at_the_end(finished: Path, tmp_path: Path) -> None:
    with served(finished / "run", tmp_path / "s.sqlite") as server:
        gate = threading.Event()
        slow = server.service.model.submit(lambda run: gate.wait(30) and run.name)
        threading.Timer(0.05, gate.set).start()
    assert slow.result(0) == "run"


def test_it_describes_itself(server: Served) -> None:
    schema = server.ok("GET", "/openapi.json")
    asked = [
        *("/v1/recommend", "/v1/rerank", "/v1/similar", "/v1/events", "/v1/items", "/v1/items/{item_id}"),
        *("/v1/users/{user_id}", "/v1/users/{user_id}/keywords", "/v1/run", "/v1/run/previous"),
        *("/health/live", "/health/ready", "/metrics"),
    ]
    assert set(asked) <= set(schema["paths"])
    assert {"413", "422", "429", "503"} <= set(schema["paths"]["/v1/recommend"]["post"]["responses"])


def test_another_run_takes_over_and_goes_again(mine: Path, tmp_path: Path) -> None:
    import shutil

    shutil.copytree(mine / "run", mine / "second")
    with served(mine / "run", tmp_path / "s.sqlite") as server:
        server.ok("PUT", "/v1/items/new", {"title": "A lamp"})
        before = server.ask(user=server.user(), k=60)
        assert server.ok("POST", "/v1/run", {"name": "second"}) == {"run": "second", "previous": "run"}
        after = server.ask(user=server.user(), k=60)
        assert (after["run"], after["items"]) == ("second", before["items"])  # items of the state come along
        server.ok("DELETE", "/v1/items/new", status=204)
        assert server.ok("POST", "/v1/run/previous") == {"run": "run", "previous": "second"}
        assert "new" not in server.ids(user=server.user(), k=60)
        assert server.ask(user=server.user())["run"] == "run"
        server.ok("POST", "/v1/run", {"name": "third"}, 404)
        assert server.ok("GET", "/v1/run")["run"] == "run"


def test_there_may_be_no_run_to_go_back_to(server: Served) -> None:
    server.ok("POST", "/v1/run/previous", status=422)
