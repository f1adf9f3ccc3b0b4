"""How the client sends calls: again where that helps and does no harm, and every failure as an error of its kind."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("httpx2")
import mmsrarec_client
from clients.scripted_server import scripted
from mmsrarec_client import BusyError, CallError, Client, InvalidError, NoAnswerError, ServerError, UnavailableError

SOURCE = Path(mmsrarec_client.__file__).parents[1]
JSON = {"content-type": "application/json"}
OK = (200, JSON, '{"accepted": 1, "duplicates": 0, "unknown_items": []}')
AT_ONCE = {**JSON, "retry-after": "0"}
EVENT = {"user": "1", "item": "2"}


def test_it_needs_nothing_of_the_library() -> None:
    code = "import sys, mmsrarec_client; print(sorted(name for name in sys.modules if name.startswith('mmsrarec')))"
    command = [sys.executable, "-S", "-c", f"import sys; sys.path[:0] = {[str(SOURCE), *site_folders()]!r}; {code}"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert all(name.startswith("'mmsrarec_client") for name in done.stdout.strip("[]\n").split(", "))


def site_folders() -> list[str]:
    return [path for path in sys.path if path.endswith("site-packages")]


@pytest.mark.parametrize("status", [429, 503])
def test_what_was_not_taken_is_sent_again(status: int) -> None:
    with scripted((status, AT_ONCE, '{"detail": "busy"}'), None, OK) as server, Client(server.url) as client:
        assert client.events([EVENT])["accepted"] == 1
    assert len(server.asked) == 3
    keys = {body["events"][0]["key"] for _, _, body in server.asked}
    assert len(keys) == 1  # the server counts it once
    assert all(len(key) == 32 for key in keys)


def test_a_key_of_the_caller_is_kept() -> None:
    with scripted(OK) as server, Client(server.url) as client:
        client.events([EVENT | {"key": "order-17"}, EVENT | {"key": None}, EVENT])
    keys = [event["key"] for event in server.asked[0][2]["events"]]
    assert keys[0] == "order-17"
    assert len(set(keys)) == 3


def test_what_may_have_happened_is_not_done_twice() -> None:
    with scripted(None) as server, Client(server.url) as client:
        with pytest.raises(NoAnswerError, match="no answer from http://127"):
            client.activate("other")
        server.replies = [(503, AT_ONCE, "{}"), (200, JSON, '{"run": "other", "previous": "run"}')]
        assert client.activate("other")["run"] == "other"
    assert [path for _, path, _ in server.asked] == ["/v1/run"] * 3


@pytest.mark.parametrize(("status", "kind"), [(429, BusyError), (503, UnavailableError)])
def test_it_gives_up_after_the_last_try(status: int, kind: type[CallError]) -> None:
    replies = [(status, AT_ONCE, '{"detail": "64 questions wait"}')] * 2
    with (
        scripted(*replies) as server,
        Client(server.url, retries=1) as client,
        pytest.raises(kind, match="64 questions wait") as failure,
    ):
        client.recommend(user="1")
    assert (failure.value.status, len(server.asked)) == (status, 2)


def test_it_waits_as_long_as_the_server_says() -> None:
    with scripted((429, {"retry-after": "1"}, ""), OK) as server, Client(server.url) as client:
        started = time.monotonic()
        client.events([EVENT])
        assert time.monotonic() - started >= 1


def test_nobody_there_is_an_error_of_one_line() -> None:
    with scripted() as server:
        pass
    with Client(server.url, retries=1) as client, pytest.raises(NoAnswerError, match="no answer from") as failure:
        client.run()
    assert (failure.value.status, "\n" in str(failure.value)) == (0, False)


def test_a_failure_has_the_servers_line_and_the_request_id() -> None:
    body = {"detail": "body.k: too large", "problems": [{"place": "body.k", "message": "too large"}]}
    replies = [(422, {**JSON, "x-request-id": "abc"}, json.dumps(body)), (500, JSON, "[]"), (502, {}, "<html>")]
    with scripted(*replies) as server, Client(server.url) as client:
        with pytest.raises(InvalidError, match=r"^body\.k: too large$") as failure:
            client.recommend(k=1000)
        assert (failure.value.request_id, failure.value.problems) == ("abc", body["problems"])
        for _ in range(2):
            with pytest.raises(ServerError, match="HTTP status 50"):
                client.recommend()


def test_an_answer_that_is_damaged_is_an_error() -> None:
    reply = (200, JSON, '{"run":')
    with scripted(reply) as server, Client(server.url) as client, pytest.raises(NoAnswerError, match="damaged"):
        client.run()
