"""Every page carries the same headers, and what fails is a page that says what to do."""

import threading
from pathlib import Path

import pytest
from served import Served, called, served
from served_pages import ServedPage, get, is_sound
from starlette.testclient import TestClient

from mmsrarec.serve.app.application import create_app
from mmsrarec.serve.settings import ServeSettings

PAGES = ("/", "/shoppers", "/compare", "/run")


@pytest.mark.parametrize("path", PAGES)
def test_a_browser_may_do_nothing_but_show_it(server: Served, path: str) -> None:
    headers = get(server, path).headers
    policy = dict(part.split(" ", 1) for part in headers["content-security-policy"].split("; "))
    assert policy == {
        "default-src": "'none'",
        **{f"{kind}-src": "'self'" for kind in ("img", "style", "script", "font", "connect")},
        "form-action": "'self'",
        "base-uri": "'none'",
        "frame-ancestors": "'none'",
    }
    assert headers["cache-control"] == "no-store"  # it names users, who may be erased
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("path", "query", "status"),
    [
        ("/item", {"id": "<script>alert(1)</script>"}, 404),
        ("/compare", {"by": "<b>no ranker"}, 404),
        ("/", {"act": "explode:1"}, 422),
        ("/", {"like": "x" * 300}, 422),
        ("/", {"q": "x" * 300}, 422),
        ("/shoppers", {"offset": "-1"}, 422),
        ("/", {"like": [str(number) for number in range(50)]}, 422),
        ("/", {"user": "a\nb"}, 422),
    ],
)
def test_what_fails_says_so(server: Served, path: str, query: dict[str, object], status: int) -> None:
    page = get(server, path, status, **query)
    assert "To the start" in page.text
    assert "Traceback" not in page.text


def test_it_comes_again_by_itself_while_the_run_is_loaded(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = threading.Event()
    from mmsrarec.serve.model.served_run import ServedRun

    load = ServedRun.load
    monkeypatch.setattr(ServedRun, "load", lambda *args: gate.wait(30) and load(*args))
    app = create_app(ServeSettings(finished / "run", str(tmp_path / "s.sqlite")))
    with TestClient(app, "http://127.0.0.1") as client:
        for path in PAGES:
            answer = client.get(path)
            page = ServedPage(answer.text, answer.headers)
            is_sound(page)
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
            assert page.values("meta", "content")[-1] == "2"
            assert "Nearly there" in page.text
        gate.set()
        app.state.loading.join(30)
        assert client.get("/").status_code == 200


def test_a_run_that_cannot_be_loaded_is_said(tmp_path: Path) -> None:
    with called(ServeSettings(tmp_path / "nothing", str(tmp_path / "s.sqlite"))) as server:
        assert "is not a run" in get(server, "/", 503).text


def test_a_full_queue_is_said_and_tried_again(finished: Path, tmp_path: Path) -> None:
    with served(finished / "run", tmp_path / "s.sqlite", queue=1, batch=1) as server:
        gate, started = threading.Event(), threading.Event()
        server.service.model.submit(lambda run: (started.set(), gate.wait(30)))
        assert started.wait(10)
        server.service.model.submit(lambda run: None)
        page = get(server, "/", 429, user=server.user())
        assert int(page.headers["retry-after"]) >= 1
        gate.set()
