"""Two servers on one database, of both kinds: what one is told, the other answers by, after a tenth of a second."""

import io
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image
from served import Served, served

from mmsrarec.serve.following import SECONDS
from mmsrarec.serve.state import change_log


def soon(holds: Callable[[], bool], seconds: float = 20.0) -> bool:
    """Whether something holds at last; a machine may be busy."""
    until = time.monotonic() + seconds
    while not holds() and time.monotonic() < until:
        time.sleep(0.02)
    return holds()


def status(server: Served, method: str, path: str) -> int:
    return server.client.request(method, path).status_code


@pytest.fixture
def pair(finished: Path, place: str) -> Iterator[tuple[Served, Served]]:
    with served(finished / "run", place) as one, served(finished / "run", place) as other:
        yield one, other


def test_the_delay_is_short() -> None:
    assert SECONDS <= 0.1


def test_an_event_changes_the_answers_of_the_other(pair: tuple[Served, Served]) -> None:
    one, other = pair
    user = one.user(4)
    before = other.ask(user=user)
    assert other.ask(user=user)["cached"]
    refused = before["items"][0]["item_id"]
    one.ok("POST", "/v1/events", {"user": user, "item": refused, "kind": "not_interested"})
    assert soon(lambda: refused not in other.ids(user=user))
    one.ok("PUT", f"/v1/users/{user}/keywords", {"more": ["red"]})
    assert soon(lambda: other.ok("GET", f"/v1/users/{user}")["more"] == ["red"])


def test_somebody_new_is_known_to_both(pair: tuple[Served, Served]) -> None:
    one, other = pair
    assert other.ask(user="visitor")["origin"] == "cold"
    one.ok("POST", "/v1/events", {"user": "visitor", "item": "001"})
    assert soon(lambda: other.ask(user="visitor")["origin"] == "session")


def test_an_item_is_the_others_too(pair: tuple[Served, Served]) -> None:
    one, other = pair
    out = io.BytesIO()
    Image.new("RGB", (64, 48), "red").save(out, "PNG")
    picture = b64encode(out.getvalue()).decode()
    one.ok("PUT", "/v1/items/joined", {"title": "A mug of red clay", "picture": picture})
    assert soon(lambda: status(other, "GET", "/v1/items/joined") == 200)
    assert other.ok("GET", "/v1/items/joined") == one.ok("GET", "/v1/items/joined")
    shown = [server.client.get("/picture", params={"id": "joined"}).content for server in pair]
    assert shown[0] == shown[1]
    assert other.ids(user=other.user(), among=["joined", "001"], allow_seen=True)
    other.ok("PATCH", "/v1/items/joined", {"in_stock": False})
    assert soon(lambda: not one.ok("GET", "/v1/items/joined")["in_stock"])
    assert one.ok("GET", "/v1/items/joined")["title"] == "A mug of red clay"
    one.ok("DELETE", "/v1/items/joined", status=204)
    assert soon(lambda: status(other, "GET", "/v1/items/joined") == 404)


def test_both_write_the_same_item_and_agree_in_the_end(pair: tuple[Served, Served]) -> None:
    for number in range(6):
        pair[number % 2].ok("PUT", "/v1/items/both", {"title": f"Title {number}"})
    titles = lambda: {server.ok("GET", "/v1/items/both")["title"] for server in pair}  # noqa: E731
    assert soon(lambda: titles() == {"Title 5"})


def test_who_is_erased_by_one_is_gone_from_the_other(pair: tuple[Served, Served]) -> None:
    one, other = pair
    other.ok("POST", "/v1/events", {"user": "visitor-4711", "item": "001"})
    assert other.ask(user="visitor-4711")["origin"] == "session"
    one.ok("DELETE", "/v1/users/visitor-4711")
    assert soon(lambda: other.service.users.get("visitor-4711") is None and not len(other.service.cache))
    assert other.service.erasures == one.service.erasures == 1
    assert status(other, "GET", "/v1/users/visitor-4711") == 404
    assert other.ask(user="visitor-4711")["origin"] == "cold"


def test_an_answer_of_before_the_others_erasure_is_not_kept(pair: tuple[Served, Served]) -> None:
    """This server has not heard of the erasure yet when it wants to keep its answer."""
    import asyncio

    from state_tables import tables_hold

    one, other = pair
    other.ok("POST", "/v1/events", {"user": "late-4711", "item": "001"})
    answer = asyncio.run(other.service._ask(question := _question("late-4711")))
    one.ok("DELETE", "/v1/users/late-4711")
    other.service._store("digest", question.body.user, answer, 0)
    other.service.state.submit(change_log.newest_change).result()  # what was handed in before is done
    assert tables_hold(other.service.state.engine, "late-4711") == []


def _question(user: str):
    from mmsrarec.serve.model.served_run import Question
    from mmsrarec.serve.schema.recommending import RecommendAsked

    return Question(RecommendAsked(user=user, reasons=False))


def test_who_missed_too_much_takes_everything_for_changed(
    pair: tuple[Served, Served], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = pair
    assert other.ask(user="visitor")["origin"] == "cold"
    monkeypatch.setattr(change_log, "MAX_KEPT", -1)
    one.ok("PUT", "/v1/items/joined", {"title": "A mug"})
    one.ok("POST", "/v1/events", {"user": "visitor", "item": "joined"})
    assert soon(lambda: status(other, "GET", "/v1/items/joined") == 200)
    assert soon(lambda: other.ask(user="visitor")["origin"] == "session")


def test_an_item_that_came_while_the_run_was_loading_is_there(finished: Path, place: str) -> None:
    with served(finished / "run", place) as one:
        one.ok("PUT", "/v1/items/joined", {"title": "A mug"})
        with served(finished / "run", place) as late:
            assert late.ok("GET", "/v1/items/joined")["title"] == "A mug"


def test_a_state_in_memory_has_nobody_to_follow(finished: Path) -> None:
    with served(finished / "run", "sqlite://") as server:
        server.ok("PUT", "/v1/items/joined", {"title": "A mug"})
        assert server.ok("GET", "/v1/items/joined")["title"] == "A mug"
