"""Sequential rules count what follows what."""

import numpy as np

from mmsrarec.data.dataset import make_interactions
from mmsrarec.data.splits import leave_one_out
from mmsrarec.evaluate.protocols import evaluate_full
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
