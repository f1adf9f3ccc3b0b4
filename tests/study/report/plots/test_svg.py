"""SVG elements escape what they are given, and plots can stand alone."""

from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import pytest
from html_pages import HOSTILE

from mmsrarec.study.report.plots import Cloud, Dot, Line, Point, cloud_plot, dot_plot, line_plot, save_svg, scatter
from mmsrarec.study.report.plots.svg import cut, element, group, power_ticks, round_ticks, short


def test_an_element_has_its_attributes_and_children() -> None:
    inner = element("text", "a<b", class_="tick", x=1.26, text_anchor="end")
    assert inner == '<text class="tick" x="1.3" text-anchor="end">a&lt;b</text>'
    assert group(True, [inner]) == f'<g class="strong">{inner}</g>'
    assert element("line", x1=3) == '<line x1="3"/>'
    assert element("g", aria_label='"&') == '<g aria-label="&#34;&amp;"/>'


@pytest.mark.parametrize("text", [text for text in HOSTILE if "\0" not in text])
def test_no_label_leaves_its_place(text: str) -> None:
    plots = [
        dot_plot([Dot(text, 0.5, 0.4, 0.6)], text),
        scatter([Point(text, 5, 0.5)], text),
        line_plot([Line(text, [(0, 1), (1, 2)]), Line("other", [(0, 1)])], text, text),
        cloud_plot([Cloud(text, [(0, 1)], [(1, 2)], [text])], text, text, text),
    ]
    for plot in plots:
        root = ElementTree.fromstring(plot)
        assert {one.tag for one in root.iter()} <= {
            "svg",
            "title",
            "g",
            "text",
            "line",
            "circle",
            "polyline",
            "polygon",
        }
        assert root.attrib["aria-label"].split() == text.split()
        assert (
            sum(one.text == text or cut(text, 50) == one.text or cut(text, 34) == one.text for one in root.iter()) > 1
        )


def test_a_plot_can_stand_alone(tmp_path: Path) -> None:
    save_svg(dot_plot([Dot("a<b", 0.25, 0.2, 0.3)], "HR@5"), tmp_path / "plot.svg")
    root = ElementTree.parse(tmp_path / "plot.svg").getroot()
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert "a<b" in [text.text for text in root.iter("{http://www.w3.org/2000/svg}text")]
    assert root.find("{http://www.w3.org/2000/svg}style") is not None


@pytest.mark.parametrize("values", [[], [0.0], [3.0], [-2.5], [-0.4, 0.3], [0.0, 1.0], [1e6, 1e6 + 1], [1e-7, 3e-7]])
def test_ticks_are_few_and_hold_all_values(values: list[float]) -> None:
    ticks = round_ticks(values)
    assert 2 <= len(ticks) <= 7
    assert all(a < b for a, b in pairwise(ticks))
    assert all(ticks[0] <= value <= ticks[-1] for value in values)


def test_long_labels_lose_their_middle() -> None:
    assert cut("sasrec", 6) == "sasrec"
    label = cut("mmsrarec, ensemble with content-sasrec+sequential-rules+ease+sasrec", 30)
    assert len(label) == 30
    assert label.startswith("mmsrarec, ensem")
    assert label.endswith("ease+sasrec")


def test_small_metrics_keep_a_digit_more() -> None:
    assert (short(0.4567), short(0.04567)) == ("0.457", "0.0457")


@pytest.mark.parametrize(
    ("values", "ticks"),
    [([300, 19_200], [300, 1000, 3000, 10_000, 30_000]), ([5], [3, 10]), ([1], [1, 3]), ([10, 100], [10, 30, 100])],
)
def test_ticks_of_powers_lie_around_all_values(values: list[float], ticks: list[float]) -> None:
    assert power_ticks(values) == pytest.approx(ticks)
