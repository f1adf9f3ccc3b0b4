"""The ridge finds tastes that the content tells, and none where it tells nothing."""

import numpy as np
import pytest
from taste_ceiling import TasteRidge

from mmsrarec.data.dataset import make_interactions
from mmsrarec.data.splits import Queries


@pytest.fixture(scope="module")
def world():
    """Users who take what points their way in four dimensions, from 200 known items; 50 items are new."""
    rng = np.random.default_rng(0)
    content, taste = rng.normal(size=(250, 4)), rng.normal(size=(30, 4))
    known = np.arange(250) < 200
    likes = taste @ content.T > 1
    user, item = np.nonzero(likes & known)
    log = make_interactions(user, item, np.arange(len(user)), 30, 250)
    return content.astype(np.float32), likes, known, log


def accuracy(ranker: TasteRidge, likes: np.ndarray, known: np.ndarray) -> float:
    """The share of (liked, not liked) pairs of new items in the right order."""
    none = np.zeros(0, dtype=np.int64)
    queries = Queries(np.arange(30), np.zeros(30, dtype=np.int64), np.full(30, -1), (none,) * 30)
    scores = ranker.score(queries, None)[:, ~known]
    new = likes[:, ~known]
    pairs = [(row[own][:, None] > row[~own]).mean() for row, own in zip(scores, new, strict=True) if 0 < own.sum() < 50]
    return float(np.mean(pairs))


def test_taste_that_the_content_tells_is_found(world) -> None:
    content, likes, known, log = world
    assert accuracy(TasteRidge(content, log, known, 1.0), likes, known) > 0.9


def test_content_of_other_items_tells_nothing(world) -> None:
    content, likes, known, log = world
    other = content[np.random.default_rng(1).permutation(250)]
    assert 0.4 < accuracy(TasteRidge(other, log, known, 1.0), likes, known) < 0.6


def test_new_items_teach_nothing(world) -> None:
    content, _, known, log = world
    changed = content.copy()
    changed[~known] *= 7
    one, other = (TasteRidge(rows, log, known, 3.0) for rows in (content, changed))
    np.testing.assert_allclose(one.weights, other.weights)


def test_a_score_is_the_same_among_candidates_and_among_all(world) -> None:
    content, _, known, log = world
    ranker = TasteRidge(content, log, known, 3.0)
    queries = Queries(np.array([4, 9]), np.zeros(2, dtype=np.int64), np.array([0, 1]), (np.arange(2),) * 2)
    candidates = np.array([[5, 200, 249], [0, 1, 2]])
    every = ranker.score(queries, None)
    assert every.shape == (2, 250)
    np.testing.assert_array_equal(ranker.score(queries, candidates), np.take_along_axis(every, candidates, axis=1))


def test_a_strong_penalty_leaves_the_share_of_items_that_a_user_took(world) -> None:
    content, likes, known, log = world
    ranker = TasteRidge(content, log, known, 1e12)
    queries = Queries(np.array([4]), np.zeros(1, dtype=np.int64), np.array([0]), (np.arange(2),))
    assert ranker.score(queries, None)[0] == pytest.approx(likes[4, known].mean(), abs=1e-6)
