"""The page on the summaries: figures stand where they belong, hostile text stays text, and every part is optional."""

import math
from dataclasses import replace
from pathlib import Path

import pytest
from html_pages import HOSTILE, Page, is_harmless
from PIL import Image

from mmsrarec.runs.run_folder import RunFolder
from mmsrarec.study.report.summary_facts import ShownSummary, SummaryFacts
from mmsrarec.study.report.summary_page import PAGE, summaries_page, write_page
from mmsrarec.study.report.user_examples import thumbnail

EMPTY = SummaryFacts("tiny")


def shown(item_id="1", total=0.5, word="alien", **more):
    rewards = {"total": total, "information": 0.125, "image": None}
    given = {"modality": "text", "rewards_before": {"total": 0.375}, "rewards_after": rewards} | more
    return ShownSummary(
        item_id, f"Title {item_id}", "A text.", "Drama", None, before=("film", "old"), after=("film", word), **given
    )


def measured(value):
    return {"value": value, "low": value - 0.01, "high": value + 0.01}


def full(name="Drama", word="alien", metric="total"):
    metrics = {metric: measured(0.431), "tokens": measured(12.25), "copied from the title": measured(0.222)}
    step = {"phase": "grpo", "step": 1, "loss": 0.1, "reward": 0.3, "keywords": 6.0, "copied": 0.2, "malformed": 0.1}
    step["rewards"] = {metric: {"mean": 0.3, "std": 0.1}, "information": {"mean": 0.2, "std": 0.1}}
    return SummaryFacts(
        data=name,
        statistics={
            "untuned": {"items": 4123, "from_title": 0.317, "unsupported": 0.0625},
            "tuned": {"items": 4123, name: 0.25},
        },
        heldout={"text": {"untuned": metrics, "tuned": {metric: measured(0.517)}}, name: {name: metrics}},
        tradeoff={"untuned": [(2, 0.2), (4, 0.3)], "tuned": [(2, 0.3), (4, 0.5)], name: [(1, 0.1)]},
        points={"untuned": [(3, 0.2)], "tuned": [(3, math.nan), (3, None), (3, 0.4)]},
        curve=[{"phase": "warm start", "step": 0, "loss": 2.0}, step, step | {"step": 2, "phase": "grpo"}],
        words={name: [(word, 41), ("crew", 7)]},
        richness={"untuned": [4.0, 4.0, 4.5], "tuned": [1.875, 3.125, 4.25], name: [1.0, 2.0, 3.0]},
    )


def test_the_page_holds_the_figures_and_needs_nothing_else():
    picture = thumbnail(Image.new("RGB", (300, 400), "teal"))
    html = summaries_page(full(), [replace(shown(), picture=picture), shown("2", 0.25)])
    is_harmless(html)
    page = Page(html)
    assert "script" not in page.names
    assert [tag for tag, _ in page.tags].count("img") == 1
    text = " ".join(page.words)
    for words in (
        "4,123",
        "31.7%",
        "6.2%",
        "text keywords that repeat the title",
        "0.431",
        "0.421 to 0.441",
        "0.517",
        "12.25",
        "title leaves little unsaid",
        "1.88",
    ):
        assert words in text
    for words in (
        "22.2%",
        "alien",
        "41",
        "0.125",
        "0.375",
        "Warm start",
        "what the item’s text means",
        "Title 2",
        "A text.",
    ):
        assert words in text
    assert '<span class="gone"><bdi>old</bdi></span>' in html
    assert '<span class="new"><bdi>alien</bdi></span>' in html


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_stays_text(text):
    evil = replace(
        shown(text, word=text, modality=text, rewards_before={text: 1.0}), title=text, text=text, category=text
    )
    facts = full(text, text, text)
    facts = replace(facts, curve=[entry | {"phase": text} for entry in facts.curve])
    html = summaries_page(facts, [evil])
    is_harmless(html)
    page = Page(html)
    assert page.names.isdisjoint({"script", "img"})
    assert sum(text in words for words in page.words) >= 15
    assert page.names == Page(summaries_page(full("a", "b", "c"), [shown()])).names


def test_without_anything_it_is_still_a_page():
    page = Page(summaries_page(EMPTY, []))
    assert page.open == []
    assert "section" not in {tag for tag, _ in page.tags}
    assert "not tuned" in page.text


def test_without_tuning_it_shows_what_there_is():
    facts = replace(EMPTY, statistics={"untuned": {"keywords": 7.8}})
    plain = replace(shown(), after=(), rewards_after={}, rewards_before={})
    html = summaries_page(facts, [plain])
    is_harmless(html)
    for words in ("7.80", "Some items", "old", "not tuned"):
        assert words in html
    for words in ("The best items", 'class="gone"', "<svg", ">tuned<"):
        assert words not in html


def test_the_page_of_a_run_holds_its_statistics_and_words(mine: Path) -> None:
    (mine / "run" / "evaluate" / PAGE).unlink()
    run_folder = RunFolder.open(mine / "run")
    file = write_page(run_folder)
    assert file == mine / "run" / "evaluate" / PAGE
    html = file.read_text(encoding="utf-8")
    is_harmless(html)
    page = Page(html)
    assert f"The summaries of {run_folder.recipe.name}" in page.words
    assert "not tuned" in page.text
    assert {"The whole catalogue", "Words by category"} <= set(page.words)
    assert any(word in page.words for word in run_folder.keywords.united(0))
