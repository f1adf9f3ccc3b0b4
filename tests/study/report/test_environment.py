"""The templates escape all text, know every name they use, and make pages that fetch nothing."""

import re
from importlib.resources import files

import pytest
from html_pages import EVIL, Page, is_harmless
from jinja2 import UndefinedError
from markupsafe import Markup

from mmsrarec.study.report.environment import PACKAGE, Section, environment, page, static


def test_text_is_escaped_and_markup_is_not() -> None:
    html = environment().from_string("{{ text }} {{ plot }}").render(text="<b>", plot=Markup("<svg/>"))
    assert html == "&lt;b&gt; <svg/>"


def test_a_name_that_nothing_gives_is_an_error() -> None:
    with pytest.raises(UndefinedError, match="heading"):
        Section("summaries/item_examples", {"items": []}).html()
    with pytest.raises(UndefinedError):
        environment().from_string("{{ row.nothing }}").render(row={"model": "als"})


@pytest.mark.parametrize("name", environment().list_templates())
def test_every_template_compiles_and_trusts_no_text(name: str) -> None:
    environment().get_template(name)
    source = files(PACKAGE).joinpath("templates", name).read_text(encoding="utf-8")
    assert not re.search(r"\|\s*safe|autoescape|Markup", source)
    assert "<script" not in source or name == "page.html"


def test_a_page_says_what_it_is_and_escapes_it() -> None:
    html = page(EVIL, EVIL, EVIL, [], sorts=True)
    is_harmless(html)
    assert Page(html).text.count("alert('&')") == 4  # title, eyebrow, heading, introduction
    assert "<title>&lt;script&gt;" in html


def test_only_a_page_with_tables_to_sort_runs_a_script() -> None:
    plain, sorts = page("e", "h", "i", [], "window"), page("e", "h", "i", [], sorts=True)
    is_harmless(plain)
    is_harmless(sorts)
    assert "<script" not in plain
    assert "script-src" not in plain
    assert f"<script>{static('page.js')}</script>" in sorts
    assert "<title>window</title>" in plain


def test_sections_stand_in_order_and_none_is_left_out() -> None:
    sections = [Section("summaries/rewards", {"rewards": [(name, "meaning")]}) for name in ("first", "second")]
    words = Page(page("e", "h", "i", [sections[0], None, sections[1]])).words
    assert words.index("first") < words.index("second")
    assert words.count("What is rewarded") == 2


def test_the_style_is_inside_and_fetches_nothing() -> None:
    html = page("e", "h", "i", [])
    assert static("page.css") in html
    assert "url(" not in html
    assert "@import" not in html
    assert "prefers-color-scheme: dark" in html
