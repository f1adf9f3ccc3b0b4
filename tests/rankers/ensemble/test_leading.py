"""The first items that a ranker finds by itself are those of the order of its whole catalogue."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmsrarec.data.dataset import FloatArray, IntArray
from mmsrarec.data.splits import Queries
from mmsrarec.rankers.base import RanksEverything, ordered, unseen
from mmsrarec.rankers.ensemble import leading as module
from mmsrarec.rankers.ensemble.interleaved import Interleaved, Restricted, nothing_last
from mmsrarec.rankers.ensemble.leading import leads, proposals

ITEMS = 25


class Drawn(RanksEverything):
    """Random scores with ties; some are NaN where that is asked for, some minus infinity."""

    name = "drawn"

    def __init__(self, seed: int, m: int, n_items: int = ITEMS, lacking: float = 0.0):
        rng = np.random.default_rng(seed)
        self.scores = rng.integers(-4, 5, (m, n_items)).astype(float)
        self.scores[rng.random((m, n_items)) < lacking] = np.nan
        self.scores[rng.random((m, n_items)) < lacking] = -np.inf

    def score(self, queries: Queries, candidates: IntArray | None) -> FloatArray:
        rows = self.scores[: len(queries)]
        return rows if candidates is None else np.take_along_axis(rows, candidates, axis=1)


def some_queries(rng: np.random.Generator, m: int, n_items: int) -> Queries:
    histories = tuple(rng.permutation(n_items)[: rng.integers(0, n_items // 2)] for _ in range(m))
    return Queries(np.arange(m), np.arange(m), np.full(m, -1), histories)


def rankers(seed: int, m: int, lacking: float):
    """Interleaved once and twice, restricted inside and outside, and a first generator that knows fewer items."""
    rng = np.random.default_rng(seed)
    masks = [rng.random(ITEMS) < share for share in (0.3, 0.5, 0.8)]
    one, two, three = (Drawn(seed + number, m, lacking=lacking) for number in range(3))
    inner = Interleaved(one, Restricted(two, masks[0]), int(rng.integers(2, 5)))
    yield inner
    yield Interleaved(Drawn(seed, m, ITEMS - 6, lacking), Restricted(two, masks[1]), 3)
    outer = Interleaved(inner, Restricted(three, masks[1]), int(rng.integers(2, 5)))
    yield outer
    yield Restricted(outer, masks[2])
    yield Interleaved(inner, Restricted(inner, masks[1]))  # as with what is asked for more of


@given(st.integers(0, 10_000), st.integers(1, 3), st.integers(0, ITEMS + 4), st.sampled_from([0.0, 0.3]))
@settings(max_examples=60, deadline=None)
def test_the_first_items_are_those_of_the_whole_order(seed, m, n, lacking):
    queries = some_queries(np.random.default_rng(seed), m, ITEMS)
    for ranker in rankers(seed, m, lacking):
        assert leads(ranker)
        expected = ordered(nothing_last(ranker.score(queries, None)))[0][:, :n]
        np.testing.assert_array_equal(ranker.leading(queries, n), expected)


@given(st.integers(0, 10_000), st.integers(1, 3), st.integers(1, ITEMS), st.sampled_from([0, 3]))
@settings(max_examples=60, deadline=None)
def test_proposals_are_the_first_that_may_be_recommended(seed, m, n, more):
    queries = some_queries(np.random.default_rng(seed), m, ITEMS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "MORE", more)
        for ranker in [Drawn(seed, m), *rankers(seed, m, 0.0)]:
            scores = unseen(ranker, queries)
            found = proposals(ranker, queries, n)
            assert found.shape == (m, n)
            for row, own in enumerate(scores):
                may = int(np.isfinite(own).sum())
                expected = ordered(own[None])[0][0]
                np.testing.assert_array_equal(found[row, :may], expected[: min(n, may)])
                assert len(np.unique(found[row])) == n  # and behind them what is left out, each once


def test_the_whole_catalogue_is_not_ordered_for_a_few(monkeypatch):
    ranker, asked = Restricted(next(rankers(1, 1, 0.0)), np.ones(ITEMS, dtype=bool)), []
    monkeypatch.setattr(module, "MORE", 2)
    inner = ranker.generator.leading
    monkeypatch.setattr(ranker.generator, "leading", lambda queries, n: asked.append(n) or inner(queries, n))
    nobody = Queries(np.array([-1]), np.array([9]), np.array([-1]), (np.array([], dtype=np.int64),))
    assert proposals(ranker, nobody, 3).shape == (1, 3)
    assert asked == [7]
