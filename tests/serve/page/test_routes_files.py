"""Pictures and static files: their types, how long they may be kept, and what is not there."""

import pytest
from served import Served

from mmsrarec.serve.page.page_templates import static_address, static_files


def test_every_item_has_a_picture_of_some_kind(server: Served) -> None:
    items = server.recommender.dataset.items[:20]
    damaged = next(item for item in items if item.image is not None)
    for item in items:
        for size in ("small", "large"):
            answer = server.client.get("/picture", params={"id": item.item_id, "size": size})
            assert answer.status_code == 200
            kind = "image/webp" if item.image is not None and item is not damaged else "image/svg+xml"
            assert answer.headers["content-type"] == kind
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert "default-src 'none'" in answer.headers["content-security-policy"]


def test_a_picture_that_is_there_already_is_not_sent_again(server: Served) -> None:
    query = {"id": server.recommender.dataset.items[0].item_id}
    first = server.client.get("/picture", params=query)
    again = server.client.get("/picture", params=query, headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    other = server.client.get("/picture", params=query, headers={"If-None-Match": '"other"'})
    assert other.content == first.content


@pytest.mark.parametrize(
    ("query", "status"),
    [({"id": "../../etc/passwd"}, 404), ({}, 422), ({"id": "\0"}, 422), ({"id": "x", "size": "huge"}, 422)],
)
def test_what_is_no_item_has_none(server: Served, query: dict[str, str], status: int) -> None:
    assert server.client.get("/picture", params=query).status_code == status


def test_a_deleted_item_has_none(own: Served) -> None:
    item_id = own.recommender.dataset.items[0].item_id
    own.ok("DELETE", f"/v1/items/{item_id}", status=204)
    assert own.client.get("/picture", params={"id": item_id}).status_code == 404


def test_static_files_are_kept_for_ever(server: Served) -> None:
    for name, body in static_files().items():
        answer = server.client.get(f"/{static_address(name)}")
        assert answer.content == body
        assert "immutable" in answer.headers["cache-control"]
    assert server.client.get("/static/serve.css").headers["content-type"] == "text/css; charset=utf-8"
    assert server.client.get("/static/serve.js").headers["content-type"] == "text/javascript; charset=utf-8"


@pytest.mark.parametrize("name", ["nothing.css", "..%2Fpage_templates.py", "%00"])
def test_no_other_file_is_sent(server: Served, name: str) -> None:
    assert server.client.get(f"/static/{name}").status_code in (404, 422)
