"""What the tests of the server's pages share: a reader of what a page shows, and what must hold for each of them."""

from typing import Any

from html_pages import Page
from served import Served

VOID = {"meta", "img", "link", "input"}
REACHED = {"a", "button", "input"}


class ServedPage(Page):
    """A page as it was sent.

    Attributes:
        html: Its text.
        headers: What came with it.
    """

    def __init__(self, html: str, headers: Any):
        self.html, self.headers = html, headers
        super().__init__(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def values(self, tag: str, name: str) -> list[str]:
        """The values of an attribute, in the order of the page."""
        return [attributes[name] or "" for one, attributes in self.tags if one == tag and name in attributes]

    @property
    def reached(self) -> list[tuple[str, dict[str, str | None]]]:
        """What the keyboard reaches, in order."""
        return [
            (tag, attributes)
            for tag, attributes in self.tags
            if (tag in REACHED and attributes.get("type") != "hidden") or attributes.get("tabindex") == "0"
        ]

    @property
    def acts(self) -> list[str]:
        return [value for value in self.values("button", "value") if ":" in value]


def get(server: Served, path: str, status: int = 200, **query: Any) -> ServedPage:
    """A page that is checked for whatever must hold for all of them."""
    response = server.client.get(path, params=query)
    assert response.status_code == status, response.text[:2000]
    page = ServedPage(response.text, response.headers)
    is_sound(page)
    return page


def is_sound(page: ServedPage) -> None:
    """All is closed; no script, style or handler stands inside; every address is one of this server."""
    assert page.open == []
    assert page.comments == []
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.names.isdisjoint({"iframe", "object", "embed", "base", "style"})
    sources = page.values("script", "src")
    assert page.html.count("<script") == len(sources) == sum(tag == "script" for tag, _ in page.tags)
    for _, attributes in page.tags:
        assert not any(name.startswith("on") or name in ("style", "srcdoc", "formaction") for name in attributes)
        for name in ("src", "href", "action"):
            address = attributes.get(name)
            assert (
                address is None
                or address.startswith(("./", "item?", "picture?", "static/", "#"))
                or (address.partition("?")[0] in ("item", "shoppers", "compare", "run"))
            ), address
    images = [attributes for tag, attributes in page.tags if tag == "img"]
    assert all({"width", "height", "alt"} <= set(image) for image in images)
