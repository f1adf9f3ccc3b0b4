"""What is odd is said once, with what to do; an ordinary data set gets no remark."""

from dataclasses import fields, replace

import numpy as np
import pytest

from mmsrarec.data.checking.check_data import DataCheck, DuplicateGroup, check
from mmsrarec.data.checking.findings import findings
from mmsrarec.data.checking.robots import Suspect
from mmsrarec.data.checking.time_facts import TimeFacts
from mmsrarec.data.dataset import Dataset, Item, make_interactions

TIME = TimeFacts("2020-01-01T00:00:00Z", "2020-02-01T00:00:00Z", 31.0, "second", {})


@pytest.fixture(scope="module")
def ordinary() -> DataCheck:
    """The facts of a data set in which nothing is odd."""
    none = np.zeros(0, dtype=np.int64)
    facts = check(Dataset("d", (Item("a", "A"),), (), make_interactions(none, none, none, 0, 1)))
    counts = {"items": 1000, "users": 500, "events": 5000, "median_events_per_user": 8.0, "items_without_events": 0}
    lacks = {"items_without_title": 0, "items_without_text": 0, "items_without_image": 0}
    spread = replace(facts.per_item, top_share=0.1)
    return replace(facts, **counts, **lacks, events_without_image=0.0, per_item=spread, time=TIME, times="seconds")


def group(size: int) -> DuplicateGroup:
    return DuplicateGroup(tuple(map(str, range(size))), ("",) * size)


CASES = {
    "30 of 1,000 (3.0%) items have no title": ("mend", {"items_without_title": 30}),
    "600 of 1,000 (60.0%) items have no description": ("know", {"items_without_text": 600}),
    "3.0% of the interactions are with items without any text": ("mend", {"events_without_text": 0.03}),
    "300 of 1,000 (30.0%) items stand in 1 group": ("mend", {"duplicate_texts": [group(300)]}),
    "3 of 1,000 (0.3%) items stand in 1 group": ("know", {"duplicate_texts": [group(3)]}),
    "40 of 1,000 (4.0%) items share their description": ("know", {"shared_texts": 40}),
    "texts are taken to be in: en, de": ("know", {"languages": {"en": 900, "de": 90, "und": 5, "fr": 1}}),
    "texts are taken to be in: ro": ("know", {"languages": {"ro": 900}}),
    "10 of 1,000 (1.0%) items name their picture by a web address": ("mend", {"pictures_by_address": 10}),
    "1 of 1,000 (0.1%) items name a picture that does not open": ("mend", {"broken_images": {"a": "x"}}),
    "1 of 1,000 (0.1%) items have a picture of little use": ("know", {"odd_images": {"a": "x"}}),
    "30.0% of the interactions are with items without a usable picture": ("know", {"events_without_image": 0.3}),
    "one picture stands for 7 items, and 2 pictures for 5 or more": (
        "know",
        {"duplicate_images": [group(7), group(5), group(2)]},
    ),
    "half of the users have 3 interactions or fewer": ("know", {"median_events_per_user": 3.0}),
    "30.0% of the interactions share their time": ("know", {"tie_share": 0.3}),
    "50 of 500 (10.0%) users have all their interactions at one time": ("know", {"users_at_one_time": 50}),
    "5.0% of the interactions are with an item that the user had consumed": ("know", {"repeat_share": 0.05}),
    "50 of 1,000 (5.0%) items have no interaction": ("know", {"items_without_events": 50}),
    "40% of the test items of the split time-cut": ("know", {"cold_share": {"leave-one-out": 0.1, "time-cut": 0.4}}),
    "the user '0' has 900 interactions": ("mend", {"placeholder_users": {"0": 900}}),
    "the item '-1' has 900 interactions": ("mend", {"placeholder_items": {"-1": 900}}),
    "1 of 500 (0.2%) users are hardly single persons; they have 10.0%": (
        "mend",
        {"suspicious_users": [Suspect("x", 500, ("y",))]},
    ),
    "they have 1.0% of the interactions": ("know", {"suspicious_users": [Suspect("x", 50, ("y",))]}),
    "times are steps": ("know", {"time": None}),
    "times are whole days": ("know", {"time": replace(TIME, grain="day")}),
    "50 users share the second 2020": ("mend", {"time": replace(TIME, same_second=("2020-01-05T00:00:00Z", 50))}),
    "far more users than usual on 2 days; 2020-01-03 has 90": (
        "know",
        {"time": replace(TIME, bursts={"2020-01-03": 90, "2020-01-09": 70})},
    ),
    "nobody consumed anything from a to b": ("know", {"time": replace(TIME, holes=[("a", "b"), ("c", "d")])}),
}


def test_an_ordinary_data_set_gets_no_remark(ordinary: DataCheck) -> None:
    assert findings(ordinary) == []


@pytest.mark.parametrize("what", CASES)
def test_what_is_odd_is_said_once(ordinary: DataCheck, what: str) -> None:
    level, change = CASES[what]
    (finding,) = findings(replace(ordinary, **change))
    assert what in finding.what
    assert finding.level == level
    assert finding.advice


def test_the_popularity_of_few_items_is_said(ordinary: DataCheck) -> None:
    (finding,) = findings(replace(ordinary, per_item=replace(ordinary.per_item, top_share=0.6)))
    assert "the most popular hundredth of the items has 60%" in finding.what


def test_what_should_be_mended_comes_first(ordinary: DataCheck) -> None:
    changes = {name: value for _, change in CASES.values() for name, value in change.items()}
    levels = [finding.level for finding in findings(replace(ordinary, **changes))]
    assert levels == sorted(levels, key=["mend", "know"].index)
    assert {"mend", "know"} == set(levels)


def test_every_case_changes_a_fact(ordinary: DataCheck) -> None:
    names = {field.name for field in fields(ordinary)}
    assert all(name in names for _, change in CASES.values() for name in change)


def test_interactions_must_be_there(ordinary: DataCheck) -> None:
    assert [finding.level for finding in findings(replace(ordinary, events=0))] == ["mend"]
