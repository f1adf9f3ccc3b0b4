"""The encoder: learns a rule, stops by validation, gives a moment the vector of its own last items."""

import numpy as np
import pytest
import torch

from mmsrarec.data.dataset import Events, make_events
from mmsrarec.data.split import Moments, leave_one_out, moments_at
from mmsrarec.errors import MmsrarecError
from mmsrarec.retrieve.encode import Encoder, _batches, train_encoder
from mmsrarec.retrieve.settings import RetrieveSettings

SMALL = RetrieveSettings(dims=16, blocks=1, length=8, lr=0.01, batch=64, epochs=12, patience=3, dropout=0.1)


def rounds(n_users: int = 60, n_items: int = 30, length: int = 11) -> Events:
    """A world whose rule is known: everyone takes item + 1 next, from a place of their own."""
    user = np.repeat(np.arange(n_users), length)
    step = np.tile(np.arange(length), n_users)
    return make_events(user, (user + step) % n_items, step * 100 + user, n_users, n_items)


@pytest.fixture(scope="module")
def split():
    return leave_one_out(rounds())


@pytest.fixture(scope="module")
def encoder(split) -> Encoder:
    return train_encoder(split.train, split.valid, SMALL, seed=0)


def same(a: Encoder, b: Encoder) -> bool:
    return all(
        torch.equal(x, y) for x, y in zip(a.model.state_dict().values(), b.model.state_dict().values(), strict=True)
    )


@pytest.mark.parametrize("loss", ["softmax", "sampled"])
def test_learns_the_rule(split, loss):
    settings = SMALL.model_copy(update={"loss": loss, "negatives": 10, "epochs": 30, "patience": 10})
    learnt = train_encoder(split.train, split.valid, settings, seed=1)
    assert (learnt.scores(split.test.history).argmax(1) == split.test.target).mean() > 0.7  # chance: 1 / 30


def test_equal_seeds_give_equal_encoders_and_leave_the_global_state_alone(split, encoder):
    torch.manual_seed(123)
    state = torch.get_rng_state()
    assert same(encoder, train_encoder(split.train, split.valid, SMALL, seed=0))
    assert torch.equal(state, torch.get_rng_state())
    assert not same(encoder, train_encoder(split.train, split.valid, SMALL, seed=9))


def test_stops_by_validation_and_keeps_the_best_pass(split):
    seen = []
    settings = SMALL.model_copy(update={"epochs": 60, "patience": 2})
    stopped = train_encoder(split.train, split.valid, settings, 0, lambda *told: seen.append(told))
    ndcg = [value for _, _, value in seen]
    best = int(np.argmax(ndcg)) + 1
    assert len(seen) == best + 2 < 60
    assert stopped.curve == tuple((loss, value) for _, loss, value in seen)
    # trained for exactly that many passes, it is the same encoder
    assert same(stopped, train_encoder(split.train, split.valid, settings.model_copy(update={"epochs": best}), 0))


@pytest.mark.parametrize("n", [0, 1, 3, 8])
def test_a_moment_has_the_vector_of_one_causal_pass(encoder, n):
    history = np.arange(n)
    tokens = torch.tensor([[encoder.n_items, *np.arange(8)]])
    with torch.no_grad():
        whole = encoder.model(tokens)[0, n].numpy()
    np.testing.assert_allclose(encoder.encode([history])[0], whole, atol=1e-5)


def test_a_long_history_is_read_from_its_end(encoder):
    tail = np.array([5, 3, 1, 0, 2, 4, 6, 7])
    a, b, c = encoder.encode([np.append([9, 9, 9], tail), tail, np.append(9, tail[1:])])
    np.testing.assert_array_equal(a, b)
    assert np.abs(a - c).max() > 1e-3


def test_a_history_alone_and_in_a_crowd_have_the_same_vector(encoder, split):
    crowd = encoder.encode(split.valid.history)
    alone = np.concatenate([encoder.encode([h]) for h in split.valid.history])
    np.testing.assert_allclose(crowd, alone, atol=1e-5)
    order = np.random.default_rng(0).permutation(len(crowd))
    np.testing.assert_array_equal(encoder.encode([split.valid.history[i] for i in order]), crowd[order])


def test_empty_and_unknown_histories_work(encoder):
    empty, unknown, mixed, known = encoder.encode(
        [np.array([], int), np.array([-1, -1]), np.array([3, -1, 99]), np.array([3])]
    )
    np.testing.assert_array_equal(empty, unknown)
    np.testing.assert_array_equal(mixed, known)
    assert np.isfinite(encoder.scores([np.array([], int)])).all()
    assert encoder.encode([]).shape == (0, 16)
    assert encoder.scores([]).shape == (0, 30)


def test_saved_and_loaded_it_says_the_same(encoder, split, tmp_path):
    encoder.save(tmp_path)
    loaded = Encoder.load(tmp_path)
    assert (loaded.settings, loaded.curve, loaded.n_items) == (encoder.settings, encoder.curve, 30)
    np.testing.assert_array_equal(loaded.scores(split.test.history), encoder.scores(split.test.history))
    with pytest.raises(MmsrarecError, match="run stage 2"):
        Encoder.load(tmp_path / "nowhere")


def test_every_event_is_a_target_once_a_pass_also_of_long_histories():
    events = rounds(n_users=3, n_items=50, length=45)
    rng = np.random.default_rng(0)
    passes = [list(_batches(events, SMALL, start=50, rng=rng)) for _ in range(2)]
    for batches in passes:
        targets = np.concatenate([b[:, 1:][b[:, 1:] != 50] for b in batches])
        np.testing.assert_array_equal(np.bincount(targets, minlength=50), events.counts)
        assert all(b.shape[1] <= SMALL.length + 1 and (b[:, 0] == 50).all() for b in batches)
    firsts = [sorted(row[1] for b in batches for row in b) for batches in passes]
    assert firsts[0] != firsts[1]  # cut at other places


def test_nothing_of_validation_is_learnt(split):
    """The targets of validation choose when to stop; with the stop fixed, they change no weight."""
    settings = SMALL.model_copy(update={"epochs": 1})
    wrong = Moments(split.valid.user, split.valid.time, (split.valid.target + 5) % 30, split.valid.history)
    assert same(train_encoder(split.train, split.valid, settings, 0), train_encoder(split.train, wrong, settings, 0))


def test_works_without_validation_and_refuses_no_events(split):
    nobody = moments_at(split.train, np.array([], dtype=int))
    assert len(train_encoder(split.train, nobody, SMALL.model_copy(update={"epochs": 2}), 0).curve) == 2
    with pytest.raises(MmsrarecError, match="no training events"):
        train_encoder(split.train.where(np.zeros(len(split.train), bool)), nobody, SMALL, 0)


def test_settings_refuse_what_cannot_work():
    with pytest.raises(ValueError, match="must divide"):
        RetrieveSettings(dims=10, heads=3)
    with pytest.raises(ValueError, match="Extra inputs"):
        RetrieveSettings.model_validate({"dimensions": 3})
    assert RetrieveSettings.model_validate({"keywords": 24, "k": 2}) == RetrieveSettings(k=2)  # an earlier run's
