"""Counts of a data set, by hand and on a drawn one."""

import json
from pathlib import Path

import numpy as np
import pytest

from mmsrarec.data.dataset import Dataset, Item, make_interactions
from mmsrarec.data.profile import check, cold_share, tie_share
from mmsrarec.data.splits import leave_one_out


def test_counts_by_hand(tmp_path: Path) -> None:
    user, item, time = np.array([[0, 0, 1], [0, 1, 2], [0, 2, 2], [0, 3, 9], [1, 0, 2], [1, 0, 5], [1, 1, 6]]).T
    items = (Item("a", text="x", image="gone.png"), Item("b"), Item("c"), Item("d"), Item("e", text="y"))
    dataset = Dataset("d", items, ("u", "v"), make_interactions(user, item, time, 2, 5), tmp_path)
    found = check(dataset)
    assert (found["items"], found["users"]) == (5, 2)
    assert found["events"] == 7
    assert found["items_without_image"] == 4
    assert found["items_without_text"] == 3
    assert found["items_without_events"] == 1
    assert found["broken_images"] == {"a": "no such file"}
    assert found["median_events_per_user"] == 3.5
    assert found["tie_share"] == 2 / 7  # the same second of two users is no tie
    assert found["repeat_share"] == pytest.approx(1 / 7)
    assert (found["first_time"], found["last_time"]) == (1, 9)
    assert found["times"] == "steps"  # small whole numbers: nobody took anything in the first seconds of 1970
    assert found["cold_share"].keys() == {"leave-one-out", "user-8-1-1"}
    assert found["cold_share"]["leave-one-out"] == 0.5  # d is cold; b is in the other's training part
    json.dumps(found)


def test_counts_of_the_drawn_catalogue(drawn: Dataset) -> None:
    found = check(drawn)
    assert (found["items"], found["users"], found["events"]) == (100, 200, len(drawn.interactions))
    assert found["items_without_image"] == 8
    assert found["broken_images"] == {}
    assert found["times"] == "seconds"
    assert found["cold_share"].keys() == {"leave-one-out", "user-8-1-1", "time-cut"}
    assert found["cold_share"]["leave-one-out"] == cold_share(leave_one_out(drawn.interactions)) > 0


def test_a_data_set_without_events_has_no_shares() -> None:
    none = np.zeros(0, dtype=np.int64)
    interactions = make_interactions(none, none, none, 0, 1)
    assert tie_share(interactions) == 0
    assert cold_share(leave_one_out(interactions)) == 0
