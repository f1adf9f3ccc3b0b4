"""Texts that attack, sent through the API: other items' scores stay, and the attacker's own gain is small."""

import statistics

import pytest
from attacks import ATTACKS, HARMLESS
from served import Served


def scores(server: Served, user: str) -> dict[str, float]:
    return {item["item_id"]: item["score"] for item in server.ask(user=user, k=100)["items"]}


def rank(server: Served, user: str) -> int:
    """The attacker's place among all items."""
    return server.ids(user=user, k=100).index("attacker") + 1


def test_an_attack_changes_no_other_score_and_gains_little(own: Served) -> None:
    users = [own.user(number) for number in (0, 9, 18)]
    own.ok("PUT", "/v1/items/attacker", {"title": "Oak lamp", "text": HARMLESS})
    plain = {user: (scores(own, user), rank(own, user)) for user in users}
    gains = list[int]()
    for attack in ATTACKS:
        body = {"title": f"Oak lamp {attack}"[:500], "text": attack, "categories": [attack[:200]]}
        item = own.ok("PUT", "/v1/items/attacker", body)
        assert all("<" not in word and "http" not in word and len(word) <= 80 for word in item["keywords"])
        for user in users:
            before, place = plain[user]
            after = scores(own, user)
            others = {name: after[name] for name in before if name != "attacker"}
            assert others == pytest.approx({name: before[name] for name in others}, abs=1e-4)
            gains.append(place - rank(own, user))
    print(f"mean gain in rank {statistics.mean(gains):.2f} of {len(scores(own, users[0]))}, most {max(gains)}")
    assert statistics.mean(gains) < len(scores(own, users[0])) / 4


def test_an_attack_by_a_document_changes_no_other(server: Served) -> None:
    names = ["010", "011", "012"]
    body = {"query": server.user(), "documents": names}
    plain = server.ok("POST", "/v1/rerank", body)["results"]
    relevance = {one["index"]: one["relevance_score"] for one in plain}
    answer = server.ok("POST", "/v1/rerank", body | {"documents": [*names, *ATTACKS]})
    others = {one["index"]: one["relevance_score"] for one in answer["results"] if one["index"] < 3}
    assert others == pytest.approx(relevance, abs=1e-4)


def test_an_attack_in_a_query_or_a_keyword_is_words(server: Served) -> None:
    for attack in ATTACKS:
        server.ok("POST", "/v1/rerank", {"query": attack, "documents": ["010", "a lamp"]})
        answer = server.client.post("/v1/recommend", json={"user": server.user(), "more": [attack[:80]], "k": 1})
        assert answer.status_code in (200, 422), answer.text
