"""Bodies that are too large are refused, announced or streamed, before they are read whole."""

from collections.abc import Iterator

import pytest
from served import Served

MIB = 2**20
JSON = {"content-type": "application/json"}


def test_an_announced_body_is_refused_at_once(server: Served) -> None:
    answer = server.client.post("/v1/recommend", content=b" " * (MIB + 1), headers=JSON)
    assert answer.status_code == 413
    assert str(MIB) in answer.json()["detail"]


@pytest.mark.parametrize("path", ["/v1/recommend", "/v1/events", "/nowhere"])
def test_a_streamed_body_is_refused_when_it_grows(server: Served, path: str) -> None:
    parts = list[int]()

    def stream() -> Iterator[bytes]:
        for number in range(64):
            parts.append(number)
            yield b" " * (MIB // 4)

    answer = server.client.post(path, content=stream(), headers=JSON)
    assert answer.status_code in (413, 404)  # nobody reads the body of a path that is not there
    assert answer.status_code == 413 or path == "/nowhere"


def test_a_body_of_the_full_size_passes(server: Served) -> None:
    body = b'{"k": 1}'
    assert server.client.post("/v1/recommend", content=body + b" " * (MIB - len(body)), headers=JSON).status_code == 200


def test_an_item_may_be_larger(server: Served) -> None:
    answer = server.client.put("/v1/items/large", content=b"{" + b" " * 2 * MIB, headers=JSON)
    assert answer.status_code == 400  # it was read, and is no JSON
    assert server.client.put("/v1/items/large", content=b"x" * (28 * MIB + 1), headers=JSON).status_code == 413


@pytest.mark.parametrize("length", ["-1", "x", "9" * 30, "1e9"])
def test_a_false_length_changes_nothing(server: Served, length: str) -> None:
    answer = server.client.post("/v1/recommend", content=b'{"k": 1}', headers=JSON | {"content-length": length})
    assert answer.status_code in (200, 400, 413)
