"""The templates of the pages: their one Jinja environment, a section, and a whole page around sections."""

from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Any, NamedTuple, cast

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from mmsrarec.study.report import formats

PACKAGE = "mmsrarec.study.report"
FILTERS = (formats.number, formats.cost, formats.plain, formats.thousands, formats.p_value, formats.jpeg_uri)


class Section(NamedTuple):
    """A part of a page.

    Attributes:
        template: Name of the file under `templates` that writes it, without ".html".
        data: Plain data that the template writes. Every text is escaped there; only `Markup` is taken as HTML.
    """

    template: str
    data: Mapping[str, Any]

    def html(self) -> Markup:
        """The section as HTML."""
        return Markup(environment().get_template(f"{self.template}.html").render(self.data))


@cache
def environment() -> Environment:
    """The environment of all templates: it escapes all text, and an unknown name is an error."""
    loader = PackageLoader(PACKAGE)
    jinja = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    filters = cast("dict[str, Callable[..., str]]", jinja.filters)
    filters.update({function.__name__: function for function in FILTERS})
    return jinja


def page(
    eyebrow: str, heading: str, intro: str, sections: Iterable[Section | None], title: str = "", sorts: bool = False
) -> str:
    """Write a whole page that needs no other file.

    Args:
        eyebrow: The small line above the heading.
        heading: The heading of the page, and its title where no other is given.
        intro: The sentence below the heading.
        sections: The parts of the page; None is left out.
        title: The title of the browser's window.
        sorts: Tables of the class "sorts" can be sorted, by the only script that the page lets run.
    """
    script = static("page.js") if sorts else ""
    data = {
        "title": title or heading,
        "eyebrow": eyebrow,
        "heading": heading,
        "intro": intro,
        "sections": [section.html() for section in sections if section],
        "style": Markup(static("page.css")),
        "script": Markup(script),
        "script_hash": b64encode(sha256(script.encode()).digest()).decode(),
    }
    return f"{Section('page', data).html()}\n"


def static(name: str) -> str:
    """The text of a file under `static`."""
    return files(PACKAGE).joinpath("static", name).read_text(encoding="utf-8")
