"""Templates escape, name nothing that is not there, and no file of the pages names another machine."""

import re
from importlib.resources import files

import pytest
from html_pages import HOSTILE
from jinja2 import UndefinedError

from mmsrarec.serve.page.page_templates import PACKAGE, TYPES, environment, render, static_address, static_files
from mmsrarec.serve.page.visit import Visit

SVG = "http://www.w3.org/2000/svg"
LICENCE = "newsreader-OFL.txt"


@pytest.mark.parametrize("text", HOSTILE)
def test_every_text_is_escaped(text: str) -> None:
    data = {"visit": Visit(), "place": "", "title": text, "detail": text, "retry": "", "waits": False}
    html = render("problem.html", data)
    assert text not in html or not set(text) & set("<>\"'&")
    assert html.count("<script") == 1


def test_a_name_that_is_not_given_is_an_error() -> None:
    with pytest.raises(UndefinedError):
        render("problem.html", {})


def test_every_template_can_be_read() -> None:
    names = environment().list_templates()
    assert {"base.html", "home.html", "item.html", "compare.html", "run.html", "tile.svg"} <= set(names)
    for name in names:
        environment().get_template(name)


def test_a_static_address_changes_with_the_file() -> None:
    addresses = {static_address(name) for name in static_files()}
    assert len(addresses) == len(static_files())
    assert all(re.fullmatch(r"static/[\w.-]+\?v=[0-9a-f]{12}", address) for address in addresses)
    assert {name.rpartition(".")[2] for name in static_files()} <= set(TYPES)


def test_the_letters_come_with_their_licence() -> None:
    assert static_files()["newsreader.woff2"].startswith(b"wOF2")
    assert b"SIL Open Font License, Version 1.1" in static_files()[LICENCE]


def test_nothing_is_fetched_from_elsewhere() -> None:
    templates = files(PACKAGE).joinpath("templates")
    texts = {path.name: path.read_text(encoding="utf-8") for path in templates.iterdir() if path.is_file()}
    texts |= {
        name: body.decode() for name, body in static_files().items() if not name.endswith("woff2") and name != LICENCE
    }
    for name, text in texts.items():
        assert re.findall(r"(?:https?:)?//[\w.-]+\.\w+[^\s\"']*", text.replace(SVG, "")) == [], name


def test_there_is_little_of_it() -> None:
    """A page is there at once: style, script and letters together are smaller than one photograph."""
    own = [static_files()[name] for name in ("serve.css", "serve.js", "newsreader.woff2")]
    assert sum(map(len, own)) < 100_000
