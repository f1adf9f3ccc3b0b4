"""What each page shows and lets do, without a browser; texts of items cannot break out of it."""

from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from html_pages import EVIL, HOSTILE
from served import Served
from served_pages import ServedPage, get


def ranking(page: ServedPage) -> list[str]:
    """Ids of the cards of a page, in order."""
    return [value for value in page.values("li", "data-key") if " " not in value]


def test_somebody_new_meets_what_many_choose_and_whom_to_look_as(server: Served) -> None:
    page = get(server, "/")
    items = server.ok("GET", "/v1/items?limit=13")["items"]
    assert ranking(page) == [item["item_id"] for item in items]
    assert page.acts == [f"like:{item['item_id']}" for item in items]
    assert sum(href.startswith("./?user=") for href in page.values("a", "href")) == 6


def test_a_like_changes_the_ranking_and_is_said(server: Served) -> None:
    first, second, *_ = ranking(get(server, "/"))
    page = get(server, "/", act=f"like:{first}")
    answer = server.ask(history=[first], k=13, reasons=True)
    assert ranking(page) == [item["item_id"] for item in answer["items"]]
    assert f"unlike:{first}" in page.acts
    assert page.values("main", "data-address") == [f"./?like={first}"]
    for reason in answer["items"][0]["because"][:2]:
        assert reason in page.text
    more = get(server, "/", like=first, act=f"like:{second}")
    assert "The ranking changed" in more.text or "The ranking stays as it was." in more.text
    assert [value for name, value in hidden(more)] == [first, second]


def test_several_steps_in_one_request_are_taken_in_their_order(server: Served) -> None:
    first, second, third, *_ = ranking(get(server, "/"))
    acts = [f"like:{first}", f"like:{second}", f"unlike:{first}", f"like:{third}", "more:red"]
    page = get(server, "/", act=acts)
    assert page.values("main", "data-address") == [f"./?like={second}&like={third}&more=red"]
    get(server, "/", status=422, act=["like:1"] * 101)


def hidden(page: ServedPage) -> list[tuple[str | None, str | None]]:
    """The fields of the form that all buttons send."""
    form = next(place for place, (_, one) in enumerate(page.tags) if one.get("id") == "visit")
    fields: list[tuple[str | None, str | None]] = []
    for tag, attributes in page.tags[form + 1 :]:
        if tag != "input":
            break
        fields.append((attributes["name"], attributes["value"]))
    return fields


def test_a_shopper_is_looked_as(server: Served) -> None:
    user = server.user(3)
    page = get(server, "/", user=user)
    assert ranking(page) == server.ids(user=user, k=13)
    assert f"For {user}" in page.text
    newest = list(dict.fromkeys(reversed(server.had(user))))[:12]
    assert [key[5:] for key in page.values("li", "data-key") if key.startswith("past ")] == newest


def test_keywords_are_struck_added_and_taken_back(server: Served) -> None:
    user = server.user()
    page = get(server, "/", user=user)
    word = next(act for act in page.acts if act.startswith("less:")).removeprefix("less:")
    struck = get(server, "/", user=user, act=f"less:{word}")
    assert ranking(struck) == server.ids(user=user, k=13, less=[word])
    assert f"drop:{word}" in struck.acts
    assert f"less:{word}" not in struck.acts
    assert ranking(get(server, "/", user=user, less=word, act=f"drop:{word}")) == ranking(page)
    typed = get(server, "/", user=user, act="more", word=f" {word} ")
    assert ranking(typed) == server.ids(user=user, k=13, more=[word])
    assert typed.values("main", "data-address") == [f"./?user={user}&more={word.replace(' ', '+')}"]


def test_what_is_no_keyword_is_said_and_left_out(server: Served) -> None:
    user = server.user()
    page = get(server, "/", user=user, act="more", word="one two three four five six seven eight")
    assert "is no keyword" in page.text
    assert ranking(page) == server.ids(user=user, k=13)
    assert page.values("main", "data-address") == [f"./?user={user}"]
    hidden_item = server.ids(user=user, k=1)[0]
    page = get(server, "/", user=user, less="l" * 31, act=f"hide:{hidden_item}")  # a step beside a word in the address
    assert "is no keyword" in page.text
    assert page.values("main", "data-address") == [f"./?user={user}&hide={hidden_item}"]


def test_a_ninth_keyword_says_what_it_takes_the_place_of(server: Served) -> None:
    words = ["red", "blue", "green", "oak", "clay", "steel", "glass", "wool"]
    page = get(server, "/", more=words, act="more", word="lamp")
    assert "“red” was let go: at most 8 keywords can be asked for." in page.text
    assert "was let go" not in get(server, "/", more=words, act="drop:red").text


def test_what_is_sent_away_goes_and_comes_back(server: Served) -> None:
    user = server.user()
    first = server.ids(user=user, k=13)[0]
    page = get(server, "/", user=user, act=f"hide:{first}")
    assert first not in ranking(page)
    assert f"show:{first}" in page.acts
    assert ranking(get(server, "/", user=user, hide=first, act=f"show:{first}"))[0] == first


def test_a_search_finds_and_its_finds_can_be_liked(server: Served) -> None:
    item = server.recommender.dataset.items[0]
    page = get(server, "/", q=item.title)
    assert ranking(page)[0] == item.item_id
    assert page.values("input", "value")[0] == item.title
    assert ("q", item.title) in hidden(page)
    assert "Shorter or fewer words find more" in get(server, "/", q="nothing is called this").text


def test_an_unknown_shopper_is_somebody_new(server: Served) -> None:
    assert "nothing is known of a user nobody" in get(server, "/", user="nobody").text


def test_an_item_shows_what_it_is(server: Served) -> None:
    item_id = server.recommender.dataset.items[0].item_id
    item = server.ok("GET", f"/v1/items/{item_id}")
    page = get(server, "/item", id=item_id)
    for text in (item["title"], " ".join(item["text"].split()), *item["keywords"], *item["categories"]):
        assert text in page.text
    near = server.ok("POST", "/v1/similar", {"items": [item_id], "k": 8})["items"]
    assert ranking(page)[0:] == [one["similar_item_id"] for one in near]
    liked = get(server, "/item", id=item_id, act=f"like:{item_id}")
    assert f"unlike:{item_id}" in liked.acts
    assert parse_qs(urlsplit(liked.values("main", "data-address")[0]).query) == {"id": [item_id], "like": [item_id]}


def test_who_is_shown_an_item_is_looked_for_when_asked(server: Served) -> None:
    user = server.user()
    item_id = server.ids(user=user)[0]
    assert "Look through the shoppers" in get(server, "/item", id=item_id).text
    page = get(server, "/item", id=item_id, audience="1")
    assert "It is proposed to" in page.text


def test_rankers_stand_side_by_side(server: Served) -> None:
    page = get(server, "/compare", user=server.user(), by="popularity")
    assert server.ids(user=server.user(), k=10) == ranking(page)[:10]
    assert len(ranking(page)) == 20
    assert "of 10 items stand in both" in page.text
    assert "For whom shall two rankers be compared?" in get(server, "/compare").text


def test_the_run_shows_its_report(server: Served) -> None:
    page = get(server, "/run")
    for text in ("The whole catalogue", "NDCG@10", "How this was measured", "peak MB", "content-sasrec"):
        assert text in page.text
    assert "svg" in page.names
    assert not [href for href in page.values("a", "href") if "summaries" in href]


def test_shoppers_are_found_and_paged(server: Served) -> None:
    page = get(server, "/shoppers")
    assert "Next" in page.text
    shown = [href for href in page.values("a", "href") if href.startswith("./?user=")]
    more = [href for href in get(server, "/shoppers", offset="24").values("a", "href") if href.startswith("./?user=")]
    assert len(shown) == 24
    assert not set(shown) & set(more)
    assert server.user(7) in get(server, "/shoppers", q=server.user(7)).text


def test_texts_of_items_stay_texts(own: Served) -> None:
    """As the catalogue has them, which cleans them first; nothing of them becomes a tag (`is_sound`)."""
    for number, text in enumerate(one.replace("\0", "") for one in HOSTILE):
        item_id = f"evil-{number}"
        body = {"title": text, "text": f"{text} lamp", "categories": [text]}
        item = own.ok("PUT", f"/v1/items/{item_id}", body)
        for path, query in (
            ("/", {"q": item_id}),
            ("/", {"q": text[:150], "like": item_id}),
            ("/item", {"id": item_id}),
        ):
            page = get(own, path, **query)
            assert EVIL not in page.html
        for shown in (item["title"] or f"Item {item_id}", *item["keywords"], *item["categories"]):
            assert " ".join(shown.split()) in page.text
    page = get(own, "/compare", user=own.user(), like=[f"evil-{number}" for number in range(len(HOSTILE))])
    assert EVIL not in page.html


def test_ids_may_look_like_paths_and_tags(own: Served) -> None:
    from urllib.parse import quote

    for item_id in ("a/../b", "<b>&\"'", "?id=1#x", "ü é"):
        own.ok("PUT", f"/v1/items/{quote(item_id, safe='')}", {"title": "Odd"})
        page = get(own, "/", q="Odd")
        (address, *_) = [
            href for href in page.values("a", "href") if parse_qs(urlsplit(href).query).get("id") == [item_id]
        ]
        assert "Odd" in ServedPage(own.client.get(f"/{address}").text, {}).text
        own.ok("DELETE", f"/v1/items/{quote(item_id, safe='')}", status=204)


def test_the_keyboard_meets_the_page_in_its_order(server: Served) -> None:
    """First the way around, then the search and the pages; of each card the item, then what can be done with it."""
    page = get(server, "/", user=server.user())
    reached = page.reached
    assert reached[0] == ("a", {"class": "skip", "href": "#content"})
    assert next(attributes.get("type") for tag, attributes in reached if tag == "input") == "search"
    assert not any(int(attributes.get("tabindex") or 0) > 0 for _, attributes in page.tags)
    first = ranking(page)[0]
    names = [attributes.get("href") or attributes.get("value") or "" for _, attributes in reached]
    at = next(place for place, name in enumerate(names) if name.startswith(f"item?id={first}&"))
    last = max(place for place, name in enumerate(names) if name.startswith(f"item?id={first}&"))
    assert names[last + 1 : last + 3] == [f"like:{first}", f"hide:{first}"]
    assert at > names.index("#content")


def test_nothing_that_is_looked_at_is_kept(own: Served) -> None:
    user = own.user()
    before = own.ok("GET", f"/v1/users/{user}")
    get(own, "/", user=user, act=f"like:{own.recommender.dataset.items[0].item_id}")
    get(own, "/", user=user, act="more:red")
    assert own.ok("GET", f"/v1/users/{user}") == before


def test_an_item_that_is_out_of_stock_says_so(own: Served, tmp_path: Path) -> None:
    item_id = own.recommender.dataset.items[0].item_id
    own.ok("PATCH", f"/v1/items/{item_id}", {"in_stock": False})
    assert "Out of stock" in get(own, "/item", id=item_id).text
