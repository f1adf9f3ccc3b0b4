"""deploy/gorse.toml against a running server: what Gorse sends is understood, and it gets what it reads."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("dukpy")
from gorse import Feedback, Gorse, GorseError, Item, User

if TYPE_CHECKING:
    from served import Running

RECIPE = Path(__file__).parents[2] / "deploy" / "gorse.toml"
KEY = "correct-horse-battery"
NAMES = [f"{number:03}" for number in range(10, 30)]
CLICKS = [Feedback("click", name, at) for at, name in enumerate(["003", "001", "002"])]


def config(url: str, key: str = KEY) -> dict[str, Any]:
    """The recipe as somebody uses it: with their address and key."""
    text = RECIPE.read_text(encoding="utf-8").replace("http://mmsrarec:8000", url)
    return tomllib.loads(text.replace("PUT-THE-KEY-HERE", key))


@pytest.fixture
def gorse(keyed_server: "Running") -> Gorse:
    worker = Gorse(config(keyed_server.url))
    worker.check()
    return worker


def test_candidates_are_ranked_by_the_history_oldest_first(gorse: Gorse, keyed_server: "Running") -> None:
    ranking = gorse.rank(User("u-of-gorse"), CLICKS[::-1], [Item(name) for name in NAMES])
    scores = keyed_server.recommender.score(NAMES, history=["003", "001", "002"])
    assert [name for name, _ in ranking] == sorted(NAMES, key=lambda name: -scores[name])
    assert gorse.calls[0]["query"] == '["002", "001", "003"]'
    assert set(gorse.calls[0]) == {"model", "query", "documents"}


def test_no_candidate_is_lost(gorse: Gorse) -> None:
    names = [*NAMES, "nowhere", "not in the run", ""]
    ranking = gorse.rank(User("u"), CLICKS, [Item(name) for name in names])
    assert sorted(name for name, _ in ranking) == sorted(names)
    assert gorse.rank(User("u"), CLICKS, []) == []


@pytest.mark.parametrize("name", ['a, "b" <c> & d', "'quoted'", "back\\slash", "ein Ärgernis", "{{ 1 + 1 }}"])
def test_ids_of_any_form_are_understood(gorse: Gorse, keyed_server: "Running", name: str) -> None:
    keyed_server.client.put_item(name, title="A red mug", text="of clay")
    ranking = gorse.rank(User("u"), [Feedback("like", name, 1)], [Item("010"), Item(name)])
    scores = keyed_server.recommender.score(["010", name], history=[name])
    assert [one for one, _ in ranking] == sorted(scores, key=lambda one: -scores[one])
    answer = keyed_server.client.rerank(query=gorse.calls[0]["query"], documents=gorse.calls[0]["documents"])
    assert answer["meta"] == {"origin": "session", "run": "run", "by_words": [], "left_out": [], "notes": []}


def test_only_positive_feedback_is_sent(gorse: Gorse) -> None:
    gorse.rank(User("u"), [*CLICKS, Feedback("read", "009", 9)], [Item("010")])
    gorse.rank(User("u"), [], [Item("010"), Item("011")])
    assert [call["query"] for call in gorse.calls] == ['["002", "001", "003"]', "[]"]


def test_the_recipe_avoids_what_turns_the_reranker_off(gorse: Gorse) -> None:
    items = [Item(name) for name in NAMES]
    assert len(gorse.rank(User("u"), CLICKS, items)) == len(gorse.calls[0]["documents"]) == len(items)
    gorse.config["openai"]["chat_completion_model"] = ""
    assert gorse.rank(User("u"), CLICKS, items) == [(name, 0.0) for name in NAMES]
    assert len(gorse.calls) == 1
    gorse.config["openai"] = {"chat_completion_model": "any"}
    with pytest.raises(TimeoutError):
        gorse.rank(User("u"), CLICKS, items)


def test_it_asks_no_more_at_once_than_may_wait(gorse: Gorse, keyed_server: "Running") -> None:
    assert 1 <= gorse.config["openai"]["chat_completion_rpm"] <= keyed_server.service.settings.queue


def test_as_many_candidates_as_the_recipe_brings_fit_into_a_call(gorse: Gorse) -> None:
    recommend = gorse.config["recommend"]
    most = recommend["cache_size"] * len(recommend["ranker"]["recommenders"])
    assert most <= 1000
    items = [Item(f"unknown {number}") for number in range(1001)]
    assert len(gorse.rank(User("u"), CLICKS, items[:most])) == most
    with pytest.raises(GorseError, match="status: 422"):
        gorse.rank(User("u"), CLICKS, items)


def test_a_wrong_key_is_an_error_with_its_reason(keyed_server: "Running") -> None:
    worker = Gorse(config(keyed_server.url, key="another-key-of-somebody"))
    with pytest.raises(GorseError, match=r"status: 401, body: .*the key is missing or wrong"):
        worker.rank(User("u"), CLICKS, [Item("010")])
    with pytest.raises(GorseError, match=r"401 .*the key is missing or wrong"):
        worker.external("mmsrarec", "u")


def test_the_external_recommender_gives_what_the_server_recommends(gorse: Gorse, keyed_server: "Running") -> None:
    user = keyed_server.recommender.dataset.user_ids[2]
    answer = keyed_server.client.recommend(user=user, k=100, reasons=False)
    ids = gorse.external("mmsrarec", user)
    assert ids == [item["item_id"] for item in answer["items"]]
    assert len(ids) > 20
    assert gorse.external("mmsrarec", 'nobody "of" this\nname'.replace("\n", " "))


def placeholders() -> Iterator[str]:
    yield from re.findall(r"http://[^/]+|PUT-[A-Z-]+", RECIPE.read_text(encoding="utf-8"))


def test_the_recipe_has_one_address_and_one_key_to_fill_in() -> None:
    assert set(placeholders()) == {"http://mmsrarec:8000", "PUT-THE-KEY-HERE"}
