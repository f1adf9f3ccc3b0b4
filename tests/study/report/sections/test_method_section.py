"""How the report was made: facts, notes, leak checks and the link to the summaries."""

from typing import Any

from html_pages import EVIL, shown

from mmsrarec.study.report.sections.method_section import leaks_section, method_section, summaries_link_section

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
