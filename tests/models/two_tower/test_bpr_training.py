"""Training by BPR: histories before an interaction, negatives, and that it learns."""

import numpy as np
import torch

from mmsrarec.data.dataset import make_interactions
from mmsrarec.models.two_tower.bpr_training import (
    BprTraining,
    draw_negatives,
    histories_before,
    new_towers,
    train_towers,
)
from mmsrarec.models.two_tower.towers import ABSENT, FactorTowers
from mmsrarec.testing import checkerboard, tiny_log

LOG = make_interactions(
    np.array([0, 0, 0, 2, 2]), np.array([5, 6, 7, 8, 9]), np.arange(5), 3, 10
)  # user 1 consumed nothing
HOW = BprTraining(epochs=20, batch_size=32, learning_rate=0.02, l2=0.0, max_length=10, user_dropout=0.5)


def towers(log, seed: int = 0) -> FactorTowers:
    return new_towers(lambda: FactorTowers(log.n_users, log.counts > 0, 8, None, 0), seed)


def test_a_history_holds_what_came_before_and_nothing_of_others() -> None:
    rows = np.arange(5)
    before = histories_before(LOG, rows, 2)
    assert before.tolist() == [[ABSENT, ABSENT], [ABSENT, 5], [5, 6], [ABSENT, ABSENT], [ABSENT, 8]]


def test_the_leak_reads_all_of_the_user() -> None:
    assert histories_before(LOG, np.array([0, 3]), 4, whole=True).tolist() == [
        [ABSENT, 5, 6, 7],
        [ABSENT, ABSENT, 8, 9],
    ]


def test_negatives_are_known_items_that_the_user_did_not_consume() -> None:
    log, rng = tiny_log().with_items(50), np.random.default_rng(0)
    consumed = np.sort(log.user * log.n_items + log.item)
    drawn = draw_negatives(log, log.user, np.flatnonzero(log.counts), consumed, rng)
    assert not np.isin(log.user * log.n_items + drawn, consumed).any()
    assert drawn.max() < 40
    assert len(set(drawn.tolist())) > 30


def test_somebody_who_consumed_everything_ends_the_draw() -> None:
    log = make_interactions(np.zeros(3, int), np.arange(3), np.arange(3), 1, 3)
    drawn = draw_negatives(log, log.user, np.arange(3), np.arange(3), np.random.default_rng(0))
    assert drawn.shape == (3,)


def test_the_loss_falls_and_equal_seeds_are_equal() -> None:
    log = checkerboard()
    first, second, other = towers(log), towers(log), towers(log, seed=1)
    before = torch.random.get_rng_state()
    losses = train_towers(first, log, HOW, seed=3)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert losses[-1] < 0.5 * losses[0]
    assert losses == train_towers(second, log, HOW, seed=3)
    assert losses != train_towers(other, log, HOW, seed=3)
    for name, array in first.arrays().items():
        np.testing.assert_array_equal(array, second.arrays()[name])


def test_a_log_without_interactions_leaves_towers_as_they_are() -> None:
    log = make_interactions(np.empty(0, int), np.empty(0, int), np.empty(0, int), 2, 3)
    assert train_towers(towers(log), log, HOW, seed=0) == []
