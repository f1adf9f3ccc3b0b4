"""DELETE of a user: no file of the state, of the run or of the one before holds the id; the others are as before."""

import shutil
import time
from pathlib import Path

import pytest
from served import served

from mmsrarec.core.artefacts import finished_under, read_manifest, verify
from mmsrarec.runs.changes.erasure import ERASED


def holding(folder: Path, word: str) -> list[str]:
    return [path.name for path in folder.rglob("*") if path.is_file() and word.encode() in path.read_bytes()]


def test_no_file_holds_the_id(mine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (mine / "tiny.toml").unlink()
    recipe = mine / "run" / "recipe.toml"
    recipe.write_text(recipe.read_text().replace("/data", "/nowhere"))  # an exported run: its data are elsewhere
    with served(mine / "run", mine / "state.sqlite") as server:
        user, other = server.user(7), server.user(8)
        for place in range(5):
            server.ok("POST", "/v1/events", {"user": user, "item": "001", "key": f"{user}/{place}"})
        server.ok("PUT", f"/v1/users/{user}/keywords", {"more": ["red"]})
        server.ask(user=user)
        server.ok("POST", "/v1/rerank", {"query": user, "documents": ["001"]})
        server.ask(history=["001", user])  # answers to others that name the id
        server.ask(user=other, exclude=[user])
        before = server.ask(user=other, k=60)["items"]
        assert holding(mine, user)
        receipt = server.ok("DELETE", f"/v1/users/{user}")
        assert (receipt["run"], receipt["events"]) == ("erased", 5)
        assert user not in receipt["receipt"]
        assert holding(mine, user) == []
        server.ok("GET", f"/v1/users/{user}", status=404)
        assert server.ask(user=user)["origin"] == "cold"
        after = server.ask(user=other, k=60)["items"]
        assert {item["item_id"] for item in after} == {item["item_id"] for item in before}
        log = server.recommender.dataset.interactions
        assert not len(log.items_of(7))
        assert 7 not in server.recommender.retrieval.neighbours.train.user
        again = server.ok("DELETE", f"/v1/users/{user}")
        assert (again["run"], again["events"]) == ("absent", 0)
    for part in finished_under(mine / "run"):
        verify(part)
    adapter = mine / "run" / "recommend" / "leave-one-out" / "whole"
    assert read_manifest(adapter)["inputs"][ERASED] == "1"
    with served(mine / "run", mine / "state.sqlite") as server:
        assert server.ask(user=other, k=60)["items"] == after


def test_the_data_folder_and_the_runs_beside_are_reached(alone: Path) -> None:
    shutil.copytree(alone / "run", alone / "second")
    with served(alone / "run", alone / "state.sqlite") as server:
        user, other = server.user(3), server.user(4)
        server.ok("POST", "/v1/events", {"user": user, "item": "001"})
        receipt = server.ok("DELETE", f"/v1/users/{user}")
        assert (receipt["run"], receipt["events"]) == ("erased", 1)
        assert any("mmsrarec erase" in line for line in receipt["not_reached"])
        assert user not in str(receipt)
        assert holding(alone, user) == []
        assert server.ask(user=user)["origin"] == "cold"
        assert server.ok("POST", "/v1/run", {"name": "second"})["run"] == "second"
        assert server.ask(user=user)["origin"] == "cold"
        assert server.ask(user=other)["origin"] == "warm"


def test_data_that_were_written_by_hand_are_pointed_out(alone: Path) -> None:
    (alone / "data" / "manifest.json").unlink()
    with served(alone / "run", alone / "state.sqlite") as server:
        answer = server.ok("DELETE", f"/v1/users/{server.user(3)}")
        assert any("data folder" in note and "mmsrarec erase" in note for note in answer["notes"])
    with served(alone / "run", alone / "state.sqlite", data=alone / "data") as server:
        user = server.user(5)
        assert server.ok("DELETE", f"/v1/users/{user}")["run"] == "erased"
    assert holding(alone, user) == []


def test_the_other_server_of_the_same_folder_forgets_too(alone: Path, place: str) -> None:
    with served(alone / "run", place) as one, served(alone / "run", place) as other:
        user = one.user(6)
        assert other.ask(user=user)["origin"] == "warm"
        receipt = one.ok("DELETE", f"/v1/users/{user}")
        until = time.monotonic() + 30
        while user in other.recommender.dataset.user_code and time.monotonic() < until:
            time.sleep(0.05)
        assert any("machines" in line for line in receipt["not_reached"]) == ("://" in place)
        assert holding(alone, user) == []
        assert other.ask(user=user)["origin"] == "cold"


def test_a_user_of_events_alone_is_absent_from_the_run(mine: Path) -> None:
    with served(mine / "run", mine / "state.sqlite") as server:
        server.ok("POST", "/v1/events", {"user": "visitor-77", "item": "001"})
        run = server.service.run()
        answer = server.ok("DELETE", "/v1/users/visitor-77")
        assert (answer["run"], answer["events"], answer["notes"]) == ("absent", 1, [])
        assert server.service.run() is run  # nothing had to be loaded anew
    assert holding(mine, "visitor-77") == []
