"""The rows that stage 2 gives the table: the encoder's scores, and the neighbours' votes."""

import numpy as np
import pytest

from mmsrarec.data.dataset import make_interactions
from mmsrarec.data.splits import leave_one_out
from mmsrarec.rankers.neighbours_only import NeighboursOnly
from mmsrarec.rankers.sequence_model import SequenceModelRanker
from mmsrarec.retrieve.neighbours import Neighbours
from mmsrarec.retrieve.settings import RetrieveSettings
from mmsrarec.retrieve.training import train_encoder

N_USERS, N_ITEMS = 60, 50


@pytest.fixture(scope="module")
def run_view():
    """Everyone goes round the items, from a place and at a time of their own."""
    user, step = np.repeat(np.arange(N_USERS), 12), np.tile(np.arange(12), N_USERS)
    split = leave_one_out(make_interactions(user, (user * 7 + step) % N_ITEMS, user * 5 + step * 2, N_USERS, N_ITEMS))
    tiny = RetrieveSettings(
        embedding_size=16, n_layers=1, max_length=6, learning_rate=0.01, batch_size=64, epochs=30, dropout=0.0
    )
    return split, train_encoder(split.train, split.valid, tiny, seed=0)


@pytest.fixture(params=["sasrec", "neighbours-only"])
def row(request, run_view):
    split, encoder = run_view
    if request.param == "sasrec":
        return SequenceModelRanker(encoder)
    return NeighboursOnly(split.train, Neighbours(split.train, encoder), n_next=2, k=10)


def test_shapes_and_name(row, run_view, request):
    queries = run_view[0].test
    assert row.name in request.node.name
    assert row.score(queries, None).shape == (N_USERS, N_ITEMS)
    assert np.isfinite(row.score(queries, None)).all()
    nobody = queries.pick(np.array([], int))
    assert row.score(nobody, None).shape == (0, N_ITEMS)
    assert row.score(nobody, np.zeros((0, 3), int)).shape == (0, 3)


def test_candidates_pick_from_the_full_ranking_in_any_order(row, run_view):
    queries = run_view[0].test
    candidates = np.random.default_rng(0).permuted(np.tile(np.arange(N_ITEMS), (N_USERS, 1)), axis=1)[:, :6]
    full = np.take_along_axis(row.score(queries, None), candidates, axis=1)
    np.testing.assert_allclose(row.score(queries, candidates), full, atol=1e-4)
    np.testing.assert_allclose(row.score(queries, candidates[:, ::-1]), full[:, ::-1], atol=1e-4)


def test_a_user_alone_gets_the_same_scores(row, run_view):
    queries = run_view[0].test
    together = row.score(queries, None)
    alone = np.concatenate([row.score(queries.pick(np.array([i])), None) for i in range(5)])
    np.testing.assert_allclose(alone, together[:5], atol=1e-4)


def test_finds_the_rule_of_the_world(row, run_view):
    queries = run_view[0].test.pick(np.arange(30, N_USERS))  # the first ones have too few before them
    top = row.score(queries, None).argmax(1)
    assert (top == queries.target).mean() > 0.6  # chance: 1 / 50


def test_the_answer_is_not_looked_at(row, run_view):
    queries = run_view[0].test
    shuffled = queries.pick(np.arange(N_USERS))
    shuffled.target[:] = np.random.default_rng(0).permutation(shuffled.target)
    np.testing.assert_array_equal(row.score(shuffled, None), row.score(queries, None))
