"""ALS learns camps, and serves who was not there."""

from typing import ClassVar

import numpy as np
import pytest

from mmsrarec.data.dataset import make_interactions
from mmsrarec.data.splits import leave_one_out
from mmsrarec.evaluate.protocols import evaluate_full
from mmsrarec.rankers.als import Als
from mmsrarec.testing import RankerLaws, queries, tiny_log

pytest.importorskip("implicit")


class TestAls(RankerLaws):
    ranker = Als
    settings: ClassVar = {"factors": 2}


def test_als_learns_two_camps_and_serves_a_stranger() -> None:
    rng = np.random.default_rng(0)
    users, items = np.repeat(np.arange(40), 6), []
    for user in range(40):
        items.append(rng.permutation(10)[:6] + 10 * (user % 2))
    model = Als(factors=2).fit(make_interactions(users, np.concatenate(items), np.arange(240), 40, 20))
    scores = model.score(queries([10, 11, 12]), None)[0]
    unseen = np.setdiff1d(np.arange(20), [10, 11, 12])
    assert set(unseen[np.argsort(-scores[unseen])[:7]]) == set(range(13, 20))


def test_als_finds_what_is_consumed_together() -> None:
    split = leave_one_out(tiny_log())
    model = Als(factors=8).fit(split.train)
    assert evaluate_full(model, split.test, 40)["HR@10"].mean() > 0.5


def test_the_seed_decides_where_the_factors_start() -> None:
    first, other = (Als(factors=2, iterations=1).fit(tiny_log(), seed=seed) for seed in (0, 1))
    assert not np.allclose(first.score(queries([1]), None), other.score(queries([1]), None))
