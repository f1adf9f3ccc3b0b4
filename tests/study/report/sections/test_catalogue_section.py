"""Statistics, rewards and words of stage 1."""

import re

from html_pages import EVIL, shown

from mmsrarec.study.report.sections.catalogue_section import rewards_section, statistics_section, words_section
from mmsrarec.study.report.summary_facts import ShownSummary, SummaryFacts


def test_statistics_have_a_column_a_policy() -> None:
    statistics = {"untuned": {"items": 4123, "from_title": 0.317}, "tuned": {"items": 4123, EVIL: 0.25}}
    page = shown(statistics_section(SummaryFacts("tiny", statistics)))
    assert "items 4,123 4,123" in page.text
    assert "text keywords that repeat the title 31.7% –" in page.text
    assert page.text.endswith("– 0.250")
    assert page.names.isdisjoint({"script", "img"})
    assert statistics_section(SummaryFacts("tiny")) is None
    assert statistics_section(SummaryFacts("tiny", {"untuned": {}})) is None


def test_rewards_are_explained_wherever_they_occur() -> None:
    item = ShownSummary("1", "", "", "", None, "text", (), (), {"reconstruction": 0.5}, {"image": None})
    facts = SummaryFacts(
        "tiny", heldout={"text": {"tuned": {"length": {"value": 1.0}}}}, curve=[{}, {"rewards": {"information": {}}}]
    )
    page = shown(rewards_section(facts, [item]))
    ranking_features = [
        word for word in page.words if word in {"information", "reconstruction", "length term", "picture"}
    ]
    assert ranking_features == ["information", "reconstruction", "length term", "picture"]
    assert rewards_section(SummaryFacts("tiny", curve=[{"rewards": None}]), []) is None
    assert rewards_section(SummaryFacts("tiny", curve=[{"rewards": {"unknown": {}}}]), []) is None


def test_frequent_words_are_larger() -> None:
    words = {"Drama": [("alien", 1600), ("crew", 400), ("ship", 0)], "": [("mug", 3)], "none": []}
    section = words_section(SummaryFacts("tiny", words=words))
    assert section is not None
    assert re.findall(r"font-size:([\d.]+)em", section.html()) == ["1.50", "1.15", "0.80", "1.50"]
    page = shown(section)
    assert "alien 1,600" in page.text
    assert "no category" in page.text
    assert "none" not in page.words
    assert words_section(SummaryFacts("tiny", words={"Drama": []})) is None


def test_words_and_categories_are_text() -> None:
    page = shown(words_section(SummaryFacts("tiny", words={EVIL: [(EVIL, 1)]})))
    assert page.text.count("alert('&')") == 2
    assert page.names.isdisjoint({"script", "img"})
