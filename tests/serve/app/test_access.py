"""Who may call: with the key from anywhere, without one from this machine and from no foreign page."""

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest
from served import Served, called

from mmsrarec.serve.settings import ServeSettings

KEY = "correct-horse-battery"


@pytest.fixture(scope="module")
def locked_server(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    state = tmp_path_factory.mktemp("state") / "state.sqlite"
    with called(ServeSettings(finished / "run", str(state), host="0.0.0.0", key=KEY)) as running:
        yield running


def test_the_key_lets_in(locked_server: Served) -> None:
    locked_server.ok("POST", "/v1/recommend", {"k": 1})
    answer = locked_server.client.get("/v1/run", headers={"Authorization": "", "X-API-Key": KEY})
    assert answer.status_code == 200


@pytest.mark.parametrize("path", ["/v1/run", "/v1/items", "/metrics", "/openapi.json", "/nowhere", "/health/live/x"])
@pytest.mark.parametrize(
    "value", ["", "Bearer", f"Bearer {KEY}x", f"Bearer {KEY[:-1]}", f"Basic {KEY}", KEY, "Bearer ä"]
)
def test_nothing_else_does(locked_server: Served, path: str, value: str) -> None:
    answer = locked_server.client.get(path, headers={"Authorization": value.encode()})
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"


def password(text: str) -> dict[str, str]:
    return {"Authorization": f"Basic {base64.b64encode(text.encode()).decode()}", "Accept": "text/html"}


def test_a_browser_asks_its_user_for_the_key(locked_server: Served) -> None:
    answer = locked_server.client.get("/", headers={"Authorization": "", "Accept": "text/html,*/*"})
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Basic ")
    assert locked_server.client.get("/", headers=password(f"anybody:{KEY}")).status_code == 200
    for wrong in (f"{KEY}:", KEY, "a:b", f"a:{KEY}x", ""):
        assert locked_server.client.get("/", headers=password(wrong)).status_code == 401
    damaged = {"Authorization": "Basic ###"}
    assert locked_server.client.get("/", headers=damaged).status_code == 401


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_a_password_changes_nothing(locked_server: Served, method: str) -> None:
    """A foreign page can make a browser send it."""
    answer = locked_server.client.request(method, "/v1/items/x", headers=password(f"a:{KEY}"), json={"title": "x"})
    assert answer.status_code == 401


def test_health_is_open(locked_server: Served) -> None:
    for path in ("/health/live", "/health/ready"):
        assert locked_server.client.get(path, headers={"Authorization": ""}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "evil.example:8000"},
        {"Host": ""},
        {"Host": "[::"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Host": "127.0.0.1.evil.example"},
    ],
)
def test_without_a_key_foreign_pages_stay_out(server: Served, headers: dict[str, str]) -> None:
    answer = server.client.get("/v1/run", headers=headers)
    assert answer.status_code == 403
    assert "key" in answer.json()["detail"]


@pytest.mark.parametrize(
    "headers", [{"Host": "localhost:8000"}, {"Host": "[::1]:8000"}, {"Origin": "http://localhost:8000"}]
)
def test_without_a_key_this_machine_may_call(server: Served, headers: dict[str, str]) -> None:
    assert server.client.get("/v1/run", headers=headers).status_code == 200
