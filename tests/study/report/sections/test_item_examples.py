"""Single items on the summaries page: the best and the worst, their keywords marked, their texts cut."""

import math
from dataclasses import replace

import pytest
from html_pages import HOSTILE
from html_pages import shown as page_of

from mmsrarec.study.report.sections.item_examples import MAX_CHARACTERS, best_and_worst, cut_text, examples_sections
from mmsrarec.study.report.summary_facts import ShownSummary


def shown(item_id="1", total=0.5, word="alien", **more):
    rewards = {"total": total, "information": 0.125, "image": None}
    given = {"modality": "text", "rewards_before": {"total": 0.375}, "rewards_after": rewards} | more
    return ShownSummary(
        item_id, f"Title {item_id}", "A text.", "Drama", None, before=("film", "old"), after=("film", word), **given
    )


@pytest.mark.parametrize("count", [0, 1, 2, 7, 19, 20, 43])
def test_best_and_worst_are_ranked_and_disjoint(count):
    totals = [(7 * i % 43) / 43 for i in range(count)]  # 7 and 43 share no factor: all differ
    best, worst = best_and_worst([shown(str(i), total) for i, total in enumerate(totals)])
    ranked = sorted(totals, reverse=True)
    kept = min(10, (count + 1) // 2)
    assert [item.rewards_after["total"] for item in best] == ranked[:kept]
    assert [item.rewards_after["total"] for item in worst] == ranked[::-1][: min(10, count - kept)]
    assert not {item.item_id for item in best} & {item.item_id for item in worst}


def test_an_item_asked_about_twice_is_in_one_list_only():
    best, worst = best_and_worst(
        [shown("1", 0.9), shown("2", 0.5), shown("3", 0.3), shown("1", 0.1, modality="picture")]
    )
    assert ([item.item_id for item in best], [item.item_id for item in worst]) == (["1", "2"], ["3"])


def test_without_a_reward_after_tuning_the_one_before_ranks_and_none_is_no_rank():
    untuned = [shown(str(i), rewards_before={"total": total}, rewards_after={}) for i, total in enumerate((0.1, 0.3))]
    unknown = [shown("x", None, rewards_before={}), shown("y", math.nan, rewards_before={})]
    best, worst = best_and_worst([*unknown, *untuned])
    assert [item.item_id for item in best + worst] == ["1", "0"]
    assert best_and_worst(unknown) == ([], [])


def test_long_texts_are_cut():
    assert cut_text("word " * 200) == "word " * 55 + "word…"
    assert cut_text("字" * 900) == "字" * MAX_CHARACTERS + "…"
    assert cut_text(" two \n lines ") == "two lines"


def test_keywords_that_tuning_dropped_or_brought_are_marked():
    (section,) = examples_sections([shown()])
    html = section.html()
    assert '<span class="gone"><bdi>old</bdi></span>' in html
    assert '<span class="new"><bdi>alien</bdi></span>' in html
    assert html.count("<span><bdi>film</bdi></span>") == 2
    assert "Struck through is what tuning dropped" in html


def test_without_tuning_nothing_is_marked_and_the_first_items_stand_for_all():
    plain = [replace(shown(str(i)), after=(), rewards_after={}, rewards_before={}) for i in range(12)]
    (section,) = examples_sections(plain)
    html = section.html()
    assert "Some items" in html
    assert html.count("<article") == 10
    for words in ('class="gone"', "Struck through", "<table", ">tuned<"):
        assert words not in html
    assert examples_sections([]) == []


def test_the_best_stand_before_the_worst_with_their_rewards():
    best, worst = (page_of(section) for section in examples_sections([shown("1", 0.25), shown("2", 0.75)]))
    assert "The best items" in best.words
    assert "Title 2" in best.words
    assert "reward untuned tuned total reward 0.375 0.750 information – 0.125 picture – –" in best.text
    assert "The worst items" in worst.words
    assert "Title 1" in worst.words
    assert "Drama · asked about its text" in worst.text


@pytest.mark.parametrize("text", HOSTILE)
def test_what_an_item_says_is_text(text):
    evil = replace(shown(text, word=text, modality=text, rewards_before={text: 1.0}), title=text, category=text)
    (section,) = examples_sections([replace(evil, text=text, before=(text,))])
    page = page_of(section)
    assert page.comments == []
    assert page.names <= {
        "section",
        "h2",
        "p",
        "article",
        "div",
        "bdi",
        "h4",
        "span",
        "table",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
    }
    assert {key for _, attributes in page.tags for key in attributes} <= {"class", "scope", "aria-hidden"}
    assert page.words.count(text) >= 4
    assert "untitled" in page_of(examples_sections([replace(evil, title="")])[0]).words
