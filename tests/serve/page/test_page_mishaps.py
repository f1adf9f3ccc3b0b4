"""The pages in a real browser when something is unusual: long words, narrow screens, quick hands, no answer."""

from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from visitors import SIZES, Visitor

EVERY_SIZE = [{"size": size} for size in SIZES]
LONG = "W" * 200
"""A word without a place to break it, in each text of a catalogue that may be as long."""


@pytest.mark.parametrize("visitor", EVERY_SIZE, indirect=True, ids=lambda how: how["size"])
def test_any_long_word_of_a_catalogue_wraps(visitor: Visitor) -> None:
    item = {"title": LONG, "text": LONG, "categories": [LONG, LONG[1:]]}
    request, api = visitor.page.request, f"{visitor.address}/v1"
    assert request.put(f"{api}/items/{LONG}", data=item).ok
    assert request.post(f"{api}/events", data={"user": LONG, "item": LONG, "kind": "like"}).ok
    try:
        for path, query in (
            ("/", {"q": LONG}),
            ("/", {"like": LONG, "more": LONG[:80], "hide": "no such item"}),
            ("/", {"user": LONG}),
            ("/", {"user": LONG[1:]}),
            ("/", {"user": LONG, "less": LONG[:80], "act": f"hide:{LONG}"}),
            ("/item", {"id": LONG, "user": LONG, "audience": "true"}),
            ("/item", {"id": LONG[1:]}),
            ("/compare", {"user": LONG}),
            ("/compare", {"user": LONG, "by": LONG[:100]}),
            ("/shoppers", {"q": LONG}),
        ):
            visitor.go(f"{path}?{urlencode(query)}")
            assert LONG[:50] in visitor.page.content(), visitor.page.inner_text("main")
            beyond = visitor.page.evaluate("() => document.documentElement.scrollWidth - innerWidth")
            assert beyond <= 0, (path, list(query), visitor.page.evaluate(WIDEST))
    finally:
        request.delete(f"{api}/items/{LONG}")
        request.delete(f"{api}/users/{LONG}")


WIDEST = """() => [...document.querySelectorAll("body *")].filter(one => one.getBoundingClientRect().right > innerWidth)
  .map(one => `${one.tagName}.${one.getAttribute("class")}`).slice(0, 8)"""


def likes(url: str) -> list[str]:
    """The items that an address holds as liked."""
    return parse_qs(urlsplit(url).query).get("like", [])


@pytest.mark.parametrize("visitor", EVERY_SIZE[:2], indirect=True, ids=lambda how: how["size"])
@pytest.mark.parametrize("between", [0, 100, 250])
def test_quick_likes_all_count(visitor: Visitor, between: int) -> None:
    """However short after one another three hearts of the page are pressed, before the first answer or after."""
    visitor.go("/")
    page, three = visitor.page, visitor.ranking[:3]
    hearts = [page.locator(f'button[value="like:{one}"]') for one in three]
    places = [heart.bounding_box() for heart in hearts]
    if not between:
        page.evaluate("ids => ids.forEach(id => document.querySelector(`button[value='like:${id}']`).click())", three)
    for place in places[: 3 * bool(between)]:
        page.mouse.click(place["x"] + place["width"] / 2, place["y"] + place["height"] / 2)
        page.wait_for_timeout(between)
    page.wait_for_url(lambda url: likes(url) == three)
    for one in three:
        page.locator(f'button[value="unlike:{one}"]').first.wait_for()
    visitor.is_clean()


def test_a_heart_that_is_pressed_twice_is_taken_back(visitor: Visitor) -> None:
    visitor.go("/")
    first, second = visitor.ranking[:2]
    press = "id => document.querySelector(`button[value$=':${id}']`).click()"
    for one in (first, second, first):
        visitor.page.evaluate(press, one)
    visitor.page.wait_for_url(lambda url: likes(url) == [second])


def test_a_link_takes_along_what_was_pressed_just_before(visitor: Visitor) -> None:
    visitor.go("/")
    page, (first, second) = visitor.page, visitor.ranking[:2]
    page.evaluate(
        "([liked, other]) => { document.querySelector(`button[value='like:${liked}']`).click();"
        " document.querySelector(`[data-key='${other}'] .cover`).click(); }",
        [first, second],
    )
    page.wait_for_url("**/item?**")
    assert likes(page.url) == [first]
    assert visitor.query["id"] == [second]
    visitor.go(f"/?like={first}")
    page.evaluate(
        "() => { document.querySelector('.strike').click(); document.querySelector('a[href=\"./\"]').click() }"
    )
    page.get_by_role("heading", name="What do you like?").wait_for()
    assert visitor.query == {}


def test_the_page_stays_where_no_answer_comes(visitor: Visitor) -> None:
    visitor.go("/")
    page, (first, second) = visitor.page, visitor.ranking[:2]
    page.wait_for_load_state("networkidle")
    page.context.set_offline(True)
    for one in (first, second):
        page.locator(f'button[value="like:{one}"]').click()
        page.get_by_text("No answer from the server").wait_for()
    assert visitor.ranking[:2] == [first, second]
    visitor.look("no-answer")
    page.context.set_offline(False)
    page.get_by_role("button", name="Try again").click()
    page.wait_for_url(lambda url: likes(url) == [first, second])
    page.get_by_text("No answer from the server").wait_for(state="hidden")
    page.route("**/?**", lambda route: route.fulfill(status=502, body="Bad gateway"))
    page.locator(".strike").first.click()
    page.get_by_text("No answer from the server").wait_for()
    assert likes(page.url) == [first, second]


WHOLE = """() => [...document.querySelectorAll(".top nav a, .sides h2, .tabs [aria-current]")].filter(one => {
  const box = one.getBoundingClientRect();
  return one.scrollWidth > one.clientWidth + 1 || box.left < 0 || box.right > innerWidth;
}).map(one => one.textContent)"""


@pytest.mark.parametrize("visitor", EVERY_SIZE, indirect=True, ids=lambda how: how["size"])
def test_where_one_is_stands_whole_on_the_screen(visitor: Visitor) -> None:
    """The pages, and of the rankers the chosen one, however it was chosen, with its name above its ranking."""
    visitor.go("/")
    liked = visitor.ranking[0]
    visitor.go(f"/compare?like={liked}")
    last = visitor.page.locator(".tabs a").last
    last.click()
    visitor.page.wait_for_url("**by=**")
    assert visitor.page.evaluate(WHOLE) == []
    visitor.page.reload()
    assert visitor.page.locator(".tabs [aria-current]").text_content() == visitor.page.locator("#theirs").text_content()
    assert visitor.page.evaluate(WHOLE) == []
    visitor.look("last-ranker")
    visitor.go(f"/?like={liked}&q=a")
    assert visitor.page.evaluate(WHOLE) == []
    assert visitor.page.locator("#found").bounding_box()["y"] < 200
    visitor.look("searched")
