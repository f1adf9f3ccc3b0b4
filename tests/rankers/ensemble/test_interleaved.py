"""Generators that take turns lose nothing, and give each its share."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from mmsrarec.data.splits import Queries
from mmsrarec.rankers.base import Ranker, known_items, ordered, places
from mmsrarec.rankers.ensemble.interleaved import (
    HiddenItems,
    Interleaved,
    PaddedCatalogue,
    Restricted,
    interleave_cold_items,
    with_cold_items,
)
from mmsrarec.rankers.ensemble.keyword_overlap import KeywordOverlap

HISTORY = (np.array([0, 1]),)
QUERIES = Queries(np.array([0]), np.array([9]), np.array([-1]), HISTORY)


class Falling:
    """Item 0 first, and so on, of `n` items, of which it knows the first few."""

    name = "falling"

    def __init__(self, n: int, known: int | None = None):
        self.n, self.known = n, np.arange(n) < (n if known is None else known)

    def score(self, queries: Queries, candidates: np.ndarray | None) -> np.ndarray:
        return -np.arange(float(self.n))[None] if candidates is None else -candidates.astype(float)


class Rising(Falling):
    """The last item first."""

    def score(self, queries: Queries, candidates: np.ndarray | None) -> np.ndarray:
        return -super().score(queries, candidates)


def order(generator: Interleaved) -> list[int]:
    return np.argsort(-generator.score(QUERIES, None)[0], kind="stable").tolist()


def test_what_is_asked_for_takes_turns_with_the_rest() -> None:
    keep = np.isin(np.arange(8), [1, 5, 6, 7])
    assert order(Interleaved(Falling(8), Restricted(Falling(8), keep))) == [0, 1, 5, 2, 6, 3, 7, 4]
    assert order(Interleaved(Falling(8), Restricted(Falling(8), np.zeros(8, dtype=bool)))) == list(range(8))


def test_items_that_the_first_does_not_know_come_by_the_second() -> None:
    new = np.arange(9) >= 7
    found = Interleaved(Falling(7), Restricted(Falling(9), new), every=4)
    assert order(found) == [0, 1, 2, 7, 3, 4, 5, 8, 6]
    candidates = np.array([[4, 2]])
    assert found.score(QUERIES, candidates).tolist() == [[-4, -2]]


@settings(deadline=None)
@given(st.lists(st.booleans(), min_size=2, max_size=30), st.integers(2, 5))
def test_everything_is_placed_and_nothing_falls_far(keep: list[bool], every: int) -> None:
    n, kept = len(keep), np.array(keep)
    scores = Interleaved(Falling(n), Restricted(Falling(n), kept), every).score(QUERIES, None)
    assert np.isfinite(scores).all()
    assert sorted(order(Interleaved(Falling(n), Restricted(Falling(n), kept), every))) == list(range(n))
    own = np.arange(n)
    assert (-scores[0] <= own + own // (every - 1)).all()


def test_ranks_of_equals_go_by_code() -> None:
    assert ordered(np.array([[1.0, 3.0, 1.0, -np.inf]]))[1].tolist() == [[1, 0, 2, 3]]


def test_new_items_have_their_share_of_the_proposals_and_one_at_least() -> None:
    words = [("red",)] * 12
    words[3] = ("blue",)  # unlike the history

    def proposed(*new: int) -> list[int]:
        is_new = np.isin(np.arange(12), new)
        return order(interleave_cold_items(Restricted(Falling(12), ~is_new), KeywordOverlap(words), is_new, 6))[:6]

    assert proposed() == [0, 1, 2, 3, 4, 5]
    assert proposed(3) == [0, 1, 2, 4, 5, 3]
    assert proposed(3, 7, 9, 11) == [0, 1, 7, 2, 4, 9]
    assert proposed(*range(2, 12)) == [0, 2, 1, 4, 5, 3]  # half at most; then whoever is left


def test_new_items_are_judged_by_content_where_it_is_known_and_else_by_words() -> None:
    """Items 9, 10 and 11 are new; content is known of all but 11."""
    words = KeywordOverlap([("red",)] * 12)

    def proposed(known: Ranker, by_content: Ranker | None) -> list[int]:
        return np.argsort(
            -with_cold_items(known, by_content, words, 12, 6).score(QUERIES, None)[0], kind="stable"
        ).tolist()

    for known in (Falling(12, known=9), Falling(9), PaddedCatalogue(Falling(9), 12)):
        assert proposed(known, None)[:8] == [0, 1, 2, 9, 3, 4, 5, 10]
        assert proposed(known, Rising(12))[:8] == [0, 1, 2, 11, 3, 4, 5, 10]
        for by_content in (Rising(12, known=11), PaddedCatalogue(Rising(11), 12)):
            first = proposed(known, by_content)
            assert first.index(10) < first.index(9)
            assert 11 in first[:6]  # by words, in its own share
    assert with_cold_items(all_known := Falling(12), Rising(12), words, 12, 6) is all_known


def test_what_a_generator_was_not_fitted_on_it_says_nothing_of() -> None:
    wide, blind = (
        PaddedCatalogue(Falling(3), 5),
        HiddenItems(Falling(5, known=4), np.array([False, True, False, False, False])),
    )
    assert known_items(wide, 5).tolist() == [True, True, True, False, False]
    np.testing.assert_array_equal(wide.score(QUERIES, None), [[0, -1, -2, np.nan, np.nan]])
    np.testing.assert_array_equal(wide.score(QUERIES, np.array([[4, 1]])), [[np.nan, -1]])
    assert known_items(blind, 5).tolist() == [True, False, True, True, False]
    np.testing.assert_array_equal(blind.score(QUERIES, None), [[0, np.nan, -2, -3, -4]])
    np.testing.assert_array_equal(blind.score(QUERIES, np.array([[1, 4]])), [[np.nan, -4]])
    np.testing.assert_array_equal(places(wide, QUERIES), [[2.5, 2.5, 1, np.nan, np.nan]])  # 0 and 1 were had
