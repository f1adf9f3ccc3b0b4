"""Keywords weighed as numbers are ranked as keywords weighed one by one."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mmsrarec.recommend.prompt.keyword_table import KeywordTable
from mmsrarec.retrieve.collaborative_context import weigh_keywords

KEYWORDS = st.lists(st.lists(st.sampled_from("abcdefgh"), max_size=4), min_size=1, max_size=8)


@given(KEYWORDS, st.integers(0, 10_000))
def test_the_order_is_that_of_words_weighed_one_by_one(keywords: list[list[str]], seed: int) -> None:
    rng, table = np.random.default_rng(seed), KeywordTable.of(keywords)
    codes = rng.permutation(len(keywords))
    weights = rng.choice([0.1, 0.2, 0.3, rng.random()], len(codes))  # ties, and sums that depend on their order
    rare = {word: float(rng.choice([1.0, 1.5])) for word in table.words}
    expected = weigh_keywords(zip(codes.tolist(), weights.tolist(), strict=True), keywords.__getitem__, rare)
    assert list(table.ranked(codes, weights, np.array([rare[word] for word in table.words]))) == expected


@given(KEYWORDS)
def test_the_items_of_a_word_are_those_that_have_it(keywords: list[list[str]]) -> None:
    table = KeywordTable.of(keywords)
    for word in table.words:
        assert table.items_with(word).tolist() == [code for code, words in enumerate(keywords) if word in words]


def test_nothing_weighs_nothing() -> None:
    assert not list(KeywordTable.of([["a"], []]).ranked(np.zeros(0, dtype=int), np.zeros(0), np.ones(1)))
    assert not list(KeywordTable.of([[], []]).ranked(np.array([1, 0]), np.ones(2), np.zeros(0)))
