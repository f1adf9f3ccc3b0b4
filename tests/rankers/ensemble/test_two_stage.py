"""Re-ranking orders what was proposed and leaves the rest behind it, in the candidate generator's order."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mmsrarec.data.dataset import FloatArray, IntArray
from mmsrarec.data.splits import Queries
from mmsrarec.rankers.ensemble.two_stage import Reranked

ITEMS = 12


class Fixed:
    """Scores that were drawn once; tells what it was asked."""

    def __init__(self, name: str, scores: FloatArray):
        self.name, self.scores = name, scores
        self.asked: list[IntArray | None] = []

    def score(self, queries: Queries, candidates: IntArray | None) -> FloatArray:
        self.asked.append(candidates)
        rows = self.scores[: len(queries)]
        return rows if candidates is None else np.take_along_axis(rows, candidates, axis=1)


def setup(seed: int, n: int, histories: list[list[int]]) -> tuple[Reranked, Queries, Fixed, Fixed]:
    rng, m = np.random.default_rng(seed), len(histories)
    generator = Fixed("cheap", rng.integers(-5, 5, (m, ITEMS)).astype(float))  # with ties
    ranker = Fixed("dear", rng.random((m, ITEMS)))
    queries = Queries(np.arange(m), np.arange(m), np.full(m, -1), tuple(np.array(h, dtype=int) for h in histories))
    return Reranked("both", generator, ranker, n), queries, generator, ranker


@given(
    st.integers(0, 999),
    st.integers(1, 6),
    st.lists(st.lists(st.integers(0, ITEMS - 1), max_size=6, unique=True), min_size=1, max_size=4),
)
def test_the_laws_of_reranking(seed: int, n: int, histories: list[list[int]]) -> None:
    both, queries, generator, ranker = setup(seed, n, histories)
    scores, proposed = both.score(queries, None), both.proposals(queries)
    assert scores.shape == (len(histories), ITEMS)
    for row, history in enumerate(histories):
        free = np.setdiff1d(np.arange(ITEMS), history)
        cheap = generator.scores[row]
        assert len(set(proposed[row])) == n
        assert not set(proposed[row]) & set(history)
        rest = np.setdiff1d(free, proposed[row])
        assert cheap[proposed[row]].min() >= cheap[rest].max(initial=-np.inf)
        np.testing.assert_array_equal(scores[row, proposed[row]], ranker.scores[row, proposed[row]])
        assert scores[row, proposed[row]].min() > scores[row, rest].max(initial=-9)
        order = rest[np.argsort(-scores[row, rest])]
        assert (np.diff(cheap[order]) <= 0).all()
        assert len(set(scores[row, rest])) == len(rest)
        if len(rest):
            assert scores[row, rest].min() > scores[row, history].max(initial=-9)


def test_named_candidates_go_to_the_ranker() -> None:
    both, queries, generator, ranker = setup(0, 3, [[1], [2]])
    candidates = np.array([[1, 4], [2, 0]])
    np.testing.assert_array_equal(both.score(queries, candidates), np.take_along_axis(ranker.scores, candidates, 1))
    assert not generator.asked


def test_the_proposers_scores_are_not_written_to() -> None:
    both, queries, generator, _ = setup(0, 3, [[1], [2]])
    before = generator.scores.copy()
    both.score(queries, None)
    np.testing.assert_array_equal(generator.scores, before)
