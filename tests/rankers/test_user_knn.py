"""User kNN asks the nearest users, checked against a slow reference."""

from typing import ClassVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from people import people

from mmsrarec.data.dataset import FloatArray, Interactions
from mmsrarec.data.splits import leave_one_out
from mmsrarec.evaluate.protocols import evaluate_full
from mmsrarec.rankers.user_knn import UserKnn
from mmsrarec.testing import RankerLaws, queries, tiny_log


class TestUserKnn(RankerLaws):
    ranker = UserKnn
    settings: ClassVar = {"k": 10}


def slow_reference(log: Interactions, history: list[int], k: int) -> FloatArray:
    """(n_items,) scores of a history, in loops: the definition."""
    consumed = np.array([np.isin(np.arange(log.n_items), log.items_of(user)) for user in range(log.n_users)], float)
    people_of = np.maximum(consumed.sum(axis=0), 1)
    weights = np.log(log.n_users / people_of)
    query = np.isin(np.arange(log.n_items), history) * weights
    lengths = np.linalg.norm(consumed * weights, axis=1) * np.linalg.norm(query)
    similarity = (consumed * weights) @ query / np.maximum(lengths, 1e-12)
    similarity[np.argsort(-similarity, kind="stable")[k:]] = 0
    return similarity @ consumed


@given(st.integers(0, 10**6), st.sampled_from([1, 3, 100]))
@settings(max_examples=40, deadline=None)
def test_it_agrees_with_the_slow_reference(seed: int, k: int) -> None:
    """Who of equally near users votes may differ by rounding: then the sums of their similarities do not."""
    rng = np.random.default_rng(seed)
    log = people(*(rng.permutation(10)[: rng.integers(1, 6)].tolist() for _ in range(12)), n_items=11)
    history = rng.permutation(10)[:3].tolist()
    found = UserKnn(k=k).fit(log).score(queries(history), None)[0]
    if k == 100:
        assert found == pytest.approx(slow_reference(log, history, k), abs=1e-6)
    whole = slow_reference(log, history, 100)
    assert (found <= whole + 1e-6).all()
    assert found.max() <= slow_reference(log, history, k).sum() + 1e-6


def test_user_knn_by_hand() -> None:
    train = people([0, 1], [0, 2], [3, 3])
    common, rare = np.log(3 / 2), np.log(3)
    near = common / np.hypot(common, rare)
    one, two = UserKnn(k=1).fit(train), UserKnn(k=2).fit(train)
    assert one.score(queries([0, 0]), None) == pytest.approx(np.array([[near, near, 0, 0]]))  # of equals the first
    assert two.score(queries([0]), None) == pytest.approx(np.array([[2 * near, near, near, 0]]))
    assert one.score(queries([0], user=0), None) == pytest.approx(np.array([[near, 0, near, 0]]))  # never oneself
    far = rare / np.hypot(common, rare)
    assert two.score(queries([1]), None) == pytest.approx(np.array([[far, far, 0, 0]]))  # who shares nothing has none


def test_what_is_consumed_together_is_found() -> None:
    split = leave_one_out(tiny_log())
    ranker = UserKnn().fit(split.train)
    assert evaluate_full(ranker, split.test, 40)["HR@10"].mean() > 0.5
    stranger = ranker.score(queries([3, 4, 5]), None)[0]
    assert stranger[[6, 7]].min() > np.delete(stranger, [2, 3, 4, 5, 6, 7, 8, 9]).mean()
