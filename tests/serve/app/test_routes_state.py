"""What changes over HTTP: events, items, keywords of users, the run; each has its effect in the next answer."""

import base64
import io

import pytest
from broken_pictures import png
from PIL import Image
from served import Served


def picture(kind: str = "PNG") -> str:
    buffer = io.BytesIO()
    Image.new("RGB", (64, 64), (200, 30, 30)).save(buffer, kind)
    return base64.b64encode(buffer.getvalue()).decode()


def test_an_event_changes_the_next_answer(own: Served) -> None:
    user = own.user()
    before = own.ask(user=user, k=60)
    best = before["items"][0]["item_id"]
    answer = own.ok("POST", "/v1/events", {"user": user, "item": best})
    assert answer == {"accepted": 1, "duplicates": 0, "unknown_items": []}
    after = own.ask(user=user, k=60)
    assert best not in [item["item_id"] for item in after["items"]]
    assert after["items"] != before["items"][1:]  # the history is another one, not only the list shorter
    assert own.ok("GET", f"/v1/users/{user}")["history"] == [*own.had(user), best]


def test_an_event_counts_once(own: Served) -> None:
    event = {"user": "new", "item": "001", "kind": "purchase", "key": "order-1", "time": 1_700_000_000}
    assert own.ok("POST", "/v1/events", event)["accepted"] == 1
    again = own.ok("POST", "/v1/events", {"events": [event, event | {"key": "order-2"}, event | {"key": "order-2"}]})
    assert (again["accepted"], again["duplicates"]) == (1, 2)
    assert own.ok("GET", "/v1/users/new")["n_events"] == 2
    assert own.ok("POST", "/v1/events", event | {"user": "other"})["accepted"] == 1  # keys count per user
    assert own.ok("GET", "/v1/users/other")["n_events"] == 1
    assert own.ask(user="new")["origin"] == "session"


def test_events_are_kept_all_or_none(own: Served) -> None:
    own.ok("POST", "/v1/events", {"events": [{"user": "u", "item": "001"}, {"user": "u", "item": ""}]}, 422)
    own.ok("GET", "/v1/users/u", status=404)


@pytest.mark.parametrize("name", ["null", "NaN", "None", " ", "N/A"])
def test_what_programs_write_for_nobody_is_nobody(server: Served, name: str) -> None:
    server.ok("POST", "/v1/events", {"user": name, "item": "001"}, 422)
    server.ok("POST", "/v1/events", {"user": "u", "item": name}, 422)
    server.ok("PUT", f"/v1/items/{name}", {"title": "A lamp"}, 422)


def test_what_somebody_is_not_interested_in_never_comes(own: Served) -> None:
    best = own.ids(history=["001"], k=1)[0]
    own.ok("POST", "/v1/events", {"events": [{"user": "n", "item": "001"}]})
    assert own.ids(user="n", k=1) == [best]
    own.ok("POST", "/v1/events", {"user": "n", "item": best, "kind": "not_interested"})
    assert best not in own.ids(user="n", k=60, allow_seen=True)
    assert own.ok("GET", "/v1/users/n")["history"] == ["001"]


def test_an_event_of_an_item_to_come_counts_once_it_is_there(own: Served) -> None:
    answer = own.ok("POST", "/v1/events", {"user": "early", "item": "soon"})
    assert answer["unknown_items"] == ["soon"]
    assert own.ask(user="early")["origin"] == "fallback"
    own.ok("PUT", "/v1/items/soon", {"title": "A blue lamp"})
    assert own.ask(user="early")["origin"] == "session"


def test_an_item_is_read_and_recommended_at_once(own: Served) -> None:
    before = own.ask(user=own.user(), k=60)["items"]
    body = {"title": "A mug of red clay", "text": "Made by hand of oak.", "categories": ["Kitchen"]}
    item = own.ok("PUT", "/v1/items/shelf/a b", body | {"picture": picture()})
    assert item["has_picture"]
    assert item["recommendable"]
    assert {"mug", "clay"} <= set(item["keywords"])
    assert own.ok("GET", "/v1/items/shelf%2Fa%20b") == item
    after = {one["item_id"]: one["score"] for one in own.ask(user=own.user(), k=60)["items"]}
    assert "shelf/a b" in after
    scores = {one["item_id"]: one["score"] for one in before}
    assert {name: after[name] for name in scores} == pytest.approx(scores, abs=1e-4)
    assert own.ids(user=own.user(), k=1, more=["clay"], among=["shelf/a b", "001"]) == ["shelf/a b"]
    near = own.ok("POST", "/v1/similar", {"items": ["shelf/a b"], "k": 2})["items"]
    assert {one["by"] for one in near} == {"keywords"}


@pytest.mark.parametrize(
    "data", [b"", b"<svg/>", b"http://127.0.0.1/x.png", png(30_000, 30_000), b"\x89PNG\r\n\x1a\n" + b"0" * 100]
)
def test_a_bad_picture_makes_an_item_of_text(own: Served, data: bytes) -> None:
    body = {"title": "A lamp", "picture": base64.b64encode(data).decode()}
    item = own.ok("PUT", "/v1/items/bad", body)
    assert not item["has_picture"]
    assert item["recommendable"]
    assert any("picture is not used" in note for note in item["notes"])


def test_an_address_is_no_picture(own: Served) -> None:
    for text, reason in (("http://127.0.0.1:9/x.png", "never by address"), ("!!!", "no base64")):
        assert reason in own.ok("PUT", "/v1/items/x", {"title": "A lamp", "picture": text}, 422)["detail"]
    own.ok("GET", "/v1/items/x", status=404)


def test_an_item_of_the_run_is_edited(own: Served) -> None:
    own.ok("PUT", "/v1/items/003", {"title": "A violin"})
    item = own.ok("GET", "/v1/items/003")
    assert (item["title"], item["keywords"], item["has_picture"]) == ("A violin", ["violin"], False)
    found = own.ok("GET", "/v1/items?q=violin")
    assert [one["item_id"] for one in found["items"]] == ["003"]


def test_an_item_is_out_of_stock_and_back(own: Served) -> None:
    best = own.ids(user=own.user(), k=1)[0]
    assert not own.ok("PATCH", f"/v1/items/{best}", {"in_stock": False})["recommendable"]
    assert best not in own.ids(user=own.user(), k=60, pinned=[best])
    assert own.ok("PATCH", f"/v1/items/{best}", {"in_stock": True})["recommendable"]
    assert own.ids(user=own.user(), k=1) == [best]


def test_a_deleted_item_is_gone(own: Served) -> None:
    own.ok("PUT", "/v1/items/gone", {"title": "A secret lamp"})
    for name in ("gone", "002"):
        own.ok("DELETE", f"/v1/items/{name}", status=204)
        own.ok("GET", f"/v1/items/{name}", status=404)
        own.ok("DELETE", f"/v1/items/{name}", status=404)
        assert name not in own.ids(user=own.user(), k=60, among=[name, "005"])
    assert own.ok("GET", "/v1/items?q=secret")["total"] == 0


def test_items_are_listed_in_parts(server: Served) -> None:
    everything = server.ok("GET", "/v1/items?limit=100")
    assert everything["total"] == len(everything["items"]) == 60
    parts = [server.ok("GET", f"/v1/items?limit=25&offset={start}")["items"] for start in (0, 25, 50)]
    assert [item for part in parts for item in part] == everything["items"]
    counts = server.recommender.retrieval.train.counts
    codes = [server.recommender.dataset.item_code[item["item_id"]] for item in everything["items"]]
    assert [counts[code] for code in codes] == sorted(counts[codes], reverse=True)


def test_keywords_stay_with_a_user(own: Served) -> None:
    user = own.user(5)
    plain = own.ask(user=user, k=60)["items"]
    word = plain[-1]["keywords"][0]
    assert own.ok("PUT", f"/v1/users/{user}/keywords", {"more": [word]}) == {"more": [word], "less": []}
    assert own.ask(user=user, k=60)["items"] == own.ask(user=user, k=60, more=[word])["items"] != plain
    spared = own.ask(user=user, k=60, less=[word])["items"]  # the question's own words count first
    own.ok("PUT", f"/v1/users/{user}/keywords", {})
    assert own.ask(user=user, k=60)["items"] == plain
    assert own.ask(user=user, k=60, less=[word])["items"] == spared


def test_a_word_that_is_no_keyword_is_refused(server: Served) -> None:
    long = "one two three four five six seven eight nine"
    for path, method in ((f"/v1/users/{server.user()}/keywords", "PUT"), ("/v1/recommend", "POST")):
        assert "keyword" in server.ok(method, path, {"more": [long]}, 422)["detail"]


def test_a_deleted_item_is_as_one_that_was_never_there(own: Served) -> None:
    own.ok("PUT", "/v1/items/shown", {"title": "A secret lamp", "text": "Of green glass."})
    secret = own.ok("GET", "/v1/items/003")["title"]
    user = next(name for name in map(own.user, range(60)) if "003" in own.had(name))
    for name in ("shown", "003"):
        own.ok("DELETE", f"/v1/items/{name}", status=204)
        assert own.ok("POST", "/v1/events", {"user": "somebody", "item": name})["unknown_items"] == [name]
        never = "never-there"
        for history in ([name], ["001", name]):
            answer, other = own.ask(history=history), own.ask(history=[one.replace(name, never) for one in history])
            assert (answer["left_out"], other["left_out"]) == ([name], [never])
            assert (answer["origin"], answer["items"]) == (other["origin"], other["items"])
        assert own.ok("POST", "/v1/similar", {"items": [name]}) == {"items": [], "unknown": [name]}
        reranked = own.ok("POST", "/v1/rerank", {"query": user, "documents": [name, "039"], "return_documents": True})
        assert reranked["meta"]["by_words"] == [0]
        assert {one["index"]: one["document"]["text"] for one in reranked["results"]}[0] == name
        assert own.ok("POST", "/v1/rerank", {"query": ["001", name], "documents": ["039"]})["meta"]["left_out"] == [
            name
        ]
        for rule in ({"pinned": [name]}, {"boosts": {name: 1}}, {"exclude": [name]}, {"among": ["001", name]}):
            assert name in str(own.ask(user=user, **rule)["notes"]), rule
    answers = [own.ask(user=user, reasons=True, k=60), own.ok("GET", "/v1/items?limit=100"), reranked]
    assert secret not in str(answers)  # this user had it


def test_not_interested_counts_wherever_the_item_is_named_until_it_is_liked(own: Served) -> None:
    user, best = own.user(), own.ids(user=own.user(), k=1)[0]
    own.ok("POST", "/v1/events", {"user": user, "item": best, "kind": "not_interested"})
    own.ok("POST", "/v1/events", {"user": user, "item": best, "kind": "view"})  # to look at it takes nothing back
    pinned = own.ask(user=user, k=60, pinned=[best, "005"], boosts={best: 5}, allow_seen=True)
    assert best not in [one["item_id"] for one in pinned["items"]]
    assert pinned["items"][0]["item_id"] == "005"
    assert f"this user is not interested in {best} (1 in all)" in pinned["notes"]
    documents = [best, "a text", "006", {"id": best}]
    reranked = own.ok("POST", "/v1/rerank", {"query": user, "documents": documents})
    assert [(one["index"], one["by"], one["relevance_score"]) for one in reranked["results"][2:]] == [
        (0, "not_interested", 0.0),
        (3, "not_interested", 0.0),
    ]
    assert reranked["meta"]["notes"] == [f"this user is not interested in {best} (1 in all)"]
    own.ok("POST", "/v1/events", {"user": user, "item": best, "kind": "like"})
    pinned, reranked = (
        own.ask(user=user, pinned=[best]),
        own.ok("POST", "/v1/rerank", {"query": user, "documents": documents}),
    )
    assert pinned["items"][0]["item_id"] == best
    assert (pinned["notes"], reranked["meta"]["notes"]) == ([], [])
    assert {one["by"] for one in reranked["results"]} == {"run", "words"}
