"""The keyword index gives the scores of a pass through the catalogue, to the last bit."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmsrarec.data.splits import Queries
from mmsrarec.rankers.base import known_items
from mmsrarec.rankers.ensemble.keyword_overlap import KeywordOverlap

WORDS = st.lists(st.lists(st.sampled_from(["oak", "red", "clay", "soft"]), max_size=4), min_size=1, max_size=9)


def asking(*histories: list[int]) -> Queries:
    n = len(histories)
    arrays = tuple(np.array(history, dtype=np.int64) for history in histories)
    return Queries(np.arange(n), np.full(n, 9), np.full(n, -1), arrays)


def plainly(words: list[list[str]], history: list[int]) -> list[float]:
    """The definition, one item of the catalogue after another."""
    counts = Counter(word for code in history for word in words[code])
    return [sum(counts[word] for word in own) / max(len(own), 1) for own in words]


@given(WORDS, st.data())
@settings(max_examples=60, deadline=None)
def test_scores_are_those_of_a_pass_through_the_catalogue(words, data):
    codes = st.integers(0, len(words) - 1)
    histories = data.draw(st.lists(st.lists(codes, max_size=6), max_size=4))
    candidates = np.array([data.draw(st.lists(codes, min_size=3, max_size=3)) for _ in histories]).reshape(-1, 3)
    overlap, queries = KeywordOverlap(words), asking(*histories)
    expected = np.array([plainly(words, history) for history in histories]).reshape(-1, len(words))
    np.testing.assert_array_equal(overlap.score(queries, None), expected)
    picked = np.take_along_axis(expected, candidates.astype(np.int64), axis=1)
    np.testing.assert_array_equal(overlap.score(queries, candidates.astype(np.int64)), picked)


def test_likeness_counts_what_the_history_says() -> None:
    likeness = KeywordOverlap([("oak", "red"), ("oak",), ("oak", "blue"), ("clay",), ()])
    assert likeness.score(asking([0, 1]), None).tolist() == [[1.5, 2, 1, 0, 0]]
    assert likeness.score(asking([0, 1]), np.array([[2, 3]])).tolist() == [[1, 0]]


def test_it_ranks_everything_and_its_scores_are_no_logits() -> None:
    likeness = KeywordOverlap([("oak",), ()])
    assert known_items(likeness, 2).all()
    assert not likeness.logits


def test_an_item_that_is_not_there_has_no_keywords() -> None:
    with pytest.raises(IndexError):
        KeywordOverlap([("oak",)]).score(asking([1]), None)
