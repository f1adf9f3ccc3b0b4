"""What a split trains on and asks, and what may be fitted on before the test."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmsrarec.data.dataset import Dataset, make_interactions
from mmsrarec.data.splits import AMAZON_2023_CUTS, by_users, check_clock, check_split, make_split, with_validation
from mmsrarec.errors import MmsrarecError, RecipeError


def events_of(lengths):
    """Users with so many interactions each; every interaction is of an item of its own."""
    user = np.repeat(np.arange(len(lengths)), lengths)
    return make_interactions(user, np.arange(len(user)), np.arange(len(user)), len(lengths), len(user))


def test_leave_one_out_adds_the_last_but_one():
    interactions = events_of([4, 1, 3])
    split = make_split("leave-one-out", interactions, 0)
    assert split.train.item.tolist() == [0, 1, 4, 5]
    assert with_validation(split, interactions).item.tolist() == [0, 1, 2, 4, 5, 6]


@given(lengths=st.lists(st.integers(1, 6), min_size=10, max_size=30), name=st.sampled_from(["loo", "user-8-1-1"]))
@settings(deadline=None)
def test_nothing_of_the_test_is_added_and_all_of_validation_is(lengths, name):
    interactions = events_of([3, *lengths])
    split = make_split("leave-one-out" if name == "loo" else name, interactions, 1)
    more = with_validation(split, interactions)
    assert set(split.train.item) | set(split.valid.target) <= set(more.item)
    assert not set(split.test.target) & set(more.item)
    if name == "user-8-1-1":
        assert not set(split.test.user) & set(more.user)
    else:
        assert len(more) == len(interactions) - len(split.test)


@st.composite
def logs(draw):
    """Users who take items at drawn queries, many of them at once."""
    users = draw(st.integers(3, 12))
    taken = draw(st.lists(st.tuples(st.integers(0, users - 1), st.integers(0, 30)), min_size=10, max_size=60))
    user, time = np.array(taken).T
    return make_interactions(user, np.arange(len(user)), time, users, len(user))


@given(interactions=logs())
@settings(deadline=None)
def test_a_cut_in_time_learns_nothing_from_behind_what_is_asked(interactions):
    split = make_split("time-cut", interactions, 0)
    learned = split.train.time.max(initial=-1)
    assert learned < split.valid.time.min(initial=99)
    assert split.valid.time.max(initial=-1) < split.cut <= split.test.time.min(initial=99)
    assert with_validation(split, interactions).time.max(initial=-1) < split.cut
    for queries in (split.valid, split.test):
        assert len(np.unique(queries.user)) == len(queries)
        for user, target, history in zip(queries.user, queries.target, queries.history, strict=True):
            own = interactions.items_of(int(user))
            at = int(np.flatnonzero(own == target)[0])  # every interaction is of an item of its own
            assert history.tolist() == own[:at].tolist() != []


def test_who_is_not_on_both_sides_of_a_cut_asks_nothing():
    user, time = np.array([0] * 15 + [0, 1, 1, 1, 2]), np.array([*range(15), 18, 15, 16, 19, 17])
    split = make_split("time-cut", make_interactions(user, np.arange(20), time, 3, 20), 0)
    assert (split.train.time.max(), split.cut) == (15, 18)
    assert (split.valid.user.tolist(), split.valid.time.tolist()) == ([1], [16])
    assert (split.test.user.tolist(), split.test.time.tolist()) == ([0, 1], [18, 19])
    assert [len(history) for history in split.test.history] == [15, 2]


def test_a_log_that_cannot_be_cut_is_refused_in_one_line():
    at_once = make_interactions(np.array([0, 0, 1, 1]), np.arange(4), np.full(4, 7), 2, 4)
    with pytest.raises(
        MmsrarecError, match="time-cut leaves 0 events to train on, 0 users to choose by, 0 to test: name"
    ):
        check_split(make_split("time-cut", at_once, 0))


def test_the_published_cuts_of_amazon_2023_hold_for_every_domain() -> None:
    first, second = AMAZON_2023_CUTS
    times = [first - 5, first - 1, first, second - 1, second, second + 9]
    interactions = make_interactions(np.zeros(6, dtype=np.int64), np.arange(6), np.array(times), 1, 6)
    split = make_split("amazon-2023", interactions, 0)
    assert (split.name, split.cut) == ("amazon-2023", second)
    assert split.train.item.tolist() == [0, 1]
    assert (split.valid.target.tolist(), split.test.target.tolist()) == ([2], [4])
    assert split.test.history[0].tolist() == [0, 1, 2, 3]
    with pytest.raises(RecipeError, match="are steps"):
        check_clock(Dataset("d", (), (), interactions, times="steps"), ["amazon-2023"])


def test_users_go_where_they_are_put_and_who_is_in_no_part_is_left_out() -> None:
    interactions = events_of([2, 3, 2, 1, 4])
    split = make_split("file", interactions, 0, parts=np.array([0, 1, 2, 2, -1]))
    assert split.train.user.tolist() == [0, 0]
    assert (split.valid.user.tolist(), split.valid.target.tolist()) == ([1], [4])
    assert (split.test.user.tolist(), split.test.target.tolist()) == ([2], [6])
    assert split.test.history[0].tolist() == [5]
    assert with_validation(split, interactions).user.tolist() == [0, 0, 1, 1, 1]


def test_a_split_of_ones_own_gives_what_8_1_1_gives_for_the_same_users() -> None:
    interactions = events_of([2, 3, 1, *[4] * 17])
    drawn = make_split("user-8-1-1", interactions, 5)
    parts = np.zeros(20, dtype=np.int64)
    parts[drawn.valid.user], parts[drawn.test.user] = 1, 2
    own = by_users(interactions, parts)
    assert own.train.digest == drawn.train.digest
    assert own.test.target.tolist() == drawn.test.target.tolist() != []
    assert own.valid.target.tolist() == drawn.valid.target.tolist() != []


def test_a_split_of_ones_own_needs_its_file() -> None:
    with pytest.raises(RecipeError, match=r"evaluate\.split_file"):
        make_split("file", events_of([2, 2]), 0)
