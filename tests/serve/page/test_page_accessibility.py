"""Everybody can use the pages: axe-core finds nothing serious in any, and the keyboard reaches every control."""

from typing import Any
from urllib.parse import urlencode

import pytest
from visitors import EVERY_LOOK, LOOKS, Visitor

SERIOUS = {"serious", "critical"}
MAX_STEPS = 400
"""Of the tabulator key on one page."""
WATCH = "() => { window.reached = new Set(); window.faults = []; }"
STEP = """() => {
  const target = document.activeElement, name = target.textContent.trim().slice(0, 80) || target.name || target.id;
  if (target === document.body) return false;
  const box = target.getBoundingClientRect(), header = document.querySelector("header.top");
  const looks = [getComputedStyle(target), getComputedStyle(target, "::after")];
  window.reached.add(target);
  if (!looks.some(look => look.outlineStyle !== "none" && parseFloat(look.outlineWidth) >= 2))
    window.faults.push(`${name}: no ring`);
  if (box.bottom <= 0 || box.top >= innerHeight) window.faults.push(`${name}: off the screen`);
  if (!header.contains(target) && !target.matches(".skip") && getComputedStyle(header).position === "sticky"
    && box.bottom <= header.getBoundingClientRect().bottom) window.faults.push(`${name}: under the header`);
  return true;
}"""
MISSED = """() => [...document.querySelectorAll("a[href], button, input:not([type=hidden]), summary, [tabindex='0']")]
  .filter(one => one.checkVisibility() && !window.reached.has(one))
  .map(one => `${one.tagName} ${one.textContent.trim() || one.name || one.href}`)"""


def pages(visitor: Visitor) -> dict[str, str]:
    """Every kind of page, by what it is."""
    visitor.go("/")
    user, items = visitor.page.locator(".shopper .who").first.text_content(), visitor.ranking
    word = visitor.page.request.get(f"{visitor.address}/v1/items/{items[0]}").json()["keywords"][0]

    def page(path: str, **query: Any) -> str:
        return f"{path}?{urlencode(query, doseq=True)}"

    return {
        "start": "/",
        "after some steps": page("/", like=items[:2], less=word, more="red", hide=items[3], act=f"like:{items[2]}"),
        "search": page("/", user=user, q="a"),
        "nothing found": page("/", q="no such thing"),
        "item": page("/item", id=items[0], like=items[1], audience="true"),
        "compare": page("/compare", user=user, by="popularity"),
        "compare for nobody": "/compare",
        "shoppers": "/shoppers",
        "no shopper found": page("/shoppers", q="no such shopper"),
        "run": "/run",
        "problem": page("/item", id="no such item"),
    }


@pytest.mark.parametrize("visitor", LOOKS, indirect=True)
def test_axe_finds_nothing_serious(visitor: Visitor) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs axe-playwright-python").Axe()
    findings: list[str] = []
    for name, path in pages(visitor).items():
        visitor.go(path)
        visitor.page.wait_for_load_state("networkidle")
        visitor.page.evaluate("() => Promise.all(document.getAnimations().map(one => one.finished.catch(() => 0)))")
        result = axe.run(visitor.page).response
        assert len(result["passes"]) > 10
        for violation in result["violations"]:
            if violation["impact"] in SERIOUS:
                places = [node["target"] for node in violation["nodes"]]
                findings.append(f"{name}: {violation['id']}, {violation['help']}: {places[:3]}")
    assert findings == []


def test_axe_finds_what_is_wrong(visitor: Visitor) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs axe-playwright-python").Axe()
    visitor.go("/shoppers")
    visitor.page.evaluate("() => document.querySelector('.wide-add input').removeAttribute('aria-label')")
    visitor.page.evaluate("() => document.querySelector('.wide-add input').removeAttribute('placeholder')")
    assert "label" in {one["id"] for one in axe.run(visitor.page).response["violations"]}


@pytest.mark.parametrize("visitor", EVERY_LOOK[::2], indirect=True, ids=lambda how: how["size"])
def test_the_keyboard_reaches_every_control(visitor: Visitor) -> None:
    """Forwards on a phone, backwards on a desk: with a ring, on the screen, and not under the header."""
    found: dict[str, list[str]] = {}
    visitor.page.emulate_media(reduced_motion="reduce")  # so that a page scrolls at once
    key = "Tab" if visitor.name.startswith("phone") else "Shift+Tab"
    for name, path in pages(visitor).items():
        visitor.go(path)
        visitor.page.wait_for_load_state("networkidle")
        visitor.page.evaluate(WATCH)
        for _ in range(MAX_STEPS):
            visitor.page.keyboard.press(key)
            if not visitor.page.evaluate(STEP):
                break
        faults = [*visitor.page.evaluate(MISSED), *visitor.page.evaluate("() => window.faults")]
        if faults:
            found[name] = faults
    assert found == {}


def test_the_lines_of_a_comparison_end_at_its_rows(visitor: Visitor) -> None:
    visitor.go("/compare?" + urlencode({"user": pages(visitor)["compare"].partition("user=")[2].partition("&")[0]}))
    heights = visitor.page.locator(".sides ol, .sides .lines").evaluate_all(
        "all => all.map(one => [one.getBoundingClientRect().top, one.getBoundingClientRect().bottom])"
    )
    (top, bottom), *others = heights
    assert len(others) == 2
    assert all(abs(other[0] - top) < 1 and abs(other[1] - bottom) < 1 for other in others)
