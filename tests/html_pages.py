"""What the tests of the pages share: hostile texts, a reader of HTML that parts tags and text, and short looks."""

import base64
import hashlib
import re
from html.parser import HTMLParser

from mmsrarec.study.report.environment import Section, static

EVIL = "<script>alert('&')</script>\"><img src=x onerror=alert(1)>"
HOSTILE = (
    EVIL,
    "</style><script>alert('&')</script>",
    "' onmouseover='alert(1)",
    '" onmouseover="alert(1)" x="',
    "]]><script>alert('&')</script><![CDATA[",
    "<!-- <script>alert('&')</script>",
    "</title></section></main><svg onload=alert(1)>",
    "line\u2028separator\u2029and\x85next\x00null",
    "\u202eright to left\u202d \u2066isolate",
    "{{ 7 * 7 }}{% raw %}{# comment #}",
    "&lt;script&gt; &amp;amp; &#60;b&#62;",
    "javascript:alert(1)",
)
"""Texts that an item's title, its keywords or its id may hold."""
VOID = {"meta", "img", "line", "circle", "polyline", "polygon"}


class Page(HTMLParser):
    """Tags with their attributes, the text, and what is open: every tag is closed in order."""

    def __init__(self, text: str):
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.comments: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)

    def handle_comment(self, data):
        self.comments.append(data)

    @property
    def text(self) -> str:
        """All text, with one space for each run of white space."""
        return " ".join(" ".join(self.words).split())

    @property
    def names(self) -> set[str]:
        return {tag for tag, _ in self.tags}


def shown(section: Section | None) -> Page:
    """A section as a reader sees it."""
    assert section is not None
    page = Page(section.html())
    assert page.open == []
    return page


def is_harmless(html: str) -> None:
    """A page without a tag, an attribute or a comment that templates do not write, and with no script but its own."""
    page = Page(html)
    assert page.open == []
    assert page.comments == []
    assert page.names.isdisjoint({"link", "iframe", "object", "embed", "base", "form", "input"})
    for _, attributes in page.tags:
        assert not any(name.startswith("on") for name in attributes)
        assert attributes.get("src", "data:image/jpeg;base64,").startswith("data:image/jpeg;base64,")
        assert attributes.get("href", "summaries.html") == "summaries.html"
    scripts = re.findall(r"<script>(.*?)</script>", html, re.DOTALL)
    assert html.count("<script") == len(scripts)
    assert scripts in ([], [static("page.js")])
    allowed = [base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts]
    assert re.findall("script-src 'sha256-([^']+)'", html) == allowed
    assert "default-src 'none'" in html
