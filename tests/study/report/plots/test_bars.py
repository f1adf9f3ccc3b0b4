"""Bars from 0 up, whose names stay apart."""

import re

import pytest

from mmsrarec.study.report.plots import bar_plot, short_count


def heights(plot: str) -> list[float]:
    return [float(value) for value in re.findall(r'<rect[^>]* height="([0-9.]+)"', plot)]


def test_the_height_of_a_bar_is_its_count() -> None:
    plot = bar_plot([("5", 100), ("10", 50), ("20", 0)], "users", "interactions, up to")
    tall, half, none = heights(plot)
    assert tall == pytest.approx(2 * half, abs=0.2)
    assert none == 0
    assert "<title>10: 50</title>" in plot
    assert 'aria-label="users"' in plot
    assert "interactions, up to" in plot


@pytest.mark.parametrize(("bars", "named"), [(1, 1), (13, 13), (14, 4), (48, 4)])
def test_many_bars_name_a_few(bars: int, named: int) -> None:
    plot = bar_plot([(f"day {place}", place) for place in range(bars)], "t", "x")
    assert len(heights(plot)) == bars
    assert len(re.findall(r"<text[^>]*>day \d+</text>", plot)) == named


def test_names_are_escaped() -> None:
    plot = bar_plot([("<b>", 1)], "<i>", "<u>")
    assert "&lt;b&gt;" in plot
    assert re.search(r"<[biu]>", plot) is None


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0"), (5, "5"), (999, "999"), (1_000, "1k"), (1_500, "1.5k"), (2e6, "2M"), (3e9, "3G")]
)
def test_round_counts_are_short(count: float, text: str) -> None:
    assert short_count(count) == text
