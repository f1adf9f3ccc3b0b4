"""Training examples are drawn as published: negatives that nobody's history holds, at places that tell nothing."""

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from world import make_log

from mmsrarec.data.dataset import IntArray, Interactions, make_interactions
from mmsrarec.recommend.training.training_samples import HARD_NEGATIVE_POOL, draw_hard_negatives, sample_training

LOG = make_log(np.random.default_rng(0))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 8))
def test_training_examples_are_lawful(seed: int, negatives: int) -> None:
    log = make_log(np.random.default_rng(seed), n_users=10, n_items=20, length=5)
    queries, candidates, place = sample_training(log, 15, negatives, np.random.default_rng(seed))
    assert candidates.shape == (15, negatives + 1)
    for row in range(15):
        taken = log.items_of(int(queries.user[row]))
        others = np.delete(candidates[row], place[row])
        assert candidates[row, place[row]] == queries.target[row]
        assert not np.isin(others, taken).any()
        assert len(set(others)) == negatives
        assert len(queries.history[row]) >= 1
        np.testing.assert_array_equal(taken[: len(queries.history[row])], queries.history[row])


def test_what_training_never_shows_is_no_negative() -> None:
    """Or the model would learn that new items are not wanted: they can never be the positive."""
    log = make_log(np.random.default_rng(0), n_users=10, n_items=20, length=5)
    wider = Interactions(log.user, log.item, log.time, log.n_users, 40)  # twenty items that nobody took
    _, candidates, _ = sample_training(wider, 60, 5, np.random.default_rng(0))
    assert set(np.unique(candidates)) <= set(np.flatnonzero(wider.counts))


def test_as_many_negatives_are_new_as_positives() -> None:
    """Of items that appear one after the other, most lie ahead of an early query; that must not count against them."""
    rng = np.random.default_rng(0)
    users, time = np.repeat(np.arange(60), 20), np.tile(np.arange(20), 60) * 60 + np.repeat(np.arange(60), 20)
    log = make_interactions(users, (time // 12 + rng.integers(0, 40, len(time))) % 160, time, 60, 160)
    queries, candidates, place = sample_training(log, 4000, 5, rng)
    first = np.full(log.n_items, log.time.max() + 1)
    np.minimum.at(first, log.item, log.time)
    is_new = first[candidates] >= queries.time[:, None]
    positives = is_new[np.arange(4000), place].mean()
    others = (is_new.sum() - is_new[np.arange(4000), place].sum()) / (4000 * 5)
    everything = (first >= queries.time[:, None]).mean()
    assert 0.05 < positives < everything - 0.1  # or the example says nothing
    assert others == pytest.approx(positives, abs=0.03)
    queries, candidates, place = sample_training(log, 4000, 5, rng, matched=False)
    uniform = first[np.delete(candidates.ravel(), np.arange(4000) * 6 + place)] >= np.repeat(queries.time, 5)
    free = [np.setdiff1d(np.flatnonzero(log.counts), log.items_of(int(user))) for user in queries.user]
    ahead = [(first[items] >= time).mean() for items, time in zip(free, queries.time, strict=True)]
    assert uniform.mean() == pytest.approx(np.mean(ahead), abs=0.02)


def test_users_queries_and_places_are_drawn_uniformly() -> None:
    lengths = np.array([2, 5, 9, 1, 3])  # the fourth has no past to speak of
    log = make_interactions(
        np.repeat(np.arange(5), lengths),
        np.concatenate([np.arange(n) for n in lengths]),
        np.arange(lengths.sum()),
        5,
        20,
    )
    queries, _, place = sample_training(log, 8000, 3, np.random.default_rng(0))
    users = np.bincount(queries.user, minlength=5)
    assert users[3] == 0
    assert np.abs(users[[0, 1, 2, 4]] - 2000).max() < 5 * np.sqrt(2000)
    assert np.abs(np.bincount(place, minlength=4) - 2000).max() < 5 * np.sqrt(2000)
    past = np.bincount([len(h) for h, user in zip(queries.history, queries.user, strict=True) if user == 2])
    assert np.abs(past[1:] - users[2] / 8).max() < 5 * np.sqrt(users[2] / 8)
    assert past[0] == 0


def test_examples_follow_from_the_seed() -> None:
    a, b, c = (sample_training(LOG, 20, 4, np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(a[1], b[1])
    assert not np.array_equal(a[1], c[1])


def test_late_queries_are_drawn_by_the_recency_power() -> None:
    """With power 1 the query at share x comes as often as x: of ten queries of one user, the k-th 2k - 1 times."""
    log = make_interactions(np.zeros(11, dtype=int), np.arange(11), np.arange(11), 1, 20)
    queries, _, _ = sample_training(log, 20_000, 1, np.random.default_rng(0), recency_power=1.0)
    drawn = np.bincount([len(history) for history in queries.history], minlength=11)[1:]
    expected = 200 * (2 * np.arange(10) + 1)
    assert (np.abs(drawn - expected) < 5 * np.sqrt(expected)).all()


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 6), st.floats(0, 0.99))
def test_hard_negatives_are_the_highest_that_were_never_consumed(seed: int, negatives: int, share: float) -> None:
    rng = np.random.default_rng(seed)
    log = make_log(rng, n_users=10, n_items=HARD_NEGATIVE_POOL + 60, length=5)
    log = Interactions(log.user, log.item, log.time, log.n_users, log.n_items + 3)  # three that training never shows
    queries, candidates, place = sample_training(log, 12, negatives, rng)
    scores = rng.normal(size=(12, log.n_items))
    before = candidates.copy()
    hardened, log_rates = draw_hard_negatives(log, queries, candidates, place, lambda histories: scores, share, rng)
    np.testing.assert_array_equal(candidates, before)
    for row in range(12):
        assert hardened[row, place[row]] == queries.target[row]
        others = np.delete(hardened[row], place[row])
        free = np.setdiff1d(np.flatnonzero(log.counts), log.items_of(int(queries.user[row])))
        assert len(set(others)) == negatives
        assert set(others) <= set(free)
        highest = free[np.argsort(-scores[row, free])][:HARD_NEGATIVE_POOL]
        assert np.isin(hardened[row][hardened[row] != before[row]], highest).all()
        is_high = scores[row, hardened[row]] >= scores[row, highest].min()
        rate = 1 + share / (1 - share) * len(free) / len(highest)
        np.testing.assert_allclose(log_rates[row], np.where(is_high, np.log(rate), 0), rtol=1e-5)


def test_recency_power_is_off_by_default() -> None:
    queries, _, place = sample_training(LOG, 3, 4, np.random.default_rng(7))
    rng = np.random.default_rng(7)
    lengths = np.diff(LOG.offsets)
    users = rng.choice(np.flatnonzero(lengths >= 2), 3)
    rows = LOG.offsets[users] + 1 + (rng.random(3) * (lengths[users] - 1)).astype(np.int64)
    np.testing.assert_array_equal(queries.target, LOG.item[rows])
    np.testing.assert_array_equal(place, rng.integers(0, 5, 3))


def test_the_rates_undo_that_high_items_are_drawn_more_often() -> None:
    """Where what is consumed next has nothing to do with the scores, the best logit is the same for high items."""
    rng, n_items = np.random.default_rng(0), 400
    user = np.repeat(np.arange(4000), 2)
    log = make_interactions(user, rng.integers(0, n_items, len(user)), np.arange(len(user)), 4000, n_items)
    queries, candidates, place = sample_training(log, 4000, 6, rng)
    scores = rng.normal(size=(len(queries), n_items))
    numbers = iter(range(0, len(queries), 512))

    def of(histories: Sequence[IntArray]) -> NDArray[np.floating]:
        start = next(numbers)
        return scores[start : start + len(histories)]

    _, log_rates = draw_hard_negatives(log, queries, candidates, place, of, 0.5, rng)
    high = torch.as_tensor(log_rates > 0)
    assert high.float().mean() > 0.5
    places, rates = torch.as_tensor(place), torch.as_tensor(log_rates)

    def best_weight(offsets: torch.Tensor) -> float:
        """The logit of standing high that makes the positives likeliest."""
        weights = torch.linspace(-4, 4, 161)
        losses = [torch.nn.functional.cross_entropy(weight * high - offsets, places) for weight in weights]
        return float(weights[torch.stack(losses).argmin()])

    assert best_weight(torch.zeros_like(rates)) < -1
    assert abs(best_weight(rates)) < 0.2
