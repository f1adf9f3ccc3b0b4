"""The pages in a real browser: a whole visit at two widths, light and dark, without a script, and by keyboard.

A screenshot of each step stays in pytest's folder of this run ("screenshots"), to be looked at.
"""

from typing import Any

import pytest
from visitors import EVERY_LOOK, LOOKS, MAX_SHIFT, SHIFTS, Visitor


@pytest.mark.parametrize("visitor", LOOKS, indirect=True)
def test_a_whole_visit(visitor: Visitor) -> None:
    page = visitor.page
    visitor.go("/")
    visitor.look("1-start")
    popular = visitor.ranking
    liked = [popular[0], popular[2], popular[4]]
    visitor.like(liked[0], 1)
    first = visitor.ranking
    assert first != popular
    for count, place in ((2, 2), (3, 5)):
        liked[count - 1] = visitor.ranking[place]
        visitor.like(liked[count - 1], count)
    assert visitor.query["like"] == liked
    assert not set(liked) & set(visitor.ranking)
    assert visitor.ranking != first
    said = page.locator("#said").text_content()
    assert said.startswith("The ranking")
    visitor.look("2-liked")

    struck = page.locator(".profile .strike").first
    word = struck.get_attribute("value").removeprefix("less:")
    before = visitor.ranking
    struck.click()
    page.wait_for_url(lambda url: "less=" in url)
    assert visitor.query["less"] == [word]
    page.locator(".profile .struck").first.wait_for()
    carrying = [one for one in before if word in keywords(visitor, one)]
    assert len(carrying) == 0 or visitor.ranking != before
    visitor.look("3-struck")

    page.locator("section[aria-labelledby=ranking] .cover").first.click()
    page.wait_for_url("**/item?**")
    page.locator("#audience a[data-part]").wait_for(state="detached")
    assert "It is proposed to" in page.locator("#audience").text_content()
    visitor.look("4-item")

    page.get_by_role("link", name="Compare").first.click()
    page.wait_for_url("**/compare?**")
    page.get_by_role("link", name="popularity", exact=True).click()
    page.wait_for_url("**by=popularity**")
    assert page.locator(".sides li").count() == 20
    visitor.look("5-compare")
    page.get_by_role("link", name="The run").click()
    page.get_by_role("heading", name="How this was measured").wait_for()
    visitor.look("6-run")
    page.get_by_role("link", name="Shoppers", exact=True).click()
    page.locator(".shopper").first.click()
    page.wait_for_url("**user=**")
    visitor.look("7-shopper")
    visitor.is_clean()


def keywords(visitor: Visitor, item_id: str) -> list[str]:
    """The keywords of an item, from the API."""
    answer = visitor.page.request.get(f"{visitor.address}/v1/items/{item_id}")
    return answer.json()["keywords"]


@pytest.mark.parametrize("visitor", [{"script": False, "name": "no-script"}], indirect=True)
def test_everything_works_without_a_script(visitor: Visitor) -> None:
    page = visitor.page
    visitor.go("/")
    first = visitor_cards(page)[0]
    page.locator(f'button[value="like:{first}"]').click()
    page.locator(f'button[value="unlike:{first}"]').wait_for()
    assert first not in visitor_cards(page)
    page.locator("input[name=word]").fill("red")
    page.get_by_role("button", name="More", exact=True).click()
    page.locator('.profile button[value="drop:red"]').wait_for()
    page.locator("input[type=search]").fill("a")
    page.locator("input[type=search]").press("Enter")
    page.get_by_role("link", name="Close the search").wait_for()
    assert set(visitor.query) == {"q", "like", "more"}
    page.locator(".cover").first.click()
    page.get_by_role("link", name="Look through the shoppers").click()
    assert "It is proposed to" in page.locator("#audience").text_content()
    page.get_by_role("link", name="Compare").first.click()
    assert page.locator(".sides li").count() == 20
    visitor.look("compare")
    visitor.is_clean()


def visitor_cards(page: Any) -> list[str]:
    """Ids of the cards of a page that runs no script."""
    return [card.get_attribute("data-key") for card in page.locator(".grid .card").all()]


def test_the_keyboard_is_enough(visitor: Visitor) -> None:
    """Likes the first item and strikes a keyword; the focus stays where something was done, or goes to the ranking."""
    page = visitor.page
    visitor.go("/")
    page.keyboard.press("Tab")
    assert page.evaluate("() => document.activeElement.className") == "skip"
    page.wait_for_load_state("networkidle")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if request.resource_type == "fetch" else None)
    page.keyboard.press("Enter")
    page.wait_for_function("() => document.activeElement.id === 'content'")  # a browser goes there in its next frame
    page.wait_for_timeout(500)
    assert asked == []  # a content that came anew would take the focus away
    assert page.evaluate("() => document.activeElement.id") == "content"
    for _ in range(2):
        page.keyboard.press("Tab")
    first = visitor.ranking[0]
    assert page.evaluate("() => document.activeElement.value") == f"like:{first}"
    assert page.evaluate("() => getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.keyboard.press("Enter")
    page.wait_for_url(lambda url: f"like={first}" in url)
    page.locator(f'button[value="unlike:{first}"]').wait_for()
    assert page.evaluate("() => document.activeElement.id") == "ranking"
    strike = page.locator(".profile .strike").first
    strike.focus()
    word = strike.get_attribute("value").removeprefix("less:")
    page.keyboard.press("Space")
    page.locator(f'.profile button[value="drop:{word}"]').wait_for()
    page.keyboard.press("/")
    assert page.evaluate("() => document.activeElement.name") == "q"
    page.keyboard.type("a")
    page.get_by_role("link", name="Close the search").wait_for()
    assert page.evaluate("() => document.activeElement.name") == "q"
    visitor.is_clean()


def test_the_way_back_is_the_way_that_was_come(visitor: Visitor) -> None:
    visitor.go("/")
    start = visitor.ranking
    visitor.like(start[0], 1)
    once = visitor.ranking
    visitor.like(once[0], 2)
    visitor.page.go_back()
    visitor.page.locator(f'button[value="unlike:{once[0]}"]').wait_for(state="detached")
    assert visitor.ranking == once
    visitor.page.reload()
    assert visitor.ranking == once
    visitor.page.go_back()
    visitor.page.get_by_role("heading", name="What do you like?").wait_for()
    assert visitor.ranking == start


@pytest.mark.parametrize("visitor", EVERY_LOOK[::2], indirect=True, ids=lambda how: how["size"])
@pytest.mark.parametrize("path", ["/", "/?user={user}", "/item?id={item}", "/compare?user={user}", "/run", "/shoppers"])
def test_nothing_jumps_while_a_page_is_loaded(visitor: Visitor, path: str) -> None:
    visitor.go("/")
    user = visitor.page.locator(".shopper .who").first.text_content()
    visitor.go(path.format(user=user, item=visitor.ranking[0]))
    visitor.page.wait_for_load_state("networkidle")
    assert visitor.page.evaluate(SHIFTS) < MAX_SHIFT
    visitor.is_clean()


def test_a_jump_is_seen(visitor: Visitor) -> None:
    visitor.go("/")
    visitor.page.wait_for_load_state("networkidle")
    visitor.page.evaluate("() => document.body.insertAdjacentHTML('afterbegin', '<br>'.repeat(20))")
    assert visitor.page.evaluate(SHIFTS) > MAX_SHIFT


@pytest.mark.parametrize("visitor", EVERY_LOOK[::2], indirect=True, ids=lambda how: how["size"])
def test_what_is_pressed_is_large_enough_to_press(visitor: Visitor) -> None:
    """WCAG 2.2, target size: 24 by 24 pixels."""
    visitor.go("/")
    visitor.like(visitor.ranking[0], 1)
    small = visitor.page.locator("button:visible, .top a:visible").evaluate_all(
        """all => all.map(one => [one.textContent.trim(), one.getBoundingClientRect()])
        .filter(([, box]) => box.width > 1 && (box.width < 24 || box.height < 24)).map(([text]) => text)"""
    )
    assert small == []
