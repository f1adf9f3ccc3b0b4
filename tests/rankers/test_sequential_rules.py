"""Sequential rules count what follows what."""

from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmsrarec.data.dataset import Interactions, make_interactions
from mmsrarec.data.splits import leave_one_out
from mmsrarec.evaluate.protocols import evaluate_full
from mmsrarec.rankers import sequential_rules
from mmsrarec.rankers.sequential_rules import SequentialRules
from mmsrarec.testing import RankerLaws, queries, tiny_log


class TestSequentialRules(RankerLaws):
    ranker = SequentialRules


def test_rules_by_hand() -> None:
    interactions = make_interactions(np.array([0, 0, 0, 1, 1]), np.array([0, 1, 2, 0, 1]), np.arange(5), 2, 4)
    rules = SequentialRules().fit(interactions)
    assert rules.score(queries([0]), None).tolist() == [[0, 2, 0.5, 0]]  # twice one step on, once two
    assert rules.score(queries([0, 1]), None).tolist() == [[0, 1, 1.25, 0]]  # item 0 is now two steps back: halved
    assert rules.score(queries([0, 3, 3, 3, 3]), None).tolist() == [[0, 0, 0, 0]]  # out of the window


def test_an_item_that_joined_later_keeps_its_place_in_a_history() -> None:
    rules = SequentialRules().fit(make_interactions(np.zeros(2, int), np.array([0, 1]), np.arange(2), 1, 2))
    assert rules.score(queries([0, 9]), None).tolist() == [[0, 0.5]]


def test_rules_find_the_way_everybody_walks() -> None:
    interactions = tiny_log()
    split = leave_one_out(interactions)
    rules = SequentialRules().fit(split.train)
    assert evaluate_full(rules, split.test, interactions.n_items)["HR@5"].mean() > 0.9
    stranger = rules.score(queries([3, 4, 5]), None)[0]
    assert stranger[[6, 7]].min() > np.delete(stranger, [2, 3, 4, 5, 6, 7, 8, 9]).mean()


def slowly(log: Interactions, window: int) -> dict[int, dict[int, float]]:
    """The rules from each item, pair by pair: first those one step apart, then two, as floats are added."""
    rules: dict[int, dict[int, float]] = defaultdict(lambda: defaultdict(float))
    for step in range(1, window + 1):
        for row in range(len(log) - step):
            if log.user[row] == log.user[row + step]:
                rules[int(log.item[row])][int(log.item[row + step])] += 1 / step
    return rules


def random_log(seed: int, n: int = 120) -> Interactions:
    rng = np.random.default_rng(seed)
    return make_interactions(rng.integers(7, size=n), rng.integers(9, size=n), rng.integers(50, size=n), 7, 11)


@given(st.integers(0, 1000), st.integers(1, 6), st.sampled_from([1, 20, 10**6]))
@settings(max_examples=20, deadline=None)
def test_rules_counted_in_blocks_are_those_of_pair_by_pair_to_the_last_bit(seed, window, most):
    log = random_log(seed)
    expected = slowly(log, window)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sequential_rules, "MAX_PAIRS_HELD", most)
        found = SequentialRules(window=window).fit(log).score(queries(*([item] for item in range(11))), None)
    assert found.tolist() == [[expected[item][other] for other in range(11)] for item in range(11)]


def test_a_large_catalogue_keeps_the_heaviest_rules_of_each_item(monkeypatch):
    log = random_log(3)
    whole = SequentialRules().fit(log).score(queries(*([item] for item in range(11))), None)
    monkeypatch.setattr(sequential_rules, "MAX_ITEMS_UNCUT", 10)
    monkeypatch.setattr(sequential_rules, "LARGE_K", 3)
    monkeypatch.setattr(sequential_rules, "MAX_PAIRS_HELD", 50)
    cut = SequentialRules().fit(log).score(queries(*([item] for item in range(11))), None)
    for all_rules, kept in zip(whole, cut, strict=True):
        heaviest = np.argsort(-all_rules, kind="stable")[:3]  # of equals the lower code
        expected = np.zeros(11)
        expected[heaviest] = all_rules[heaviest]
        assert kept.tolist() == expected.tolist()


def test_candidates_get_the_scores_that_they_have_in_the_whole_catalogue():
    rules = SequentialRules().fit(random_log(5))
    asked = queries([1, 2, 3, 2], [], [10, 10], [0])
    candidates = np.random.default_rng(0).integers(11, size=(4, 6))
    everything = rules.score(asked, None)
    assert rules.score(asked, candidates).tolist() == np.take_along_axis(everything, candidates, axis=1).tolist()
