"""What stands beside a table is counted over all test queries."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from people import people
from world import make_log

from mmsrarec.data.dataset import make_interactions
from mmsrarec.data.splits import leave_one_out
from mmsrarec.evaluate.protocols import published_candidates
from mmsrarec.evaluate.table_facts import HEAD_SHARE, facts, target_slices


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


@given(st.integers(0, 2**16), st.integers(1, 30), st.integers(3, 8))
def test_facts_are_json_and_shares_lie_between_none_and_all(seed: int, n_users: int, length: int) -> None:
    interactions = make_log(np.random.default_rng(seed), n_users, length=length)
    table = facts(leave_one_out(interactions), interactions, seed)
    assert json.loads(json.dumps(table)) == table
    assert all(0 <= table[name] <= 1 for name in ("tied_share", "cold_share", "repeat_share"))
    assert table["users"] + table["left_out"] == table["test_users"] == n_users
    assert (table["seed"], table["items"], table["split"]) == (seed, 30, "leave-one-out")


def test_a_query_whose_target_was_had_is_left_out_unless_items_may_be_had_again() -> None:
    interactions = people([0, 1, 2, 0], [1, 2, 3, 4], [2, 0, 4, 5], n_items=12)  # the first had the target before
    split = leave_one_out(interactions)
    strict = facts(split, interactions, 0)
    allowing = facts(replace(split, test=replace(split.test, allow_seen=True)), interactions, 0)
    assert (strict["users"], strict["left_out"], strict["left_out_reason"]) == (
        2,
        1,
        "their target was consumed before",
    )
    assert (allowing["users"], allowing["left_out"], allowing["left_out_reason"]) == (3, 0, None)
    assert strict["repeat_share"] == allowing["repeat_share"] == pytest.approx(1 / 3)
    assert (strict["repeat_consumption"], allowing["repeat_consumption"]) == ("exclude", "allow")
    assert strict["history"] != allowing["history"]
    assert (strict["candidates"], allowing["candidates"]) == ("every item the user has not had", "every item")


def test_under_the_published_protocol_users_without_enough_negatives_are_left_out() -> None:
    interactions = people([0, 1, 2, 3, 4, 5], [0, 1, 2], n_items=8)
    split = leave_one_out(interactions)
    candidates = published_candidates(split.test, interactions, 5, 4)
    table = facts(split, interactions, 7, candidates, sealed=1)
    assert (table["users"], table["left_out"], table["sealed_users"]) == (1, 1, 1)
    assert table["left_out_reason"] == "they leave too few items untouched"
    assert (table["protocol"], table["negatives"], table["seed"]) == ("published", 4, 5)
    assert table["candidates"].startswith("1 positive and 4 uniform negatives")


def test_the_number_of_users_of_the_table_is_the_callers() -> None:
    interactions = make_log(np.random.default_rng(2))
    table = facts(leave_one_out(interactions), interactions, 0, n_users=12, sealed=28)
    assert (table["users"], table["test_users"], table["sealed_users"]) == (12, 40, 28)


def test_of_no_test_users_every_share_is_zero() -> None:
    interactions = people([0, 1], [2], n_items=4)
    table = facts(leave_one_out(interactions), interactions, 0)
    assert [table[name] for name in ("users", "tied_share", "cold_share", "repeat_share")] == [0, 0.0, 0.0, 0.0]


@given(st.integers(0, 2**16), st.integers(5, 60))
def test_slices_of_targets_are_by_training_and_by_images_alone(seed: int, n_items: int) -> None:
    rng = np.random.default_rng(seed)
    interactions = make_log(rng, n_items=max(n_items, 6), length=5)
    split, has_image = leave_one_out(interactions), rng.random(interactions.n_items) < 0.5
    unseen, head, tail, imageless = target_slices(split.test, split.train, has_image).values()
    assert (unseen.astype(int) + head + tail == 1).all()
    assert (imageless == ~has_image[split.test.target]).all()
    assert len(set(split.test.target[head].tolist())) <= round(HEAD_SHARE * interactions.n_items)
    assert (unseen == (split.train.counts[split.test.target] == 0)).all()
