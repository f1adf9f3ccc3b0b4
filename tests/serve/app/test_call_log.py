"""A call has an id and one line of JSON, which names no user; a crash is one line, and an answer with the id."""

import io
import json
import logging
from collections.abc import Iterator

import pytest
from served import Served

from mmsrarec.serve.app.call_log import JsonLines


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """What the server's logger writes."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines())
    logger = logging.getLogger("mmsrarec.serve")
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield stream
    logger.removeHandler(handler)
    logger.setLevel(level)


def test_a_call_is_one_line_without_the_user(server: Served, lines: io.StringIO) -> None:
    server.client.get(f"/v1/users/{server.user()}", headers={"X-Request-Id": "mine-1"})
    (line,) = lines.getvalue().splitlines()
    record = json.loads(line)
    assert record["request_id"] == "mine-1"
    assert (record["method"], record["route"], record["status"]) == ("GET", "/v1/users/{user_id}", 200)
    assert record["ms"] > 0
    assert server.user() not in line


@pytest.mark.parametrize("given", ["", "a b", "x" * 65, "né", "a\tb", '{"a"'])
def test_a_foreign_id_is_replaced_where_it_is_none(server: Served, given: str) -> None:
    answer = server.client.get("/health/live", headers={"X-Request-Id": given.encode()})
    assert len(answer.headers["x-request-id"]) == 32


def test_health_is_not_written_down(server: Served, lines: io.StringIO) -> None:
    server.client.get("/health/live")
    server.client.get("/metrics")
    assert lines.getvalue() == ""


def test_a_crash_is_one_line(server: Served, lines: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*_: object) -> None:
        raise RuntimeError("over\nthere")

    monkeypatch.setattr(server.service, "similar", fail)
    answer = server.client.post("/v1/similar", json={"items": ["001"]})
    assert answer.status_code == 500
    assert "over" not in answer.text
    crash, call = (json.loads(line) for line in lines.getvalue().splitlines())
    assert crash["error"] == "over there"
    assert crash["where"]
    assert crash["request_id"] == call["request_id"] == answer.headers["x-request-id"]
    assert call["status"] == 500
