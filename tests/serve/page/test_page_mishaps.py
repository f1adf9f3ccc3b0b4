"""The pages in a real browser when something is unusual: long words, narrow screens, quick hands, no answer."""

from urllib.parse import urlencode

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
