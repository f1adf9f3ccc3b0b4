"""How much of a log is tied, and how much of a split is cold."""

import numpy as np

from mmsrarec.data.dataset import Dataset, make_interactions
from mmsrarec.data.profile import cold_share, tie_share
from mmsrarec.data.splits import leave_one_out


def test_a_tie_is_within_one_user() -> None:
    user, item, time = np.array([[0, 0, 1], [0, 1, 2], [0, 2, 2], [0, 3, 9], [1, 0, 2], [1, 0, 5], [1, 1, 6]]).T
    assert tie_share(make_interactions(user, item, time, 2, 5)) == 2 / 7


def test_an_item_without_a_training_interaction_is_cold(drawn: Dataset) -> None:
    user, item, time = np.array([[0, 0, 1], [0, 3, 9], [1, 0, 2], [1, 1, 4], [1, 0, 6], [0, 1, 3]]).T
    assert cold_share(leave_one_out(make_interactions(user, item, time, 2, 5))) == 0.5  # 3 is cold
    assert 0 < cold_share(leave_one_out(drawn.interactions)) < 1


def test_a_log_without_interactions_has_no_shares() -> None:
    none = np.zeros(0, dtype=np.int64)
    interactions = make_interactions(none, none, none, 0, 1)
    assert tie_share(interactions) == 0
    assert cold_share(leave_one_out(interactions)) == 0
