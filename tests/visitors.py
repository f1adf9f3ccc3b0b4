"""Somebody who visits the pages of a server with a headless browser, at a width, in light or dark."""

from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

SIZES = {"phone": (390, 844), "desktop": (1280, 860), "narrow": (320, 640)}
EVERY_LOOK = [{"size": size, "scheme": scheme} for size in ("phone", "desktop") for scheme in ("light", "dark")]
LOOKS = [
    pytest.param(look, id=f"{look['size']}-{look['scheme']}", marks=[pytest.mark.slow] if number in (1, 2) else [])
    for number, look in enumerate(EVERY_LOOK)
]
"""All of them; phones in the light and desks in the dark where there is little time."""
MAX_SHIFT = 0.05
"""Cumulative layout shift of a page, at most."""
WAIT = 60_000
SHIFTS = """() => new Promise(done => {
  let sum = 0;
  new PerformanceObserver(list => {
    for (const one of list.getEntries()) if (!one.hadRecentInput) sum += one.value;
  }).observe({ type: "layout-shift", buffered: true });
  setTimeout(() => done(sum), 300);
})"""


class Visitor:
    """A page of the browser that takes pictures, and remembers what went wrong."""

    def __init__(self, context: Any, address: str, pictures: Path, name: str):
        self.page, self.address, self.pictures, self.name = context.new_page(), address, pictures, name
        self.page.set_default_timeout(WAIT)
        self.foreign: list[str] = []
        self.faults: list[str] = []
        self.page.on("request", lambda request: self._see(request.url))
        self.page.on("console", lambda message: self.faults.append(message.text) if message.type == "error" else None)
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))

    def _see(self, url: str) -> None:
        if not url.startswith(self.address):
            self.foreign.append(url)

    def go(self, path: str) -> None:
        self.page.goto(self.address + path)

    def look(self, step: str) -> None:
        """Take a picture, and see that nothing stands beyond the side of the screen."""
        self.page.wait_for_load_state("networkidle")
        self.page.evaluate("() => Promise.all(document.getAnimations().map(one => one.finished.catch(() => 0)))")
        self.page.screenshot(path=self.pictures / f"{self.name}-{step}.png")
        assert self.page.evaluate("() => document.documentElement.scrollWidth - innerWidth") <= 0

    @property
    def query(self) -> dict[str, list[str]]:
        return parse_qs(urlsplit(self.page.url).query)

    @property
    def ranking(self) -> list[str]:
        return self.page.locator("section[aria-labelledby=ranking] .card").evaluate_all(
            "cards => cards.map(card => card.dataset.key)"
        )

    def like(self, item_id: str, count: int) -> None:
        self.page.locator(f'button[value="like:{item_id}"]').first.click()
        self.page.wait_for_url(lambda url: len(parse_qs(urlsplit(url).query).get("like", [])) == count)
        self.page.locator(f'button[value="unlike:{item_id}"]').first.wait_for()

    def is_clean(self) -> None:
        assert self.foreign == []
        assert self.faults == []
