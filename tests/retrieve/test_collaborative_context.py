"""The collaborative context: only what neighbours took before the query, weighed and cut."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmsrarec.data.dataset import make_interactions
from mmsrarec.data.splits import Queries
from mmsrarec.errors import MmsrarecError
from mmsrarec.retrieve import collaborative_context
from mmsrarec.retrieve.collaborative_context import Votes, blocks, next_items, rarity, share_levels, weigh_keywords
from mmsrarec.retrieve.neighbours import NeighbourLists

TRAIN = make_interactions(*(np.array(a) for a in ([0, 0, 0, 1, 1], [5, 6, 7, 8, 9], [1, 2, 3, 1, 2])), 2, 10)
NO_HISTORY = np.array([], dtype=int)


def asked(time: int) -> Queries:
    return Queries(np.array([-1]), np.array([time]), np.array([-1]), (NO_HISTORY,))


def found(*rows: int) -> NeighbourLists:
    row = np.array([rows])
    return NeighbourLists(np.where(row >= 0, TRAIN.user[row], -1), row, np.ones(row.shape, dtype=np.float32))


class Words:
    def __init__(self, *words: tuple[str, ...]) -> None:
        self.words = words

    def united(self, code: int) -> tuple[str, ...]:
        return self.words[code]


def collaborative_items(items, similarity, history, limit: int) -> tuple[int, ...]:
    votes = Votes.of(items, similarity, np.arange(len(items)))
    return tuple(code for code, _ in votes.ranked(history)[:limit])


def collaborative_keywords(items, words: Words, similarity, history, budget: int, rare=None) -> tuple[str, ...]:
    ranked = Votes.of(items, similarity, np.arange(len(items))).ranked(history)
    return tuple(weigh_keywords(ranked, words.united, rare)[:budget])


def test_next_items_begin_at_the_row_and_stay_with_the_neighbour():
    items = next_items(found(1, 3, -1, 2), TRAIN, asked(9), 3)
    np.testing.assert_array_equal(items, [[[6, 7, -1], [8, 9, -1], [-1, -1, -1], [7, -1, -1]]])


def test_next_items_stop_at_the_moment(monkeypatch):
    np.testing.assert_array_equal(next_items(found(0), TRAIN, asked(3), 3), [[[5, 6, -1]]])
    np.testing.assert_array_equal(next_items(found(0), TRAIN, asked(1), 3), [[[-1, -1, -1]]])
    with pytest.raises(MmsrarecError, match="no time"):
        next_items(found(0), TRAIN, asked(-1), 3)
    monkeypatch.setattr(
        collaborative_context, "query_times", lambda m: np.full(len(m), 99)
    )  # without the guard the future shows
    np.testing.assert_array_equal(next_items(found(0), TRAIN, asked(3), 3), [[[5, 6, 7]]])


def test_items_are_ranked_by_all_that_speaks_for_them():
    items = np.array([[1, 2], [3, 2], [4, -1]])
    assert collaborative_items(items, np.array([0.9, 0.8, 0.0]), NO_HISTORY, 9) == (1, 2, 3)  # 0.9, 0.45 + 0.4, 0.8
    assert collaborative_items(items, np.array([0.9, 0.8, 0.0]), np.array([1]), 1) == (2,)
    assert collaborative_items(items, np.array([-0.5, 0.0, 0.0]), NO_HISTORY, 9) == ()
    assert collaborative_items(np.full((2, 2), -1), np.zeros(2), NO_HISTORY, 9) == ()


def test_keywords_are_weighed_by_similarity_and_rarity():
    words = Words(("film", "space"), ("film", "war"), ("film", "love"))
    items, near = np.array([[0], [1]]), np.array([0.5, 0.9])
    assert collaborative_keywords(items, words, near, NO_HISTORY, 9) == ("film", "war", "space")
    rare = rarity(words, 3)
    assert rare["film"] < rare["war"] == rare["space"] == pytest.approx(np.log(4 / 2) + 1)
    assert rare["film"] == pytest.approx(1.0)
    near = np.array([0.2, 0.9])  # film 1.1 * 1, war 0.9 * 1.69, space 0.2 * 1.69
    assert collaborative_keywords(items, words, near, NO_HISTORY, 9, rare) == ("war", "film", "space")
    assert collaborative_keywords(items, words, near, NO_HISTORY, 1, rare) == ("war",)
    assert collaborative_keywords(items, words, near, np.array([1]), 9, rare) == ("space", "film")


def test_a_word_said_twice_of_one_item_counts_once():
    words = Words(("a", "a", "a"), ("b",))
    assert collaborative_keywords(np.array([[0], [1]]), words, np.array([0.4, 0.5]), NO_HISTORY, 9) == ("b", "a")


@given(
    st.lists(st.lists(st.integers(-1, 5), min_size=2, max_size=2), min_size=1, max_size=5),
    st.lists(st.integers(0, 5), max_size=3),
    st.integers(0, 8),
    st.integers(0, 99),
)
def test_the_laws_of_the_context(items, history, budget, seed):
    array, near = np.array(items), np.random.default_rng(seed).random(len(items))
    words = Words(*((f"w{code}", f"w{code + 1}", "all") for code in range(6)))
    shown = set(array[array >= 0].tolist()) - set(history)
    codes = collaborative_items(array, near, np.array(history, int), 99)
    assert sorted(codes) == sorted(shown)
    every = collaborative_keywords(array, words, near, np.array(history, int), 99, rarity(words, 6))
    assert sorted(every) == sorted({w for code in shown for w in words.united(code)})
    cut = collaborative_keywords(array, words, near, np.array(history, int), budget, rarity(words, 6))
    assert cut == every[:budget]


PAIRS = Votes(np.array([4, 4, 7, 4, 2]), np.array([0.5, 0.25, 1.0, 0.25, 0.5]), np.array([1, 1, 1, 8, 3]))


def test_voices_know_how_much_is_said_and_by_how_many():
    assert PAIRS.ranked(NO_HISTORY) == [(4, 1.0), (7, 1.0), (2, 0.5)]
    assert PAIRS.ranked(np.array([4, -1])) == [(7, 1.0), (2, 0.5)]
    assert PAIRS.people(np.array([4, 7, 2, 0])).tolist() == [2, 1, 1, 0]
    assert Votes.none().ranked(NO_HISTORY) == []
    assert Votes.none().people(np.array([1])).tolist() == [0]


def test_what_weighs_nothing_says_nothing():
    votes = Votes.of(np.array([[1, -1], [2, 3]]), np.array([0.5, -0.2]), np.array([9, 6]))
    assert (votes.item.tolist(), votes.weight.tolist(), votes.person.tolist()) == ([1], [0.5**4], [9])


def test_two_sources_weigh_the_same_whatever_they_count_in():
    other = Votes(np.array([2, 9]), np.array([300.0, 100.0]), np.array([3, 5]))
    both = PAIRS.joined(other)
    codes, weights = zip(*both.ranked(NO_HISTORY), strict=True)
    assert codes == (2, 4, 7, 9)
    assert weights == pytest.approx((0.2 + 0.75, 0.4, 0.4, 0.25))
    assert both.people(np.array([2, 9])).tolist() == [1, 1]  # person 3 is one, in both sources
    for alone in (PAIRS.joined(Votes.none()), Votes.none().joined(PAIRS)):
        assert [code for code, _ in alone.ranked(NO_HISTORY)] == [4, 7, 2]
    assert not len(Votes.none().joined(Votes.none()).item)


def test_levels_are_shares_of_the_heaviest():
    assert share_levels(PAIRS, np.array([4, 7, 2, 5]), (0.1, 0.5, 0.75)).tolist() == [4, 4, 3, 0]
    assert share_levels(Votes.none(), np.array([4, 7]), (0.5,)).tolist() == [0, 0]
    assert share_levels(PAIRS, np.array([], dtype=int), (0.5,)).shape == (0,)


@pytest.mark.parametrize(
    ("queries", "takings", "sizes"), [(5, 2_000_000, [2, 2, 1]), (3, 9_000_000, [1, 1, 1]), (0, 1, [])]
)
def test_blocks_cover_all_moments_in_order(queries: int, takings: int, sizes: list[int]):
    parts = list(blocks(queries, takings))
    assert [len(part) for part in parts] == sizes
    assert [number for part in parts for number in part.tolist()] == list(range(queries))
