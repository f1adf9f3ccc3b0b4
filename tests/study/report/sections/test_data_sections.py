"""Sections of the page about a data set: how much of each list is shown, and what is said of the rest."""

from dataclasses import replace

import pytest
from html_pages import shown

from mmsrarec.data.checking.check_data import DataCheck, DuplicateGroup, check
from mmsrarec.data.dataset import Dataset
from mmsrarec.study.report.sections.data_sections import (
    MAX_GROUPS,
    MAX_MEMBERS,
    MAX_ODD,
    findings_section,
    groups_section,
    item_card,
    items_section,
    log_section,
    overview_section,
    pictures_section,
    users_section,
)


@pytest.fixture(scope="module")
def facts(drawn: Dataset) -> DataCheck:
    return check(drawn)


def test_large_numbers_have_their_names(facts: DataCheck) -> None:
    text = shown(overview_section(facts)).text
    assert f"{facts.items} items" in text
    assert f"{facts.events:,} interactions" in text
    assert "days from the first to the last" in text
    assert "steps and no dates" in shown(overview_section(replace(facts, time=None))).text


def test_each_log_has_its_plots(facts: DataCheck) -> None:
    assert [tag for tag, _ in shown(log_section(facts)).tags].count("figure") == 3
    assert [tag for tag, _ in shown(log_section(replace(facts, time=None))).tags].count("figure") == 2
    assert log_section(replace(facts, events=0)) is None


def test_items_lack_what_is_counted_and_nothing_else(facts: DataCheck) -> None:
    text = shown(items_section(facts)).text
    assert "picture 8 8.0%" in text
    whole = replace(
        facts,
        items_without_image=0,
        items_without_text=0,
        items_without_title=0,
        items_without_events=0,
        shared_texts=0,
    )
    assert "Every item has a title" in shown(items_section(whole)).text


def test_long_lists_are_cut_and_say_so(facts: DataCheck, drawn: Dataset) -> None:
    ids = tuple(item.item_id for item in drawn.items)
    groups = [DuplicateGroup(ids[: MAX_MEMBERS + 3], ("",) * (MAX_MEMBERS + 3))] * (MAX_GROUPS + 2)
    section = groups_section(facts, drawn, groups, "Heading", "Note.")
    text = shown(section).text
    assert text.count("and 3 more") == MAX_GROUPS
    assert "2 more groups are in the answer of --json" in text
    odd = replace(facts, odd_images=dict.fromkeys(ids[: MAX_ODD + 4], "shows one colour"))
    assert "and 4 more" in shown(pictures_section(odd, drawn)).text


def test_empty_lists_have_no_section(facts: DataCheck, drawn: Dataset) -> None:
    assert groups_section(facts, drawn, [], "Heading", "Note.") is None
    assert pictures_section(replace(facts, odd_images={}, broken_images={}), drawn) is None
    assert users_section(replace(facts, suspicious_users=[])) is None


def test_findings_stand_below_their_level(facts: DataCheck) -> None:
    page = shown(findings_section(facts))
    assert {finding.what for finding in facts.findings} <= {word.strip() for word in page.words}
    assert "Nothing is." in shown(findings_section(replace(facts, findings=[]))).text


def test_a_card_has_a_small_picture_where_there_is_one(drawn: Dataset) -> None:
    with_picture = next(item for item in drawn.items if item.image)
    without = next(item for item in drawn.items if not item.image)
    picture = item_card(drawn, with_picture.item_id)["picture"]
    assert picture.startswith(b"\xff\xd8")
    assert len(picture) < 20_000
    assert item_card(drawn, without.item_id, "why") == {
        "picture": None,
        "title": without.title,
        "item_id": without.item_id,
        "note": "why",
    }
