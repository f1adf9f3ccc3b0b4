"""The page holds the whole report, needs nothing else, and survives hostile text."""

from dataclasses import replace

import numpy as np
import pytest
from html_pages import HOSTILE, Page, is_harmless
from PIL import Image
from report_inputs import row, user, written

from mmsrarec.study.diagnostics.diagnose import Diagnosed, diagnostics_record
from mmsrarec.study.diagnostics.rescoring import HistoryResult, WordsResult
from mmsrarec.study.diagnostics.user_slices import Slicing
from mmsrarec.study.report.regressions import regressions
from mmsrarec.study.report.report_page import render
from mmsrarec.study.report.seeds import pooled
from mmsrarec.study.report.user_examples import thumbnail
from mmsrarec.study.results import compare_rows

REPORT = {"data": "tiny", "rows": [], "pairs": [], "facts": [], "attributes": {}, "notes": [], "resamples": 9}
REPORT |= {"manifest": "0"}


def test_the_page_holds_it_all_and_needs_nothing_else(tmp_path):
    picture = thumbnail(Image.new("RGB", (900, 1300), "teal"))
    assert len(picture) < 4000
    rows = [row(shift=0.1), row("popularity", cost={}), row(protocol="full"), row("als", protocol="full")]
    _, html = written(tmp_path, rows, [user(picture=picture)])
    page = Page(html)
    assert page.open == []
    is_harmless(html)
    assert "a" not in page.names
    assert [tag for tag, _ in page.tags].count("svg") == 4
    for words in ("because of Alien", "A note.", "23.7%", "ab12", "target without an image", "410"):
        assert words in page.text
    best = f"{row(shift=0.1).metrics['HR@5'].mean():.4f}"
    assert f"<strong>{best}</strong>" in html


def everything(folder, text):
    """A report with every section, in which `text` stands wherever data can."""
    rows = [row(text, text, slices={text: np.ones(80, dtype=bool)}), row("popularity")]
    leak = {"check": "the clock", "split": "s", "passed": False, "measured": {text: 0}, "means": text, "advice": ""}
    seeds = pooled([[replace(row(model), seed=seed) for model in (text, "ease")] for seed in (0, 1)])
    slicings = [Slicing(text, [(text, np.ones(80, dtype=bool))], text)]
    histories = [HistoryResult(text, 1.0, {"true": rows[0].metrics, text: rows[0].metrics})]
    words = WordsResult(3, {text: {text: 0.5}}, rows[0].metrics)
    return written(
        folder,
        rows,
        [user(text)],
        data=text,
        attributes={text: text},
        notes=[text],
        leaks=[leak],
        summaries=True,
        published="microlens",
        repeats=seeds,
        repeat_pairs=compare_rows(seeds[0][0], seeds[1][0], ["HR@5"], resamples=20),
        sweeps={text: [(1, rows[0]), (2, rows[1])]},
        regressions=[regressions(row(), rows[0], resamples=20)],
        lost_users=[user(text)],
        diagnostics=[diagnostics_record(Diagnosed(text, rows, slicings, histories, words, {}), resamples=20)],
        resamples=20,
    )


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_stays_text(tmp_path, text):
    _, html = everything(tmp_path, text)
    is_harmless(html)
    page = Page(html)
    assert "img" not in page.names
    assert page.names == Page(everything(tmp_path, "plain")[1]).names
    assert sum(text in words for words in page.words) >= 30


def test_every_section_stands_in_its_place(tmp_path):
    words = Page(everything(tmp_path, "Alien")[1]).words
    headings = ["One among twenty-one", "How much is enough?", "Seeds 0, 1", "What others have published"]
    headings += ["Is the difference real?", "Regressions", "Who lost most", "One user", "The item summaries"]
    headings += ["Leak checks", "How this was measured"]
    places = [words.index(heading) for heading in headings]
    assert places == sorted(places)


def test_tables_can_be_sorted(tmp_path):
    _, html = written(tmp_path, [row(shift=0.1), row("popularity")])
    assert html.count('<table class="sorts">') == html.count("<table") > 0


def test_an_almost_empty_report_is_still_a_page(tmp_path):
    report, html = written(tmp_path, [row(cost={}, slices={})], attributes=None, notes=())
    assert report["pairs"] == report["users"] == []
    assert Page(html).open == []


def test_two_seeds_of_a_model_are_told_apart(tmp_path):
    _, html = written(tmp_path, [row(), replace(row(), seed=1)])
    assert "mmsrarec, seed 1" in html


def test_the_introduction_names_our_model_only_where_it_is(tmp_path):
    assert "MMSRARec and by the models it has to beat" in written(tmp_path, [row()])[1]
    assert "by the models to beat" in written(tmp_path, [row("popularity")])[1]


def test_the_report_links_to_the_summaries_only_when_told():
    link = '<a href="summaries.html">The summaries, looked at</a>'
    without = render(REPORT, [])
    assert link not in without
    assert "The item summaries" not in without
    assert link in render(REPORT | {"summaries": True}, [])
