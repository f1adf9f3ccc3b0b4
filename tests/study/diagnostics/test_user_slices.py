"""Users are cut by age and popularity of their target, length of history and richness of text, and nobody is lost."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmsrarec.data.dataset import Dataset, Item, make_interactions
from mmsrarec.data.splits import Queries, Split, leave_one_out
from mmsrarec.study.diagnostics.user_slices import (
    DAY,
    STEPS_NOTE,
    Slicing,
    by_age,
    quartiles,
    slice_records,
    slicings,
)

NOW = 1_600_000_000


@given(st.lists(st.integers(0, 30), min_size=1, max_size=60), st.sampled_from(["", "none"]))
def test_every_user_is_in_exactly_one_slice(values: list[int], zero: str) -> None:
    counts = np.array(values)
    for slices in (quartiles(counts, zero), by_age(counts * DAY)):
        masks = np.array([mask for _, mask in slices])
        assert (masks.sum(axis=0) == 1).all()
        assert masks.any(axis=1).all()
        assert len({name for name, _ in slices}) == len(slices)


def test_quartiles_of_eight_users() -> None:
    slices = quartiles(np.array([8, 1, 2, 3, 4, 5, 6, 7]))
    assert [name for name, _ in slices] == ["1 to 2", "3 to 4", "5 to 6", "7 to 8"]
    assert [int(mask.sum()) for _, mask in slices] == [2, 2, 2, 2]
    assert np.flatnonzero(slices[3][1]).tolist() == [0, 7]


def test_equal_counts_stay_together_and_zero_may_stand_apart() -> None:
    values = np.array([0, 0, 3, 3, 3, 3, 3, 1200])
    assert [name for name, _ in quartiles(values)] == ["0", "3", "1,200"]
    assert [name for name, _ in quartiles(values, "new")] == ["new", "3", "1,200"]
    assert quartiles(np.zeros(3, dtype=int), "new")[0][1].all()


def test_ages_have_names_that_people_use() -> None:
    ages = np.array([0, 1, DAY, 7 * DAY, 89 * DAY, 90 * DAY, 365 * DAY, 4000 * DAY])
    assert [(name, np.flatnonzero(mask).tolist()) for name, mask in by_age(ages)] == [
        ("the same second", [0]),
        ("under a day", [1]),
        ("1 to 7 days", [2]),
        ("7 to 30 days", [3]),
        ("30 to 90 days", [4]),
        ("90 days to a year", [5]),
        ("a year and more", [6, 7]),
    ]


@pytest.fixture
def catalogue() -> Dataset:
    """Four users take items 0, 1, 2 in a row, a day apart; item 3 is new at the last one's query."""
    user, item = np.repeat(np.arange(4), 3), np.tile([0, 1, 2], 4)
    item[-1] = 3
    time = NOW + DAY * np.tile([0, 1, 2], 4) + user * 10
    items = (Item("a", "one two"), Item("b"), Item("c", "three", "four five"), Item("d", ""))
    return Dataset("a", items, tuple("wxyz"), make_interactions(user, item, time, 4, 4))


def cut_of(data: Dataset) -> tuple[Split, dict[str, Slicing]]:
    split = leave_one_out(data.interactions)
    return split, {each.by.partition(",")[0]: each for each in slicings(split.test, split, data)}


def test_slices_known_by_hand(catalogue: Dataset) -> None:
    _, cut = cut_of(catalogue)
    told = {by: [(name, np.flatnonzero(mask).tolist()) for name, mask in each.slices] for by, each in cut.items()}
    assert told == {
        "time since the target was first consumed": [("the same second", [0, 3]), ("under a day", [1, 2])],
        "training interactions of the target": [("new", [0, 1, 2, 3])],
        "items of history": [("2", [0, 1, 2, 3])],
        "words of the target's title and text": [("none", [3]), ("3", [0, 1, 2])],
    }
    assert {each.note for each in cut.values()} == {""}


def test_steps_tell_no_age_and_it_is_said(catalogue: Dataset) -> None:
    _, cut = cut_of(replace(catalogue, times="steps"))
    assert cut["time since the target was first consumed"].note == STEPS_NOTE
    assert cut["time since the target was first consumed"].slices == []
    assert cut["items of history"].note == ""


def test_nobody_is_asked_but_the_given_users(catalogue: Dataset) -> None:
    split, _ = cut_of(catalogue)
    some: Queries = split.test.pick(np.array([0, 3]))
    for each in slicings(some, split, catalogue):
        assert sum(int(mask.sum()) for _, mask in each.slices) == 2


def test_a_slice_has_the_metrics_of_its_own_users() -> None:
    slicing = Slicing("x", [("few", np.array([True, True, False])), ("many", np.array([False, False, True]))])
    rows = {
        "als": {"HR@5": np.array([1.0, 0.0, 0.0]), "NDCG@5": np.array([0.5, 0.0, 0.0]), "AUC": np.ones(3)},
        "ease": {"HR@5": np.array([0.0, 0.0, 1.0]), "NDCG@5": np.array([0.0, 0.0, 1.0]), "AUC": np.ones(3)},
    }
    few, many = slice_records(rows, slicing, resamples=100)
    assert (few["slice"], few["users"], many["users"]) == ("few", 2, 1)
    assert few["rows"]["als"]["HR@5"] == {"value": 0.5, "low": 0.0, "high": 1.0}
    assert few["rows"]["als"]["NDCG@5"]["value"] == 0.25
    assert many["rows"]["ease"]["HR@5"] == {"value": 1.0, "low": 1.0, "high": 1.0}
    assert few["rows"]["ease"].keys() == {"HR@5", "NDCG@5"}
