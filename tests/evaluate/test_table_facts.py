"""What stands beside a table is counted over all test queries."""

import numpy as np
from world import make_log

from mmsrarec.data.dataset import make_interactions
from mmsrarec.data.splits import leave_one_out
from mmsrarec.evaluate.protocols import published_candidates
from mmsrarec.evaluate.table_facts import facts, target_slices


def test_facts_count_ties_and_cold_targets() -> None:
    # user 0: its last two share a second. user 1: no tie. Item 4 is only ever somebody's last: cold.
    user, item = np.array([0, 0, 0, 0, 1, 1, 1, 1]), np.array([0, 1, 2, 3, 0, 2, 3, 4])
    interactions = make_interactions(user, item, np.array([1, 2, 5, 5, 1, 2, 3, 4]), 2, 30)
    split = leave_one_out(interactions)
    full = facts(split, interactions, 7)
    assert (full["protocol"], full["tied_share"], full["users"]) == ("full", 0.5, 2)
    assert full["cold_share"] == 1.0  # item 3 is held out for both users, too
    asked = published_candidates(split.test, interactions, 7)
    assert facts(split, interactions, 7, asked)["candidate_hash"] == asked.digest
    slices = target_slices(split.test, split.train, np.arange(30) != 4)
    unseen, head, tail, imageless = (mask.tolist() for mask in slices.values())
    assert (unseen, imageless) == ([True, True], [False, True])
    assert (head, tail) == ([False, False], [False, False])


def test_every_target_that_training_shows_lies_in_the_head_or_in_the_tail() -> None:
    interactions = make_log(np.random.default_rng(0), n_users=40, n_items=60, length=8)
    split = leave_one_out(interactions)
    slices = list(target_slices(split.test, split.train, np.ones(60, dtype=bool)).values())
    unseen, head, tail = slices[:3]
    assert (unseen.astype(int) + head + tail).tolist() == [1] * len(split.test)
    in_head = np.unique(split.test.target[head])
    others = np.setdiff1d(np.unique(split.test.target), in_head)
    assert 0 < len(in_head) <= 12
    assert split.train.counts[in_head].min() >= split.train.counts[others].max()
