"""What may be fitted on before the test."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from mmsrarec.data.dataset import make_events
from mmsrarec.data.split import make_split, with_validation


def events_of(lengths):
    """Users with so many events each; every event is of an item of its own."""
    user = np.repeat(np.arange(len(lengths)), lengths)
    return make_events(user, np.arange(len(user)), np.arange(len(user)), len(lengths), len(user))


def test_leave_one_out_adds_the_last_but_one():
    events = events_of([4, 1, 3])
    split = make_split("leave-one-out", events, 0)
    assert split.train.item.tolist() == [0, 1, 4, 5]
    assert with_validation(split, events).item.tolist() == [0, 1, 2, 4, 5, 6]


@given(lengths=st.lists(st.integers(1, 6), min_size=10, max_size=30), name=st.sampled_from(["loo", "user-8-1-1"]))
@settings(deadline=None)
def test_nothing_of_the_test_is_added_and_all_of_validation_is(lengths, name):
    events = events_of([3, *lengths])
    split = make_split("leave-one-out" if name == "loo" else name, events, 1)
    more = with_validation(split, events)
    assert set(split.train.item) | set(split.valid.target) <= set(more.item)
    assert not set(split.test.target) & set(more.item)
    if name == "user-8-1-1":
        assert not set(split.test.user) & set(more.user)
    else:
        assert len(more) == len(events) - len(split.test)
