"""Rows of a group stand below each other, to scale, and our own is highlighted."""

import re

import pytest
from html_pages import HOSTILE, Page

from mmsrarec.study.report.plots import Dot, Group, group_plot


def dots(*values: float) -> list[Dot]:
    return [Dot(f"row {place}", value, value - 0.1, value + 0.1, place == 0) for place, value in enumerate(values)]


def circles(svg: str) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in re.findall(r'<circle cx="([\d.]+)" cy="([\d.]+)"', svg)]


def test_every_row_of_every_group_is_drawn_to_scale() -> None:
    svg = group_plot([Group("2 to 5 · 9 users", dots(0.2, 0.4)), Group("6 and more", dots(0.6, 0.8))], "HR@5")
    (x0, y0), (x1, y1), (x2, y2), (x3, y3) = circles(svg)
    assert x1 - x0 == pytest.approx(x2 - x1, abs=0.11)
    assert x3 - x2 == pytest.approx(x1 - x0, abs=0.11)
    assert y0 < y1 < y2 < y3
    assert y2 - y1 > y1 - y0  # groups stand apart
    assert (svg.count('class="strong"'), svg.count('class="plain"')) == (2, 2)
    texts = Page(svg).words
    assert texts.index("2 to 5 · 9 users") < texts.index("0.400") < texts.index("6 and more") < texts.index("0.800")
    assert "row 1: 0.400" in texts


def test_a_plot_of_zeros_has_an_axis() -> None:
    svg = group_plot([Group("none", [Dot("a", 0.0, 0.0, 0.0)])], "HR@5")
    assert circles(svg)[0][0] == pytest.approx(8)


@pytest.mark.parametrize("text", [text for text in HOSTILE if "\0" not in text])
def test_no_label_leaves_its_place(text: str) -> None:
    page = Page(group_plot([Group(text, [Dot(text, 0.5, 0.4, 0.6)])], text))
    assert {tag for tag, _ in page.tags} == {"svg", "title", "line", "text", "g", "circle"}
