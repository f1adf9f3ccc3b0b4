"""Training prompts are those of one part of the users, drawn by the seed; the sequence models do not see that part."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from rounds import SMALL, rounds, same

from mmsrarec.data.dataset import Interactions, make_interactions
from mmsrarec.data.splits import leave_one_out
from mmsrarec.recommend.soft.cross_fitting import held_out_users
from mmsrarec.retrieve.encoder import Encoder
from mmsrarec.retrieve.training import refit, train_encoder

FOLDS, SEED = 3, 0


@given(st.integers(2, 20), st.integers(0, 1000))
def test_about_one_user_in_so_many_is_held_out(folds: int, seed: int) -> None:
    held_out = held_out_users(4000, folds, seed)
    assert held_out.shape == (4000,)
    share = 1 / folds
    assert abs(held_out.mean() - share) < 5 * np.sqrt(share * (1 - share) / 4000)


def test_the_seed_decides_who() -> None:
    first, again, other = (held_out_users(500, 4, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_a_user_who_joins_moves_nobody() -> None:
    np.testing.assert_array_equal(held_out_users(500, 4, 1), held_out_users(501, 4, 1)[:500])


def trained_without(log: Interactions, before: Encoder) -> Encoder:
    return refit(before, log.where(~held_out_users(log.n_users, FOLDS, SEED)[log.user]), SEED)


def test_a_model_that_never_saw_them_is_the_same_whatever_they_did() -> None:
    split = leave_one_out(rounds())
    log, held_out = split.train, held_out_users(split.train.n_users, FOLDS, SEED)
    before = train_encoder(log, split.valid, SMALL.model_copy(update={"epochs": 2}), seed=0)
    changed = [
        np.where(users[log.user], (log.item + 11) % log.n_items, log.item)
        for users in (held_out, np.arange(log.n_users) == np.flatnonzero(~held_out)[0])
    ]
    others, own = (make_interactions(log.user, items, log.time, log.n_users, log.n_items) for items in changed)
    whole = trained_without(log, before)
    assert same(trained_without(others, before), whole)
    assert not same(trained_without(own, before), whole)
    assert not same(refit(before, log, SEED), whole)
