"""How the report was made: facts, notes, leak checks and the link to the summaries."""

from pathlib import Path
from typing import Any

from html_pages import EVIL, shown
from report_inputs import row, written

from mmsrarec.study.report.regressions import competitors
from mmsrarec.study.report.report import text_table
from mmsrarec.study.report.sections.catalogue_section import STATISTICS
from mmsrarec.study.report.sections.method_section import (
    leak_worth_section,
    leaks_section,
    method_section,
    summaries_link_section,
)
from mmsrarec.study.report.sections.metrics_section import MetricsTable

REPORT: dict[str, Any] = {
    "rows": [],
    "facts": [],
    "notes": [],
    "attributes": {},
    "resamples": 2000,
    "manifest": "ab" * 32,
}
LEAK = {
    "check": "the clock",
    "split": "s",
    "passed": True,
    "measured": {"shown": 0},
    "means": "It holds.",
    "advice": "",
}


def test_facts_that_are_known_are_named() -> None:
    fact = {"protocol": "published", "split": "s", "users": 1234, "tied_share": 0.237, "candidate_hash": "ab12"}
    fact |= {"repeat_consumption": True, "history": None, "unknown": "left out"}
    page = shown(method_section(REPORT | {"facts": [fact]}))
    for text in (
        "published, s",
        "test users asked 1,234",
        "share their second with another 23.7%",
        "repeat consumption yes",
    ):
        assert text in page.text
    for text in ("history", "left out"):
        assert text not in page.words
    assert "2,000 resamplings" in page.text
    assert "ab" * 32 in page.words


def test_peak_memory_is_explained_where_it_was_measured() -> None:
    assert "Peak MB" not in shown(method_section(REPORT)).text
    assert "Peak MB" in shown(method_section(REPORT | {"rows": [{"cost": {"peak_mb": 1}}]})).text


def test_notes_are_sentences_of_their_own() -> None:
    page = shown(method_section(REPORT | {"notes": ["First.", EVIL], "manifest": EVIL}))
    assert "First." in page.words
    assert page.text.count("alert('&')") == 2
    assert page.names.isdisjoint({"script", "img"})


def test_leak_checks_are_told_with_what_to_do() -> None:
    leaks = [
        LEAK,
        LEAK | {"check": "ties", "passed": False, "measured": {"rate": [0.5, 0.25], "n": 3}, "advice": "Mend it."},
        LEAK | {"passed": None, "split": ""},
    ]
    page = shown(leaks_section({"leaks": leaks}))
    assert "1 of 3 checks failed." in page.text
    assert "the clock, s green shown 0 It holds." in page.text
    assert "ties, s failed rate 0.5, 0.25; n 3 Mend it." in page.text
    assert "the clock reported only" in page.text
    assert "No check failed." in shown(leaks_section({"leaks": [LEAK]})).text
    assert leaks_section({"leaks": []}) is None
    assert leaks_section({}) is None


def test_a_leak_is_text() -> None:
    evil = {"check": EVIL, "split": EVIL, "passed": False, "measured": {EVIL: [EVIL]}, "means": EVIL, "advice": EVIL}
    page = shown(leaks_section({"leaks": [evil]}))
    assert page.text.count("alert('&')") == 5
    assert page.names.isdisjoint({"script", "img"})


def test_the_link_to_the_summaries_is_there_only_when_they_are() -> None:
    assert summaries_link_section(REPORT) is None
    linked = shown(summaries_link_section(REPORT | {"summaries": True}))
    assert ("a", {"href": "summaries.html"}) in linked.tags
    told = shown(summaries_link_section(REPORT | {"attributes": {EVIL: 0.12345678, "items": 1234}}))
    assert "0.1235 items 1,234" in told.text
    assert told.names.isdisjoint({"script", "img", "a"})
    every = shown(summaries_link_section(REPORT | {"attributes": dict.fromkeys(STATISTICS, 0.125)}))
    assert "_" not in every.text
    assert "items whose keywords hold the whole title 12.5%" in every.text


CLEAN, LEAKY = row("mllmrec-style", shift=-0.1), row("mllmrec-leaky", shift=0.4)


def test_the_leak_stands_beside_the_clean_row_and_says_what_it_is_worth(tmp_path: Path) -> None:
    report, page = written(tmp_path, [CLEAN, LEAKY])
    section = leak_worth_section(report)
    assert section is not None
    lines = {line["metric"]: line for line in section.data["lines"]}
    clean, leaky = (float(one.metrics["HR@5"].mean()) for one in (CLEAN, LEAKY))
    assert (lines["HR@5"]["clean"], lines["HR@5"]["leaky"]) == (clean, leaky)
    assert "What a leak is worth" in page
    assert f"{leaky - clean:+.4f}" in page
    assert page.count("mllmrec-leaky") > 3


def test_without_both_editions_there_is_no_picture(tmp_path: Path) -> None:
    for rows in ([CLEAN], [LEAKY], [row("als"), row("ease")]):
        report, page = written(tmp_path, rows)
        assert leak_worth_section(report) is None
        assert "What a leak is worth" not in page


def test_what_leaks_is_the_best_of_no_table_and_nobodys_competitor() -> None:
    ours = row("mmsrarec", shift=-0.2)
    assert [other.model for other in competitors([ours, CLEAN, LEAKY], ours)] == ["mllmrec-style"]
    lines = text_table([CLEAN, LEAKY], "published", "user-8-1-1", resamples=100).splitlines()
    assert "*" in next(line for line in lines if line.startswith("mllmrec-style"))
    assert "*" not in next(line for line in lines if line.startswith("mllmrec-leaky"))
    rows = [
        (name, {"model": name, "metrics": {"HR@5": {"value": value}}})
        for name, value in (("als", 0.5), ("mllmrec-leaky", 0.9))
    ]
    assert MetricsTable(rows).best == {"HR@5": 0.5}
