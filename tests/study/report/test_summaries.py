"""The page on the summaries: figures stand where they belong, hostile text stays text, and every part is optional."""

import math
from dataclasses import replace
from itertools import pairwise

import pytest
from PIL import Image
from test_report import EVIL, Page

from mmsrarec.study.report.curves import Cloud, Line, cloud_plot, line_plot, round_ticks
from mmsrarec.study.report.item_examples import best_and_worst
from mmsrarec.study.report.markup import number
from mmsrarec.study.report.page import render
from mmsrarec.study.report.summaries import ShownSummary, SummaryFacts, summaries_page
from mmsrarec.study.report.tuning_section import DRAWN, tuning_section
from mmsrarec.study.report.user_examples import thumbnail

EMPTY = SummaryFacts("tiny", {}, {}, {}, {}, [], {}, {})
REPORT = {"data": "tiny", "rows": [], "pairs": [], "facts": [], "attributes": {}, "notes": [], "resamples": 9}


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
    page = Page(html)
    assert page.open == []
    for tag, attributes in page.tags:
        assert tag not in {"script", "link", "iframe"}
        assert attributes.get("src", "data:image/jpeg;base64,").startswith("data:image/jpeg;base64,")
        assert not any("http" in (value or "") for name, value in attributes.items() if name != "http-equiv")
    assert "default-src 'none'" in html
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


def test_hostile_text_stays_text():
    evil = replace(
        shown(EVIL, word=EVIL, modality=EVIL, rewards_before={EVIL: 1.0}), title=EVIL, text=EVIL, category=EVIL
    )
    facts = full(EVIL, EVIL, EVIL)
    facts = replace(facts, curve=[entry | {"phase": EVIL} for entry in facts.curve])
    page = Page(summaries_page(facts, [evil]))
    assert page.open == []
    assert {tag for tag, _ in page.tags}.isdisjoint({"script", "img"})
    assert not any(name.startswith("on") for _, attributes in page.tags for name in attributes)
    assert " ".join(page.words).count("alert('&')") >= 15


def test_without_anything_it_is_still_a_page():
    page = Page(summaries_page(EMPTY, []))
    assert page.open == []
    assert "section" not in {tag for tag, _ in page.tags}
    assert "not tuned" in " ".join(page.words)


def test_without_tuning_it_shows_what_there_is():
    facts = replace(EMPTY, statistics={"untuned": {"keywords": 7.8}})
    plain = replace(shown(), after=(), rewards_after={}, rewards_before={})
    html = summaries_page(facts, [plain])
    assert Page(html).open == []
    for words in ("7.80", "Some items", "old", "not tuned"):
        assert words in html
    for words in ("The best items", 'class="gone"', "<svg", ">tuned<"):
        assert words not in html


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
    html = summaries_page(EMPTY, [replace(shown(), text="word " * 200), replace(shown("2"), text="字" * 900)])
    assert "<bdi>" + "word " * 55 + "word…</bdi>" in html
    assert "<bdi>" + "字" * 280 + "…</bdi>" in html


def test_curves_may_lack_keys():
    entries = [
        {},
        {"phase": None, "rewards": None, "keywords": None},
        {"phase": "grpo", "reward": None, "rewards": {"length": {}}},
    ]
    assert tuning_section([]) == tuning_section(entries) == ""
    entries += [{"phase": "grpo", "step": 3, "rewards": {"length": {"mean": -0.4}}, "loss": math.nan}]
    entries += [{"phase": "grpo", "step": 4, "rewards": {"length": {"mean": -0.3, "std": 0.1}}, "copied": 0.2}]
    html = tuning_section(entries)
    assert Page(html).open == []
    assert html.count("<svg") == 2  # the length reward, and the one copied share
    assert "loss" not in html
    assert "None" not in html


def test_long_curves_are_averaged_over_neighbours():
    html = tuning_section([{"step": i, "loss": float(i % 2)} for i in range(4 * DRAWN)])
    (points,) = (part.split('"')[0].split() for part in html.split('class="curve" points="')[1:])
    assert len(points) == DRAWN
    assert len({point.split(",")[1] for point in points}) == 1  # every mean of four is one half


def test_lines_stand_to_scale_with_their_bands():
    line = Line("a<b", [(0, -1.0), (5, 0.0), (10, 1.0)], [0.5, 0.0, 1.0], strong=True)
    svg = line_plot([line, Line("other", [(2, 0.5)])], "reward")
    assert "a&lt;b" in svg
    (path,) = (part.split('"')[0].split() for part in svg.split('class="curve" points="')[1:])
    (x0, y0), (x1, y1), (x2, y2) = (map(float, point.split(",")) for point in path)
    assert x1 - x0 == pytest.approx(x2 - x1, abs=0.11)
    assert y0 - y1 == pytest.approx(y1 - y2, abs=0.11)
    assert y2 < y0  # upwards is more
    band = [tuple(map(float, p.split(","))) for p in svg.split('class="band" points="')[1].split('"')[0].split()]
    assert len(band) == 6
    assert y2 - band[2][1] == pytest.approx(y1 - y2, abs=0.11)  # a deviation of 1 above a point at 1


def test_clouds_keep_dots_and_the_line_of_means():
    svg = cloud_plot(
        [Cloud("untuned", [(2, 0.2), (4, 0.4)]), Cloud("tuned", [], [(1, 0.1), (2, 0.3)], ["1", "2"], strong=True)],
        "Information against length",
        "tokens",
        "information",
    )
    assert (svg.count('class="faint"'), svg.count('class="curve"')) == (2, 1)
    assert svg.index("untuned") < svg.index(">tuned<")


@pytest.mark.parametrize("values", [[], [0.0], [3.0], [-2.5], [-0.4, 0.3], [0.0, 1.0], [1e6, 1e6 + 1], [1e-7, 3e-7]])
def test_ticks_are_few_and_hold_all_values(values):
    ticks = round_ticks(values)
    assert 2 <= len(ticks) <= 7
    assert all(a < b for a, b in pairwise(ticks))
    assert all(ticks[0] <= value <= ticks[-1] for value in values)


def test_numbers_read_well():
    assert [number(0.1234, "total"), number(-7.456, "total"), number(4123.0, "x")] == ["0.123", "-7.46", "4,123"]
    assert [number(0.055, "malformed"), number(12.0, "items"), number(9.5, "tokens", 120)] == ["5.5%", "12", "10"]
    assert number(None, "total") == number(math.inf, "total") == "–"


def test_the_report_links_here_only_when_told():
    link = '<a href="summaries.html">The summaries, looked at</a>'
    without = render(REPORT | {"manifest": "0"}, [])
    assert link not in without
    assert "The item summaries" not in without
    assert link in render(REPORT | {"manifest": "0", "summaries": True}, [])
