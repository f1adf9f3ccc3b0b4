"""What is read off a ranker's scores: what it knows, what may be recommended, places."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmsrarec.data.dataset import FloatArray, IntArray
from mmsrarec.data.splits import Queries
from mmsrarec.rankers.base import RanksEverything, first_items, known_items, mask_seen, ordered, places, unseen
from mmsrarec.testing import queries


class Table(RanksEverything):
    """Scores that are written down."""

    name = "table"

    def __init__(self, *scores: float):
        self.scores = np.array([scores])

    def score(self, queries: Queries, candidates: IntArray | None) -> FloatArray:
        return self.scores if candidates is None else np.take_along_axis(self.scores, candidates, axis=1)


class Half(Table):
    """Knows the first half of its items."""

    @property
    def known(self) -> np.ndarray:
        return np.arange(self.scores.shape[1]) < self.scores.shape[1] // 2


def test_who_declares_nothing_ranks_everything() -> None:
    assert known_items(Table(1, 2), 3).all()
    assert not Table(1, 2).logits


@pytest.mark.parametrize(("n_items", "expected"), [(4, [1, 1, 0, 0]), (6, [1, 1, 0, 0, 0, 0]), (1, [1])])
def test_of_items_beyond_its_own_a_generator_knows_nothing(n_items: int, expected: list[int]) -> None:
    assert known_items(Half(1, 2, 3, 4), n_items).tolist() == [bool(one) for one in expected]


def test_what_was_had_and_what_has_no_score_may_not_be_recommended() -> None:
    scores = np.array([[1.0, np.nan, 3.0, 4.0]])
    asked = queries([3])
    assert mask_seen(scores, asked).tolist() == [[1, -np.inf, 3, -np.inf]]
    assert np.isnan(scores[0, 1])  # what was given is left alone
    assert unseen(Table(5, 6, 7, 8), asked).tolist() == [[5, 6, 7, -np.inf]]


def test_places_are_means_where_scores_are_equal() -> None:
    np.testing.assert_array_equal(places(Table(3, 1, 3, 2), queries([])), [[1.5, 4, 1.5, 3]])
    np.testing.assert_array_equal(places(Half(3, 1, 9, 9), queries([0])), [[2, 1, np.nan, np.nan]])
    np.testing.assert_array_equal(places(Table(3, np.nan, 1), queries([])), [[1, np.nan, 2]])


def test_equals_are_ordered_by_their_code() -> None:
    order, ranks = ordered(np.array([[1.0, 2.0, 2.0]]))
    assert (order.tolist(), ranks.tolist()) == ([[1, 2, 0]], [[2, 0, 1]])


SCORES = st.lists(st.sampled_from([-np.inf, -2.0, -1.0, -0.0, 0.0, 0.0, 0.5, 3.0, np.inf]), min_size=1, max_size=30)


@given(SCORES, st.integers(0, 40))
@settings(deadline=None)
def test_the_first_items_are_those_of_the_whole_order(scores: list[float], n: int) -> None:
    both = np.array([scores, scores[::-1]])
    np.testing.assert_array_equal(first_items(both, n), ordered(both)[0][:, :n])


@given(SCORES)
@settings(deadline=None)
def test_places_are_those_of_comparing_each_with_each(scores: list[float]) -> None:
    own = np.array(scores)
    expected = 0.5 + (own > own[:, None]).sum(axis=1) + (own == own[:, None]).sum(axis=1) / 2
    np.testing.assert_array_equal(places(Table(*scores), queries([]))[0], expected)
