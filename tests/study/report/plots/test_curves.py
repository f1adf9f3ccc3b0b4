"""Curves stand to scale with their bands, and clouds keep their dots and the line of their means."""

import re

import pytest

from mmsrarec.study.report.plots.axes import Axes
from mmsrarec.study.report.plots.curves import Cloud, Line, cloud_plot, line_plot


def path(svg: str, kind: str) -> list[tuple[float, float]]:
    """The corners of the one line or band of a kind."""
    (corners,) = (part.split('"')[0].split() for part in svg.split(f'class="{kind}" points="')[1:])
    return [(float(x), float(y)) for x, y in (corner.split(",") for corner in corners)]


def test_lines_stand_to_scale_with_their_bands() -> None:
    line = Line("a<b", [(0, -1.0), (5, 0.0), (10, 1.0)], [0.5, 0.0, 1.0], strong=True)
    svg = line_plot([line, Line("other", [(2, 0.5)])], "reward")
    assert "a&lt;b" in svg
    (x0, y0), (x1, y1), (x2, y2) = path(svg, "curve")
    assert x1 - x0 == pytest.approx(x2 - x1, abs=0.11)
    assert y0 - y1 == pytest.approx(y1 - y2, abs=0.11)
    assert y2 < y0  # upwards is more
    band = path(svg, "band")
    assert len(band) == 6
    assert y2 - band[2][1] == pytest.approx(y1 - y2, abs=0.11)  # a deviation of 1 above a point at 1


def test_several_lines_are_named_and_a_single_point_is_a_dot() -> None:
    both = line_plot([Line("a", [(2, 0.5)]), Line("b", [(1, 0.5), (2, 0.5)])], "reward")
    assert (both.count("<circle"), both.count("<polyline")) == (1, 1)
    assert [f">{name}</text>" in both for name in "ab"] == [True, True]
    assert 'class="name"' not in line_plot([Line("a", [(2, 0.5)])], "reward")


def test_an_axis_from_zero_holds_zero() -> None:
    assert ">0</text>" not in line_plot([Line("a", [(5, 10.0), (6, 11.0)])], "keywords")
    assert ">0</text>" in line_plot([Line("a", [(5, 10.0), (6, 11.0)])], "keywords", zero=True)


def test_on_an_axis_of_powers_equal_ratios_are_equal_distances() -> None:
    svg = line_plot([Line("a", [(300, 0.5), (1200, 0.6), (4800, 0.7)])], "HR@5", "packs", powers=True)
    (x0, _), (x1, _), (x2, _) = path(svg, "curve")
    assert x1 - x0 == pytest.approx(x2 - x1, abs=0.11)
    assert [f">{tick}</text>" in svg for tick in ("300", "1k", "3k", "10k")] == [True] * 4


def test_a_band_has_one_deviation_for_each_point() -> None:
    with pytest.raises(ValueError, match="zip"):
        line_plot([Line("a", [(0, 1.0), (1, 1.0)], [0.5])], "reward")


def test_clouds_keep_dots_and_the_line_of_means() -> None:
    svg = cloud_plot(
        [Cloud("untuned", [(2, 0.2), (4, 0.4)]), Cloud("tuned", [], [(1, 0.1), (2, 0.3)], ["1", "2"], strong=True)],
        "Information against length",
        "tokens",
        "information",
    )
    assert (svg.count('class="faint"'), svg.count('class="curve"')) == (2, 1)
    assert svg.index("untuned") < svg.index(">tuned<")
    assert len(re.findall(r'class="name"[^>]*text-anchor="middle">[12]<', svg)) == 2
    assert "↑ information" in svg


def test_axes_end_at_their_ticks() -> None:
    axes = Axes(320, 200, [0, 5, 10], [-1, 1], "step", x_text=lambda tick: f"{tick} steps")
    assert (axes.x(0), axes.x(10)) == (axes.left, axes.right)
    assert (axes.y(-1), axes.y(1)) == (axes.bottom, axes.top)
    assert axes.path([(5, 0)]) == f"{(axes.left + axes.right) / 2:.1f},{(axes.top + axes.bottom) / 2:.1f}"
    assert axes.curve([]) == axes.dots([], 3) == []
    assert ">5 steps</text>" in axes.svg("title")
    assert "↑" not in axes.svg("title")
