"""What is asked over HTTP: who is answered how, filters and rules, reranking, similar items."""

import pytest
from served import Served

from mmsrarec.serve.schema.recommending import Origin


@pytest.mark.parametrize(
    ("body", "origin"),
    [
        ({"user": "USER"}, "warm"),
        ({"history": ["001", "002"]}, "session"),
        ({"history": ["001", "nowhere"]}, "session"),
        ({}, "cold"),
        ({"history": []}, "cold"),
        ({"user": "nobody of this name"}, "cold"),
        ({"history": ["nowhere"]}, "fallback"),
    ],
)
def test_an_answer_says_how_it_came_about(server: Served, body: dict, origin: Origin) -> None:
    if body.get("user") == "USER":
        body = {"user": server.user()}
    answer = server.ask(k=3, **body)
    assert (answer["origin"], len(answer["items"]), answer["run"]) == (origin, 3, "run")


def test_it_answers_as_the_library_does(server: Served) -> None:
    user = server.user(3)
    answer, library = server.ask(user=user, k=5, reasons=True), server.recommender.recommend(user=user, k=5)
    assert [item["item_id"] for item in answer["items"]] == [item.item_id for item in library]
    assert [item["score"] for item in answer["items"]] == [item.score for item in library]
    assert [item["because"] for item in answer["items"]] == [list(item.because) for item in library]
    assert answer["items"][0]["reasons"]


def test_unknown_ids_of_a_history_are_listed(server: Served) -> None:
    answer = server.ask(history=["001", "nowhere", "neither"])
    assert answer["left_out"] == ["nowhere", "neither"]
    assert [item["item_id"] for item in answer["items"]] == server.ids(history=["001"])


def test_a_history_continues_what_the_run_knows(server: Served) -> None:
    user = server.user(4)
    later = server.ids(user=user, k=5)[0]
    both = server.ask(user=user, history=[later], k=60)
    assert both["origin"] == "warm"
    named = {item["item_id"] for item in both["items"]}
    assert not named & {*server.had(user), later}
    assert both["items"] != server.ask(user=user, k=60, exclude=[later])["items"]


def test_filters_and_rules(server: Served) -> None:
    user = server.user(1)
    everything = server.ids(user=user, k=60)
    assert server.ids(user=user, k=60, exclude=everything[:2]) == everything[2:]
    assert set(server.ids(user=user, among=everything[5:8])) == set(everything[5:8])
    assert set(server.ids(user=user, k=60, allow_seen=True)) > set(everything)
    items = server.recommender.dataset.items
    category = {item.item_id: item.categories[0] for item in items if item.categories}
    wanted = category[everything[0]]
    assert {category[name] for name in server.ids(user=user, categories=[wanted.upper()])} == {wanted}
    assert wanted not in {category.get(name) for name in server.ids(user=user, exclude_categories=[wanted])}
    capped = server.ids(user=user, k=20, max_per_category=1)
    assert len(capped) == len({category[name] for name in capped if name in category})


def test_pinned_items_stand_first_and_boosts_move_others(server: Served) -> None:
    user = server.user(2)
    last = server.ids(user=user, k=60)[-1]
    answer = server.ask(user=user, k=4, pinned=[last, server.had(user)[0]])
    assert [item["item_id"] for item in answer["items"][:2]] == [last, server.had(user)[0]]
    assert [item["pinned"] for item in answer["items"]] == [True, True, False, False]
    plain = {item["item_id"]: item["score"] for item in server.ask(user=user, k=60)["items"]}
    boosted = {item["item_id"]: item["score"] for item in server.ask(user=user, k=60, boosts={last: 5})["items"]}
    assert boosted.pop(last) == pytest.approx(plain.pop(last) + 5)
    assert boosted == pytest.approx(plain)  # nobody else's score depends on it
    assert "nowhere" in " ".join(server.ask(user=user, pinned=["nowhere"], boosts={"nowhere": 1})["notes"])


def test_keywords_are_asked_for_and_spared(server: Served) -> None:
    user = server.user(5)
    plain = server.ids(user=user, k=60)
    word = server.ask(user=user, k=60)["items"][-1]["keywords"][0]
    for how in ({"more": [word]}, {"less": [word]}, {"more": [word], "less": ["red"]}):
        library = server.recommender.recommend(user=user, k=60, reasons=False, **how)
        assert server.ids(user=user, k=60, **how) == [item.item_id for item in library] != plain


def test_an_equal_question_is_answered_from_memory(server: Served) -> None:
    first, second = server.ask(user=server.user(6), k=7), server.ask(user=server.user(6), k=7)
    assert (first["cached"], second["cached"]) == (False, True)
    assert first["items"] == second["items"]


def test_items_are_reranked_for_a_user(server: Served) -> None:
    user, names = server.user(), ["010", "011", "012", "013"]
    scores = server.recommender.score(names, user=user)
    answer = server.ok("POST", "/v1/rerank", {"model": "m", "query": user, "documents": names, "unknown": {"a": 1}})
    assert [names[one["index"]] for one in answer["results"]] == sorted(names, key=lambda name: -scores[name])
    assert (answer["model"], answer["meta"]["origin"]) == ("m", "warm")
    assert all(0 <= one["relevance_score"] <= 1 for one in answer["results"])
    objects = [{"id": name, "text": "some text", "more": []} for name in names]
    same = server.ok("POST", "/v1/rerank", {"query": user, "documents": objects})
    assert [one["relevance_score"] for one in same["results"]] == [one["relevance_score"] for one in answer["results"]]


@pytest.mark.parametrize(
    "query",
    [["001", "002"], "001,002", "001 002", '["001", "002"]', "001\n002", " 001 , 002 ", "001,\n\t002", "001\r\n 002 ,"],
)
def test_a_query_may_list_items(server: Served, query: object) -> None:
    body = {"documents": ["010", "011", "012"], "top_n": 2, "return_documents": True}
    answer = server.ok("POST", "/v1/rerank", body | {"query": query})
    expected = server.recommender.score(body["documents"], history=["001", "002"])
    best = sorted(body["documents"], key=lambda name: -expected[name])
    assert [body["documents"][one["index"]] for one in answer["results"]] == best[:2]
    assert answer["meta"]["origin"] == "session"
    assert all(one["document"]["text"] for one in answer["results"])


@pytest.mark.parametrize("query", ['["003", "002", "001"]', ["003", "002", "001"], "003,002,001"])
def test_a_query_may_list_items_newest_first(server: Served, query: object) -> None:
    body = {"documents": ["010", "011", "012", "013"]}
    turned = server.ok("POST", "/v1/rerank?newest_first=true", body | {"query": query})
    oldest_first = server.ok("POST", "/v1/rerank", body | {"query": ["001", "002", "003"]})
    assert turned["results"] == oldest_first["results"]
    assert turned["results"] != server.ok("POST", "/v1/rerank", body | {"query": query})["results"]


def test_texts_are_ranked_by_their_words(server: Served) -> None:
    texts = ["a wooden spoon", "a red mug of clay", "the mug", ""]
    answer = server.ok("POST", "/v1/rerank", {"query": "red mugs", "documents": texts})
    assert [one["index"] for one in answer["results"]][:2] == [1, 2]
    assert answer["meta"]["by_words"] == [0, 1, 2, 3]


def test_a_user_whom_nobody_knows_gets_what_many_choose(server: Served) -> None:
    names = ["010", "011", "012"]
    answer = server.ok("POST", "/v1/rerank", {"query": "u-4711", "documents": names})
    assert answer["meta"] == {"origin": "fallback", "run": "run", "by_words": [], "left_out": [], "notes": []}
    assert len({one["relevance_score"] for one in answer["results"]}) > 1
    assert server.ok("POST", "/v1/rerank", {"query": "", "documents": []})["results"] == []


def test_similar_items(server: Served) -> None:
    answer = server.ok("POST", "/v1/similar", {"items": ["001", "nowhere", 2], "k": 3})
    library = server.recommender.similar_items(["001"], 3)
    assert [one["similar_item_id"] for one in answer["items"]] == library["similar_item_id"].to_list()
    assert answer["unknown"] == ["nowhere", "2"]


@pytest.mark.parametrize(
    ("query", "left_out"),
    [
        ("003, 002\n001 nowhere", ["nowhere"]),
        ("003 002,001", []),
        ("003\n002 001,nowhere,neither", ["nowhere", "neither"]),
        ("a b, 001", []),
        ("c,d\n001", []),
    ],
)
def test_a_query_mixes_separators(own: Served, query: str, left_out: list[str]) -> None:
    for item_id in ("a b", "c,d"):  # an id that holds a separator is one id
        own.ok("PUT", f"/v1/items/{item_id}", {"title": "A lamp"})
    meta = own.ok("POST", "/v1/rerank", {"query": query, "documents": ["010"]})["meta"]
    assert (meta["origin"], meta["left_out"]) == ("session", left_out)


def test_a_result_says_what_gave_its_score(server: Served) -> None:
    documents = ["010", {"text": "a red mug"}, {"id": "011"}, "free text"]
    answer = server.ok("POST", "/v1/rerank", {"query": server.user(), "documents": documents})
    assert {one["index"]: one["by"] for one in answer["results"]} == {0: "run", 1: "words", 2: "run", 3: "words"}
    answer = server.ok("POST", "/v1/rerank", {"query": "red mugs", "documents": ["010", "a red mug"]})
    assert {one["by"] for one in answer["results"]} == {"words"}
