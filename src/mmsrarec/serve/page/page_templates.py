"""The templates of the pages: their environment, and addresses of static files that change with their content."""

import hashlib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from mmsrarec.study.report import formats
from mmsrarec.study.report.environment import static as report_file

PACKAGE = "mmsrarec.serve.page"
TYPES = {"css": "text/css", "svg": "image/svg+xml", "js": "text/javascript", "woff2": "font/woff2", "txt": "text/plain"}
OWN = ("serve.css", "icon.svg", "serve.js", "newsreader.woff2", "newsreader-OFL.txt")
OF_REPORTS = {"report.css": "page.css", "report.js": "page.js"}
"""What the tables and plots of a report need, by the name under which it is sent."""


@cache
def static_files() -> Mapping[str, bytes]:
    """The content of each static file by name."""
    folder = files(PACKAGE).joinpath("static")
    own = {name: folder.joinpath(name).read_bytes() for name in OWN}
    return own | {name: report_file(source).encode() for name, source in OF_REPORTS.items()}


@cache
def static_address(name: str) -> str:
    """The relative address of a static file, which may be kept for ever."""
    return f"static/{name}?v={hashlib.sha256(static_files()[name]).hexdigest()[:12]}"


@cache
def environment() -> Environment:
    """The environment of all templates: it escapes all text, and an unknown name is an error."""
    jinja = Environment(
        loader=PackageLoader(PACKAGE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    jinja.globals["static"] = static_address  # pyright: ignore[reportArgumentType]
    jinja.filters["thousands"] = formats.thousands  # pyright: ignore[reportArgumentType]
    jinja.filters["plain"] = formats.plain  # pyright: ignore[reportArgumentType]
    return jinja


def render(template: str, data: Mapping[str, Any]) -> str:
    """Write a template.

    Args:
        template: Its file under `templates`.
        data: What it writes; every text is escaped, only `Markup` is taken as HTML.
    """
    return environment().get_template(template).render(data)
