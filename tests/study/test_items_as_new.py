"""A missing feature is expected from items that were chosen as new items are, by content alone."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mmsrarec.data.dataset import FloatArray, IntArray
from mmsrarec.data.splits import Queries
from mmsrarec.rankers.base import CandidateGenerator
from mmsrarec.study.items_as_new import MAX_QUERIES, ItemsAsNew

ITEMS, N = 40, 5


@dataclass
class Fixed:
    """Scores that are given."""

    scores: FloatArray
    name: str = "fixed"
    logits: bool = True
    known: NDArray[np.bool_] = field(default_factory=lambda: np.ones(ITEMS, dtype=bool))

    def score(self, queries: Queries, candidates: IntArray | None) -> FloatArray:
        assert candidates is None
        return np.where(self.known, self.scores[: len(queries)], np.nan)


def queries_of(m: int) -> Queries:
    """Users who took item 0."""
    zeros = np.zeros(m, dtype=np.int64)
    return Queries(np.arange(m), zeros + 10, zeros + 1, tuple(np.array([0]) for _ in range(m)))


def of(by_content: CandidateGenerator | None, *, log: Fixed, words: Fixed, m: int = 3) -> ItemsAsNew:
    generators: dict[str, CandidateGenerator] = {"log": log, "content": Fixed(log.scores)}
    return ItemsAsNew.of(queries_of(m), generators, {"content": by_content} if by_content else {}, words, ITEMS, N)


def test_content_chooses_and_judges_the_items_as_if_they_were_new() -> None:
    rng = np.random.default_rng(0)
    log, content, words = (Fixed(rng.normal(size=(3, ITEMS))) for _ in range(3))
    log.known[7] = False
    found = of(content, log=log, words=words)
    scores = content.scores.copy()
    scores[:, [0, 7]] = -np.inf  # it was taken; the log does not know it
    best = np.argsort(-scores, axis=1)[:, :N]
    every = content.scores - np.log(np.exp(content.scores).sum(axis=1, keepdims=True))
    np.testing.assert_allclose(found.features["content"], np.take_along_axis(every, best, axis=1))
    known = np.where(log.known, log.scores, -np.inf)
    of_log = log.scores - np.log(np.exp(known).sum(axis=1, keepdims=True))
    np.testing.assert_allclose(found.features["log"], np.take_along_axis(of_log, best, axis=1))
    both = np.stack([found.features["log"].ravel(), found.features["content"].ravel()], axis=1)
    np.testing.assert_allclose(found.gaussian(["log", "content"]).mean, both.mean(axis=0))


def test_without_a_model_of_content_words_choose() -> None:
    rng = np.random.default_rng(1)
    log, words = Fixed(rng.normal(size=(3, ITEMS))), Fixed(rng.normal(size=(3, ITEMS)))
    words.scores[:, 0] = -9.0
    found = of(None, log=log, words=words)
    best = np.argsort(-words.scores, axis=1)[:, :N]
    of_log = log.scores - np.log(np.exp(log.scores).sum(axis=1, keepdims=True))
    np.testing.assert_allclose(found.features["log"], np.take_along_axis(of_log, best, axis=1))


def test_items_that_may_not_be_proposed_count_nothing_and_queries_are_limited() -> None:
    m = MAX_QUERIES + 3
    log = Fixed(np.zeros((m, ITEMS)))
    log.known[4:] = False  # items 1 to 3 are left beside the one that was taken
    found = of(None, log=log, words=Fixed(np.zeros((m, ITEMS))), m=m)
    assert found.features["log"].shape == (MAX_QUERIES, N)
    assert np.isfinite(found.features["log"]).sum() == 3 * MAX_QUERIES
