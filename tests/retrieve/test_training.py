"""Training: learns a rule, stops by validation, is the same for the same seed, learns nothing of what is held out."""

from copy import deepcopy

import numpy as np
import pytest
import torch
from bodies import tiny_body
from rounds import SMALL, rounds, same

from mmsrarec.data.splits import Queries, leave_one_out, queries_at, with_validation
from mmsrarec.errors import MmsrarecError
from mmsrarec.retrieve.encoder import new_model
from mmsrarec.retrieve.settings import ENCODERS, EncoderName, RetrieveSettings
from mmsrarec.retrieve.training import _batches, _follow, _loss, refit, train_encoder


def small(encoder: EncoderName = "sasrec", **changes) -> RetrieveSettings:
    return SMALL.model_copy(update={"encoder": encoder, **changes})


NOBODY = np.array([], dtype=int)
CONTENT = torch.eye(30, SMALL.content_size)
"""Every item is unlike the others; of no interest to models that know ids alone."""


@pytest.fixture(scope="module")
def split():
    return leave_one_out(rounds())


@pytest.mark.parametrize("name", ENCODERS)
def test_learns_the_rule(name):
    passes = 60 if name == "bert4rec" else 20  # it is asked for fewer items a pass
    assert hit_rate(small(name, epochs=passes)) > 0.95  # chance: 1 / 30


@pytest.mark.parametrize("how", [{"loss": "sampled", "negatives": 10}, {"logits_dtype": "bfloat16"}])
def test_learns_the_rule_by_a_cheaper_loss(how):
    assert hit_rate(small(**how, epochs=20)) > 0.95


def hit_rate(settings: RetrieveSettings) -> float:
    """How often the item ranked first is the one taken, after all passes: nobody is there to stop earlier."""
    split = leave_one_out(rounds(n_users=120))
    settings = settings.model_copy(update={"embedding_size": 32, "dropout": 0.0})
    learnt = train_encoder(
        split.train, queries_at(split.train, NOBODY), settings, seed=1, content=CONTENT, body=tiny_body()
    )
    return float((learnt.scores(split.test.history).argmax(1) == split.test.target).mean())


@pytest.mark.parametrize("name", ENCODERS)
def test_equal_seeds_give_equal_encoders_and_leave_the_global_state_alone(split, name):
    torch.manual_seed(123)
    state = torch.get_rng_state()
    few = small(name, epochs=3)
    first, again, other = (
        train_encoder(split.train, split.valid, few, seed, content=CONTENT, body=tiny_body()) for seed in (0, 0, 9)
    )
    assert same(first, again)
    assert torch.equal(state, torch.get_rng_state())
    assert not same(first, other)


def test_stops_by_validation_and_keeps_the_best_pass(split):
    seen = []
    settings = small(epochs=60, patience=2)
    stopped = train_encoder(split.train, split.valid, settings, 0, lambda *told: seen.append(told))
    ndcg = [value for _, _, value in seen]
    best = int(np.argmax(ndcg)) + 1
    assert len(seen) == best + 2 < 60
    assert stopped.curve == tuple((loss, value) for _, loss, value in seen)
    # trained for exactly that many passes, it is the same encoder
    assert same(stopped, train_encoder(split.train, split.valid, settings.model_copy(update={"epochs": best}), 0))


def test_the_average_moves_its_share_towards_the_weights():
    before, weights = (new_model(30, SMALL).reset(torch.Generator().manual_seed(seed)) for seed in (0, 1))
    averaged = deepcopy(before).requires_grad_(False)
    _follow(averaged, weights, 0.25)
    for mean, old, new in zip(averaged.parameters(), before.parameters(), weights.parameters(), strict=True):
        torch.testing.assert_close(mean, 0.75 * old + 0.25 * new)
        assert not mean.requires_grad


def test_a_pass_of_one_step_is_kept_whole(split):
    """Nothing is averaged away where there is nothing to average: Adam's first step is as long as its rate."""
    one = small(epochs=1, batch_size=10_000, dropout=0.0)
    trained = train_encoder(split.train, queries_at(split.train, NOBODY), one, seed=0).model
    untrained = new_model(30, one).reset(torch.Generator().manual_seed(0))
    assert (trained.items.weight - untrained.items.weight).abs().max().item() == pytest.approx(
        one.learning_rate, rel=0.05
    )


def test_a_sample_of_more_items_comes_nearer_to_the_whole_softmax():
    interactions = rounds(n_items=400)
    model = new_model(400, SMALL).reset(torch.Generator().manual_seed(0)).eval()
    with torch.no_grad():
        model.items.weight.mul_(10)  # scores that differ
    items = next(_batches(interactions, small(batch_size=200), model.pad, np.random.default_rng(0)))

    def loss(negatives: int) -> float:
        settings, rng = small(loss="sampled", negatives=negatives), np.random.default_rng(1)
        return float(np.mean([_loss(model, items, settings, rng).item() for _ in range(40)]))

    whole = _loss(model, items, SMALL, np.random.default_rng(0)).item()
    assert loss(400) == pytest.approx(whole, abs=1e-5)
    far, near, nearest = (abs(loss(negatives) - whole) for negatives in (4, 40, 380))
    assert far > near > nearest
    assert nearest < 0.01 < far


def test_every_event_is_a_target_once_a_pass_also_of_long_histories():
    interactions = rounds(n_users=3, n_items=50, length=45)
    rng = np.random.default_rng(0)
    passes = [list(_batches(interactions, SMALL, pad=50, rng=rng)) for _ in range(2)]
    for batches in passes:
        targets = np.concatenate([b[b != 50] for b in batches])
        np.testing.assert_array_equal(np.bincount(targets, minlength=50), interactions.counts)
        assert all(b.shape[1] <= SMALL.max_length + 1 and (b[:, 0] < 50).all() for b in batches)
    firsts = [sorted(row[0] for b in batches for row in b) for batches in passes]
    assert firsts[0] != firsts[1]  # cut at other places


@pytest.mark.parametrize("name", ["sasrec", "bert4rec"])
def test_every_place_is_trained(name):
    split = leave_one_out(rounds(n_users=20, length=45))
    untrained = new_model(30, small(name)).reset(torch.Generator().manual_seed(0))
    trained = train_encoder(split.train, split.valid, small(name, epochs=1, weight_decay=0), seed=0).model
    moved = (trained.state_dict()["positions.weight"] - untrained.state_dict()["positions.weight"]).abs().amax(1)
    assert moved.shape == (SMALL.max_length + 1,)
    assert (moved > 1e-3).all()


@pytest.mark.parametrize("name", ENCODERS)
def test_nothing_of_validation_is_learnt(split, name):
    """The targets of validation choose when to stop; with the stop fixed, they change no weight."""
    wrong = Queries(split.valid.user, split.valid.time, (split.valid.target + 5) % 30, split.valid.history)
    one = small(name, epochs=1)
    right, other = (
        train_encoder(split.train, valid, one, 0, content=CONTENT, body=tiny_body()) for valid in (split.valid, wrong)
    )
    assert same(right, other)


def test_works_without_validation_and_refuses_no_events(split):
    nobody = queries_at(split.train, NOBODY)
    assert len(train_encoder(split.train, nobody, small(epochs=2), 0).curve) == 2
    with pytest.raises(MmsrarecError, match="no training events"):
        train_encoder(split.train.where(np.zeros(len(split.train), bool)), nobody, SMALL, 0)


def test_trained_anew_it_knows_the_validation_events_and_no_more(split):
    chosen = train_encoder(split.train, split.valid, small(epochs=6, patience=2), 0)
    known = with_validation(split, rounds())
    again = refit(chosen, known, 0)
    assert len(again.curve) == chosen.best_pass
    assert same(again, train_encoder(known, queries_at(known, NOBODY), small(epochs=chosen.best_pass, patience=2), 0))
    assert not same(again, chosen)
