"""Figures of papers and of sweeps beside those of the run."""

from typing import Any

import pytest
from html_pages import EVIL, shown

from mmsrarec.evaluate.reference_results import reference_rows
from mmsrarec.study.report.sections.reference_section import reference_section, sweeps_section


def row(model: str, protocol: str = "published") -> dict[str, Any]:
    metrics = {"HR@5": {"value": 0.5, "low": 0.4, "high": 0.6}}
    return {"model": model, "variant": "", "protocol": protocol, "split": "user-8-1-1", "metrics": metrics}


def test_published_figures_stand_below_ours() -> None:
    papers = [row._asdict() for row in reference_rows("microlens")]
    rows = [row("mmsrarec"), row("mmsrarec", "full"), row("popularity")]
    section = reference_section({"rows": rows, "published": papers})
    assert section is not None
    assert section.data["metrics"] == list(dict.fromkeys(name for paper in papers for name in paper["metrics"]))
    words = shown(section).words
    at = words.index("MMSRARec, 7B")
    assert words[at + 1 : at + 3] == ["0.8509", "0.8436"]
    assert words.count("this run, user-8-1-1") == 1
    assert words.index("this run, user-8-1-1") < at
    assert section.html().count('class="ours"') == 1


def test_without_published_figures_there_is_no_section() -> None:
    assert reference_section({"rows": [row("mmsrarec")], "published": []}) is None
    assert reference_section({"rows": [row("mmsrarec")]}) is None


def test_a_figure_that_a_paper_lacks_is_a_dash() -> None:
    papers = [{"model": EVIL, "source": EVIL, "metrics": {"HR@5": 0.25}}, {"model": "b", "source": "c", "metrics": {}}]
    page = shown(reference_section({"rows": [], "published": papers}))
    assert page.names.isdisjoint({"script", "img"})
    assert page.words[page.words.index("b") + 1] == "–"
    assert "0.2500" in page.words


def test_a_sweep_is_a_curve_with_its_intervals() -> None:
    points = [{"count": count, "metrics": {"HR@5": {"value": v, "low": v - 0.1, "high": v + 0.1}}} for count, v in
              ((1, 0.3), (2, 0.4), (8, 0.5))]  # fmt: skip
    section = sweeps_section({"sweeps": {"items of history": points, EVIL: points[:1]}})
    assert section is not None
    html = section.html()
    assert html.count("<svg") == 2
    assert html.count('class="band"') == 2
    assert "HR@5 by items of history, each point trained for itself" in html
    assert shown(section).names.isdisjoint({"script", "img"})


def test_counts_far_apart_stand_on_an_axis_of_powers() -> None:
    figure = {"value": 0.3, "low": 0.2, "high": 0.4}
    near, far = (
        [{"count": count, "metrics": {"HR@5": figure}} for count in counts] for counts in ((3, 9), (300, 19200))
    )
    assert ">30k</text>" in sweeps_section({"sweeps": {"packs": far}}).html()  # type: ignore[union-attr]
    assert ">4</text>" in sweeps_section({"sweeps": {"k": near}}).html()  # type: ignore[union-attr]


@pytest.mark.parametrize("report", [{}, {"sweeps": {}}])
def test_without_sweeps_there_is_no_section(report: dict[str, Any]) -> None:
    assert sweeps_section(report) is None
