"""Measures on held-out items, and information against length."""

import math
from dataclasses import replace

import pytest
from html_pages import EVIL, shown

from mmsrarec.study.report.sections.heldout_section import heldout_section, length_section
from mmsrarec.study.report.summary_facts import SummaryFacts

EMPTY = SummaryFacts("tiny")


def measure(value: float) -> dict[str, float]:
    return {"value": value, "low": value - 0.01, "high": value + 0.01}


def test_each_modality_has_a_table_with_intervals() -> None:
    untuned = {"total": measure(0.431), "tokens": measure(12.25), "length": measure(120)}
    page = shown(
        heldout_section(replace(EMPTY, heldout={"text": {"untuned": untuned, "tuned": {"total": measure(0.517)}}}))
    )
    assert "Asked about texts untuned tuned" in page.text
    assert "total reward 0.431 0.421 to 0.441 0.517 0.507 to 0.527" in page.text
    assert "tokens 12.25 12.24 to 12.26 –" in page.text
    assert "length term 120 120 to 120" in page.text
    assert "svg" not in page.names


def test_shares_copied_from_the_title_are_drawn() -> None:
    name = "copied from the title"
    heldout = {"text": {"untuned": {name: measure(0.222)}, "tuned": {name: measure(math.nan)}}}
    section = heldout_section(replace(EMPTY, heldout=heldout))
    page = shown(section)
    assert "text, untuned" in page.words
    assert "text, tuned" not in page.words
    assert "Share of keywords copied from the title, with 95 % intervals." in page.text
    assert "22.2% 21.2% to 23.2% – – to –" in page.text


@pytest.mark.parametrize("heldout", [{}, {"text": {}}, {"text": {"untuned": {}}}])
def test_without_measures_there_is_no_section(heldout: dict) -> None:
    assert heldout_section(replace(EMPTY, heldout=heldout)) is None


def test_information_against_length_keeps_only_what_is_finite() -> None:
    facts = replace(
        EMPTY,
        tradeoff={"untuned": [(2, 0.2), (4, 0.3)], "other": [(math.inf, 0.1)]},
        points={"tuned": [(3, math.nan), (3, None), (3, 0.4)]},
        richness={"untuned": [4.0, 4.0, 4.5]},
    )
    page = shown(length_section(facts))
    assert [attributes.get("class") for _, attributes in page.tags].count("faint") == 1
    assert {"untuned", "tuned"} <= set(page.words)
    assert "other" not in page.words
    assert "untuned 4.00 4.00 4.50" in page.text
    assert length_section(EMPTY) is None
    assert length_section(replace(EMPTY, points={"untuned": [(None, 0.1)]})) is None
    assert "by how much there is to tell" not in shown(length_section(replace(facts, richness={}))).text


def test_names_are_text() -> None:
    facts = replace(
        EMPTY, heldout={EVIL: {EVIL: {EVIL: measure(0.1)}}}, tradeoff={EVIL: [(1, 0.1)]}, richness={EVIL: [1.0]}
    )
    for section in (heldout_section(facts), length_section(facts)):
        assert shown(section).names.isdisjoint({"script", "img"})
