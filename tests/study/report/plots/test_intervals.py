"""Means with intervals stand to scale from 0 up."""

import re

import pytest

from mmsrarec.study.report.plots.intervals import Dot, dot_plot

DOTS = [Dot("a<b", 0.25, 0.2, 0.3), Dot("ours", 0.5, 0.4, 1.0, strong=True)]


def test_twice_the_value_is_twice_as_far_from_zero() -> None:
    svg = dot_plot(DOTS, "HR@5", chance=0.238)
    assert "a&lt;b" in svg
    left, right = (float(x) for x in re.findall(r'circle cx="([\d.]+)"', svg))
    assert right - 8 == pytest.approx(2 * (left - 8), abs=0.2)
    ranges = [(float(a), float(b)) for a, b in re.findall(r'class="range" x1="([\d.]+)" x2="([\d.]+)"', svg)]
    assert ranges[0][1] - 8 == pytest.approx(1.5 * (ranges[0][0] - 8), abs=0.2)
    assert ranges[0][0] < left < ranges[0][1] <= ranges[1][1]


def test_chance_is_drawn_where_it_is_known() -> None:
    assert dot_plot(DOTS, "HR@5", chance=0.238).count('class="chance"') == 1
    assert dot_plot(DOTS, "HR@5").count('class="chance"') == 0
    widest = re.findall(r'class="tick"[^>]*>([\d.]+)<', dot_plot([Dot("a", 0.1, 0.1, 0.1)], "HR@5", chance=0.9))
    assert float(widest[-1]) >= 0.9


def test_each_mean_has_its_line_and_ours_its_colour() -> None:
    svg = dot_plot(DOTS, "HR@5")
    assert [svg.count(f'<g class="{kind}">') for kind in ("plain", "strong")] == [1, 1]
    first, second = (float(y) for y in re.findall(r'circle cx="[\d.]+" cy="(\d+)"', svg))
    assert second - first == 40
    assert (">0.250</text>" in svg, ">0.500</text>" in svg) == (True, True)


def test_nothing_but_zeros_is_still_a_plot() -> None:
    assert "circle" in dot_plot([Dot("a", 0.0, 0.0, 0.0)], "HR@5")
