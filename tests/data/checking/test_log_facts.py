"""Counts of a log, by hand."""

import numpy as np
import pytest

from mmsrarec.data.checking.log_facts import (
    Spread,
    density,
    immediate_repeat_share,
    repeat_share,
    users_at_one_time,
)
from mmsrarec.data.dataset import Interactions, make_interactions


def log(rows: list[tuple[int, int, int]], users: int = 3, items: int = 4) -> Interactions:
    user, item, time = np.array(rows, dtype=np.int64).reshape(-1, 3).T
    return make_interactions(user, item, time, users, items)


def test_density_counts_each_pair_once() -> None:
    assert density(log([(0, 0, 1), (0, 0, 2), (1, 3, 1)])) == 2 / 12
    assert density(log([])) == 0
    assert density(log([], 0, 0)) == 0


def test_repeats_and_immediate_repeats() -> None:
    interactions = log([(0, 0, 1), (0, 0, 2), (0, 1, 3), (0, 0, 4), (1, 0, 5)])
    assert repeat_share(interactions) == pytest.approx(2 / 5)
    assert immediate_repeat_share(interactions) == 1 / 5
    assert repeat_share(log([])) == immediate_repeat_share(log([])) == 0


def test_users_whose_interactions_have_one_time() -> None:
    assert users_at_one_time(log([(0, 0, 7), (0, 1, 7), (1, 0, 7), (2, 0, 1), (2, 1, 2)])) == 1
    assert users_at_one_time(log([(2, 0, 7), (2, 1, 7)])) == 1
    assert users_at_one_time(log([])) == 0


def test_the_spread_of_counts() -> None:
    spread = Spread.of(np.array([0, 1, 1, 2, 5, 7, 40]))
    assert (spread.min, spread.median, spread.max, spread.mean) == (0, 2, 40, 8)
    assert spread.top_share == 40 / 56
    assert spread.histogram == {0: 1, 1: 2, 2: 1, 5: 1, 10: 1, 20: 0, 50: 1}
    assert sum(spread.histogram.values()) == 7


def test_the_spread_of_nothing_and_of_zeros() -> None:
    assert Spread.of(np.zeros(0, dtype=np.int64)).histogram == {}
    assert Spread.of(np.zeros(3, dtype=np.int64)).histogram == {0: 3}
    assert Spread.of(np.zeros(3, dtype=np.int64)).top_share == 0


def test_the_busiest_hundredth() -> None:
    counts = np.ones(200, dtype=np.int64)
    counts[:2] = 99
    assert Spread.of(counts).top_share == pytest.approx(198 / 396)
