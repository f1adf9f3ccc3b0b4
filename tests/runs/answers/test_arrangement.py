"""Rules for the order of an answer: pins, boosts, a cap for each group, one variant of each product."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mmsrarec.runs.answers.arrangement import NO_RULES, POOL, Arrangement, numbered

CODES = np.array([7, 3, 5, 1])
SCORES = np.array([0.5, 2.0, 1.0, 2.0])


def best(rules: Arrangement, k: int = 4) -> list[int]:
    return CODES[rules.best(CODES, SCORES, k)].tolist()


def test_without_rules_the_scores_decide() -> None:
    assert best(NO_RULES) == [3, 1, 5, 7]
    assert best(NO_RULES, 2) == [3, 1]
    assert NO_RULES.pool(5) == 5


def test_pinned_items_stand_first_in_their_order() -> None:
    assert best(Arrangement(pinned=(7, 5))) == [7, 5, 3, 1]
    assert best(Arrangement(pinned=(7, 5)), 1) == [7]


def test_boosts_join_and_move_items() -> None:
    may = np.ones(10, dtype=bool)
    may[9] = False
    rules = Arrangement(pinned=(5, 2), boosts={8: 1.0, 9: 1.0, 1: -3.0, 4: -1.0})
    assert rules.joined(CODES, may).tolist() == [7, 3, 5, 1, 2, 8]
    assert rules.boosted(CODES[None], SCORES[None]).tolist() == [[0.5, 2.0, 1.0, -1.0]]


def test_a_cap_counts_pinned_items_and_never_drops_them() -> None:
    groups = np.zeros(10, dtype=np.int64)
    groups[7] = -1  # of no group
    rules = Arrangement(pinned=(5, 1), max_per_group=1, groups=groups)
    assert best(rules) == [5, 1, 7]
    assert rules.pool(5) == 5 * POOL


def test_one_variant_of_each_product() -> None:
    products = np.arange(10)
    products[3] = products[1]
    assert best(Arrangement(products=products)) == [3, 5, 7]
    assert best(Arrangement(pinned=(1,), products=products)) == [1, 5, 7]


@given(st.lists(st.tuples(st.integers(0, 3), st.floats(-5, 5)), min_size=1, max_size=30), st.integers(1, 5))
def test_no_group_is_over_its_cap_and_order_is_kept(drawn: list[tuple[int, float]], cap: int) -> None:
    codes, scores = np.arange(len(drawn)), np.array([score for _, score in drawn])
    groups = np.array([group for group, _ in drawn])
    chosen = Arrangement(max_per_group=cap, groups=groups).best(codes, scores, 30)
    assert (np.bincount(groups[chosen]) <= cap).all()
    assert (np.diff(scores[chosen]) <= 0).all()
    left_out = sorted(set(codes.tolist()) - set(chosen.tolist()))
    assert all((scores[chosen][groups[chosen] == groups[code]] >= scores[code]).sum() == cap for code in left_out)


def test_labels_are_numbered() -> None:
    assert numbered(["a", None, "b", "a"]).tolist() == [0, -1, 1, 0]
