"""The client against a running server: every kind of call, and the server's errors as errors of their kind."""

import inspect
import io
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("httpx2")
pytest.importorskip("torch")
from mmsrarec_client import Client, InvalidError, NotFoundError, TooLargeError, UnauthorisedError, __version__
from PIL import Image

if TYPE_CHECKING:
    from served import Running

KEY = "correct-horse-battery"


@pytest.fixture
def running(alone: Path, tmp_path: Path) -> "Iterator[Running]":
    from served import listening

    from mmsrarec.serve.settings import ServeSettings

    with listening(ServeSettings(alone / "run", str(tmp_path / "state.sqlite"), key=KEY)) as server:
        yield server


def picture() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (32, 32), "red").save(file, "PNG")
    return file.getvalue()


def test_it_asks_tells_and_erases(running: "Running") -> None:
    client, user = running.client, running.recommender.dataset.user_ids[0]
    answer = client.recommend(user=user, k=3, reasons=False)
    assert [item["rank"] for item in answer["items"]] == [1, 2, 3]
    assert (answer["origin"], client.recommend(history=["001"], k=1, reasons=False)["origin"]) == ("warm", "session")
    first = answer["items"][0]["item_id"]
    ranked = client.rerank(user, [first, {"id": "002"}], top_n=1, return_documents=True)
    assert ranked["results"][0]["document"]
    assert client.similar([first], k=2)["items"][0]["item_id"] == first
    added = client.events([{"user": user, "item": first, "kind": "click", "key": "one"}, {"user": user, "item": "999"}])
    assert added == {"accepted": 2, "duplicates": 0, "unknown_items": ["999"]}
    assert client.events([{"user": user, "item": first, "key": "one"}])["duplicates"] == 1
    assert client.user(user)["history"][-2:] == [first, "999"]
    assert first not in [item["item_id"] for item in client.recommend(user=user, k=60, reasons=False)["items"]]
    assert client.set_keywords(user, more=["red"])["more"] == ["red"]
    receipt = client.erase_user(user)
    assert (receipt["events"], receipt["run"]) == (2, "erased")
    assert client.user(running.recommender.dataset.user_ids[1])["in_run"]


def test_items_join_change_and_go(running: "Running") -> None:
    client = running.client
    for name in ("new", "a/b", "../..", ".", "100% of ü?#", "%2F", "a b+c"):
        item = client.put_item(name, title="A red mug", text="of clay", categories=["Kitchen"], picture=picture())
        assert (item["item_id"], item["has_picture"], item["recommendable"]) == (name, True, True)
        assert client.item(name) == {**item, "notes": client.item(name)["notes"]}
    assert client.items(q="red mug", category="Kitchen", limit=2)["total"] >= 7
    assert not client.patch_item("new", in_stock=False)["recommendable"]
    client.delete_item("new")
    with pytest.raises(NotFoundError, match="new"):
        client.item("new")


def test_the_run_and_its_health(running: "Running") -> None:
    client = running.client
    assert client.run() == {"run": "run", "previous": None}
    assert client.activate("run")["previous"] == "run"
    assert client.roll_back()["run"] == "run"
    assert (client.live(), client.ready()["run"]) == ({"status": "alive"}, "run")
    assert "mmsrarec_requests_total" in client.metrics()
    assert running.app.openapi()["info"]["version"] == __version__


def test_errors_are_of_their_kind(running: "Running") -> None:
    client = running.client
    with pytest.raises(InvalidError, match=r"body\.k: ") as failure:
        client.recommend(k=1000)
    assert failure.value.status == 422
    assert failure.value.request_id
    assert failure.value.problems[0]["place"] == "body.k"
    with pytest.raises(NotFoundError, match="nothing is known"):
        client.user("nobody at all")
    with pytest.raises(TooLargeError, match="larger than"):
        client.rerank("1", ["x" * 20_000] * 60)
    with Client(running.url) as stranger, pytest.raises(UnauthorisedError, match="the key is missing or wrong"):
        stranger.run()


def test_every_call_of_the_server_is_a_method(running: "Running") -> None:
    operations = [one for path in running.app.openapi()["paths"].values() for one in path.values()]
    methods = [name for name, _ in inspect.getmembers(Client, inspect.isfunction) if not name.startswith("_")]
    assert len(operations) == len([name for name in methods if name != "close"])
