"""Whatever is sent, the answer says what is wrong, and nothing fails inside (5xx)."""

import json

import pytest
from served import Served

JSON = {"content-type": "application/json"}
ROUTES = ("/v1/recommend", "/v1/rerank", "/v1/similar", "/v1/events", "/v1/run")
BODIES = (
    *(b"", b"null", b"[]", b"{", b"\xff\xfe", b"[" * 100_000, b'{"a": NaN}', b"9" * 5000, b'"text"', b"{}" * 3),
    *(
        b'{"user": "\\ud800"}',
        b'{"\\ud800": 1}',
        b'{"user": "a\\u0000b"}',
        b'{"k": 1e999}',
        b'{"k": 1.5}',
        b'{"k": true}',
    ),
    *(b'{"history": [[]]}', b'{"boosts": {"a": "x"}}', b'{"user": ["a"]}', b'{"user": 1e20}', b'{"k": -1}'),
    *(b'{"query": 1, "documents": [1]}', b'{"query": "\\ud800", "documents": ["\\ud800"]}', b'{"documents": []}'),
    *(b'{"items": []}', b'{"items": ["\\u0000"]}', b'{"events": []}', b'{"events": [1]}', b'{"name": ".."}'),
    *(b'{"user": "u", "item": "i", "time": -1}', b'{"user": "u", "item": "i", "kind": "eat"}'),
)
PATHS = ("%00", "..%2F..%2Fetc", "%ff%fe", "a" * 300, "%0A", "😀", "a/../b", "%2F", "'; DROP TABLE items;--")


@pytest.mark.parametrize("route", ROUTES)
def test_bodies_that_are_wrong(server: Served, route: str) -> None:
    for body in BODIES:
        answer = server.client.post(route, content=body, headers=JSON)
        assert 400 <= answer.status_code < 500, (body, answer.text)
        assert answer.json()["detail"], body


MALFORMED = (b"{", b"{}" * 3, b"\xff\xfe", b"[" * 100_000, b"{'a': 1}", b'{"a": 1,}', b"no JSON")


@pytest.mark.parametrize("route", ROUTES)
def test_a_body_that_is_no_json_is_400(server: Served, route: str) -> None:
    for body in MALFORMED:
        answer = server.client.post(route, content=body, headers=JSON)
        assert (answer.status_code, bool(answer.json()["detail"])) == (400, True), body


@pytest.mark.parametrize("content_type", [None, "text/plain", "application/x-www-form-urlencoded", "image/png"])
@pytest.mark.parametrize("route", ROUTES)
def test_a_body_of_another_type_is_415(server: Served, route: str, content_type: str | None) -> None:
    headers = {} if content_type is None else {"content-type": content_type}
    answer = server.client.post(route, content=b'{"user": "u"}', headers=headers)
    assert answer.status_code == 415
    assert "application/json" in answer.json()["detail"]


def test_json_of_a_special_kind_is_json(server: Served) -> None:
    for content_type in ("application/json; charset=utf-8", "application/vnd.shop+json"):
        answer = server.client.post("/v1/recommend", content=b'{"k": 1}', headers={"content-type": content_type})
        assert answer.status_code == 200


@pytest.mark.parametrize("path", ["%ff", "%fe", "a%c3", "a%ed%a0%80", "\ufffd"])
def test_an_id_that_is_no_utf_8_is_refused(server: Served, path: str) -> None:
    for method, body in (("PUT", {"title": "A lamp"}), ("GET", None), ("DELETE", None)):
        assert "UTF-8" in server.ok(method, f"/v1/items/{path}", body, 422)["detail"]
    server.ok("DELETE", f"/v1/users/{path}", status=422)
    server.ok("PUT", f"/v1/users/{path}/keywords", {"more": ["red"]}, 422)
    server.ok("POST", "/v1/events", {"user": "\ufffd", "item": "001"}, 422)


@pytest.mark.parametrize(
    ("route", "body", "detail"),
    [
        ("/v1/events", {"events": []}, "body.events: List should have at least 1 item"),
        ("/v1/events", {"events": [{"user": "u", "item": "i", "kind": "eat"}]}, "body.events.0.kind: Input should be"),
        ("/v1/rerank", {"query": None, "documents": []}, "body.query: Input should be a valid string or a valid list"),
        ("/v1/rerank", {"query": "q", "documents": [1]}, "body.documents.0: Input should be a valid string or an obj"),
    ],
)
def test_the_field_is_named(server: Served, route: str, body: dict, detail: str) -> None:
    assert server.ok("POST", route, body, 422)["detail"].startswith(detail)


@pytest.mark.parametrize("kind", ["items", "users"])
@pytest.mark.parametrize("path", PATHS)
def test_paths_that_are_odd(server: Served, kind: str, path: str) -> None:
    answer = server.client.get(f"/v1/{kind}/{path}")
    assert answer.status_code in (404, 422, 200), answer.text
    if kind == "items":
        assert server.client.delete(f"/v1/{kind}/{path}").status_code in (404, 422)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("k", 101),
        ("history", ["a"] * 1001),
        ("history", ["a" * 257]),
        ("among", ["a"] * 10_001),
        ("pinned", ["a"] * 21),
        ("boosts", {"a": 6}),
        ("boosts", {str(number): 1 for number in range(101)}),
        ("more", ["a"] * 9),
        ("categories", ["a"] * 51),
        ("max_per_category", 0),
        ("unknown_field", 1),
    ],
)
def test_limits_of_a_question(server: Served, field: str, value: object) -> None:
    answer = server.ok("POST", "/v1/recommend", {field: value}, 422)
    assert answer["problems"][0]["place"].startswith(f"body.{field}")


def test_what_was_sent_is_not_repeated(server: Served) -> None:
    answer = server.client.post("/v1/recommend", json={"user": "secret-" * 60})
    assert answer.status_code == 422
    assert "secret" not in answer.text


def test_ids_are_opaque(own: Served) -> None:
    for item_id in ("007", "7", " 7", "7.0", "Ä", "A\u0308", "<b>", "a|b"):
        own.ok("PUT", f"/v1/items/{item_id}", {"title": f"lamp {json.dumps(item_id)}"})
    assert own.ok("GET", "/v1/items/007")["title"] == 'lamp "007"'
    assert own.ok("POST", "/v1/recommend", {"history": [7], "among": ["001"]})["origin"] == "session"
