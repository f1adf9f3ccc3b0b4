"""Diagnostics on the page: a matrix that says which cell is what, tables of all rows, and only what was measured."""

from typing import Any

import numpy as np
import pytest
from html_pages import EVIL, shown

from mmsrarec.study.diagnostics.diagnose import Diagnosed, diagnostics_record
from mmsrarec.study.diagnostics.learning_curve import LearningPoint
from mmsrarec.study.diagnostics.rescoring import HistoryResult, WordsResult
from mmsrarec.study.diagnostics.user_slices import STEPS_NOTE, Slicing
from mmsrarec.study.report.environment import Section
from mmsrarec.study.report.sections.diagnostics_section import (
    diagnostics_sections,
    learning_plots,
    overlap_matrix,
    plotted_rows,
)
from mmsrarec.study.results import ModelResult

HITS = {"als": [1, 0, 0, 0], "sasrec": [1, 1, 0, 0], "mmsrarec": [0, 1, 1, 0]}


def metrics(hits: list[int]) -> dict[str, np.ndarray]:
    values = np.array(hits, dtype=float)
    return {"HR@5": values, "NDCG@5": values / 2, "MRR@5": values / 4, "AUC": 0.5 + values / 2}


def entry(names: tuple[str, ...] = tuple(HITS), text: str = "2 to 5", **more: Any) -> dict[str, Any]:
    rows = [
        ModelResult("published", "user-8-1-1", name, "whole", 0, np.arange(4), metrics(HITS.get(name, [0, 0, 0, 1])))
        for name in names
    ]
    given: dict[str, Any] = {
        "slicings": [
            Slicing("items of history", [(text, np.array([True, True, True, False])), ("6", np.arange(4) == 3)]),
            Slicing("age", [], STEPS_NOTE),
        ],
        "histories": [HistoryResult("mmsrarec", 7.0, {"true": metrics([1, 1]), "empty": metrics([0, 0])})],
        "words": WordsResult(31, {"neighbour_votes": {text: 1.25}}, metrics([0, 0, 0, 0])),
        "curves": {"whole": (1200, [LearningPoint(300, 2.5, 0.1), LearningPoint(900, 1.5, 0.4)])},
    }
    return diagnostics_record(Diagnosed("user-8-1-1", rows, **(given | more)), resamples=100)


def section(**more: Any) -> Section:
    (only,) = diagnostics_sections({"diagnostics": [entry(**more)]})
    return only


def test_below_the_diagonal_is_jaccard_above_it_the_union_on_it_the_hit_rate() -> None:
    lines = overlap_matrix(entry()["overlap"])
    assert [[cell["kind"] for cell in line["cells"]] for line in lines] == [
        ["hits", "union", "union"],
        ["jaccard", "hits", "union"],
        ["jaccard", "jaccard", "hits"],
    ]
    assert [[cell["value"] for cell in line["cells"]] for line in lines] == [
        [0.25, 0.5, 0.75],
        [0.5, 0.5, 0.75],
        [0, pytest.approx(1 / 3), 0.5],
    ]
    assert [line["ours"] for line in lines] == [False, False, True]


def test_the_page_says_what_was_measured() -> None:
    page = shown(section())
    for words in (
        "Any row hits 75.0 % of the users; any row without a language model, 50.0 %",
        "sasrec misses 2 of 4 users, the fewest of the rows without a language model",
        "The language model by itself hits 50.0 % of them",
        "2 to 5 · 3 users",
        "6 · 1 user",
        STEPS_NOTE,
        "2 test users, ranked again with their history shuffled",
        "mmsrarec 7.",
        "It learned from 31 validation users",
        "neighbour votes",
        "+1.25",
        "loss of a pack",
    ):
        assert words in page.text, words
    assert "HR@5 by age" not in page.text
    svgs = [tag for tag, _ in page.tags].count("svg")
    assert svgs == 3  # a slicing, loss, share ranked first


def test_every_row_stands_on_every_slice() -> None:
    data = section().data["slices"][0]
    assert [table["metric"] for table in data["tables"]] == ["HR@5", "NDCG@5"]
    hr = data["tables"][0]
    assert {label: [cell["value"] for cell in cells] for label, cells in hr["lines"]} == {
        "als": [pytest.approx(1 / 3), 0],
        "sasrec": [pytest.approx(2 / 3), 0],
        "mmsrarec": [pytest.approx(2 / 3), 0],
    }
    assert hr["best"] == [pytest.approx(2 / 3), 0]


def test_plots_show_the_language_model_and_the_best_without_it() -> None:
    assert plotted_rows(entry()) == ["mmsrarec", "sasrec"]
    assert plotted_rows(entry(("als", "random"))) == ["als"]
    assert plotted_rows(entry(("mmsrarec",))) == ["mmsrarec"]


def test_what_was_not_measured_has_no_place() -> None:
    bare = shown(section(names=("als",), histories=[], words=None, curves={}))
    for heading in (
        "Which users the rows hit",
        "Does the history matter?",
        "What the words are worth",
        "learning curve",
    ):
        assert heading not in bare.text
    assert "What is left to gain" in bare.text
    assert "What is left to gain" not in shown(section(names=("mmsrarec",))).text
    assert "coloured, above" not in shown(section(names=("als",))).text
    assert diagnostics_sections({}) == diagnostics_sections({"diagnostics": [entry(names=(), words=None)]}) == []


def test_fifteen_rows_are_told_apart_by_number() -> None:
    names = tuple(f"row-{number}" for number in range(15))
    html = section(names=names, words=None).html()
    assert '<abbr title="row-14">15</abbr>' in html
    assert html.count('class="shared share-') == 15 * 14 // 2


def test_hostile_text_stays_text() -> None:
    page = shown(section(names=("als", EVIL), text=EVIL))
    assert page.names.isdisjoint({"script", "img"})


def test_each_training_is_a_curve_named_by_its_packs() -> None:
    curves = [
        {"variant": variant, "packs": packs, "points": [{"packs": packs / 2, "loss": 2.0, "first": 0.5}]}
        for variant, packs in (("packs 300", 300), ("whole", 1200))
    ]
    loss, first = learning_plots(curves)
    assert (loss[1], first[1]) == ("loss of a pack", "share of packs whose positive ranks first")
    for plot, _ in (loss, first):
        assert ">300</text>" in plot
        assert ">1,200</text>" in plot
    assert learning_plots([]) == []
