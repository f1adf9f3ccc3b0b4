"""Popularity in words: others only, the past only."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmsrarec.data.dataset import make_interactions
from mmsrarec.data.splits import Queries, queries_at
from mmsrarec.errors import MmsrarecError
from mmsrarec.retrieve.signals import popularity_levels
from mmsrarec.retrieve.signals.popularity_levels import LEVELS, WORDS, counts, levels


def random_interactions(seed: int):
    rng = np.random.default_rng(seed)
    return make_interactions(rng.integers(8, size=80), rng.integers(5, size=80), rng.integers(20, size=80), 8, 5)


def at(user: int, time: int) -> Queries:
    return Queries(np.array([user]), np.array([time]), np.array([-1]), (np.array([], int),))


EVERYTHING = np.arange(5)


@given(st.integers(0, 10_000))
@settings(max_examples=30, deadline=None)
def test_counts_others_before_the_moment(seed):
    interactions = random_interactions(seed)
    queries = queries_at(interactions, np.arange(len(interactions)))
    taken, most = counts(interactions, queries, np.tile(EVERYTHING, (len(interactions), 1)))
    for i in range(len(interactions)):
        by_others = (interactions.user != queries.user[i]) & (interactions.time < queries.time[i])
        expected = [np.sum(by_others & (interactions.item == code)) for code in range(5)]
        np.testing.assert_array_equal(taken[i], expected)
        assert most[i] == max(expected)


def test_the_guards_matter(monkeypatch):
    """The count without the clock, and with the user's own interactions, is another one."""
    interactions = random_interactions(0)
    queries = queries_at(interactions, np.arange(len(interactions)))
    everything = np.tile(EVERYTHING, (len(interactions), 1))
    right, _ = counts(interactions, queries, everything)
    nobody = Queries(np.full(len(interactions), -1), queries.time, queries.target, queries.history)
    assert (counts(interactions, nobody, everything)[0] > right).any()
    monkeypatch.setattr(popularity_levels, "query_times", lambda m: np.full(len(m), 99))
    assert (counts(interactions, queries, everything)[0] > right).any()


@given(st.integers(0, 10_000), st.integers(0, 25))
@settings(max_examples=30, deadline=None)
def test_the_laws_of_levels(seed, time):
    interactions, candidates = random_interactions(seed), EVERYTHING[None, :]
    level, (taken, most) = (
        levels(interactions, at(2, time), candidates)[0],
        counts(interactions, at(2, time), candidates),
    )
    assert ((level == 0) == (taken[0] == 0)).all()
    assert (level[(taken[0] == most[0]) & (taken[0] > 0)] == LEVELS - 1).all()
    by_count = np.argsort(taken[0], kind="stable")
    assert (np.diff(level[by_count]) >= 0).all()
    order = np.random.default_rng(seed).permutation(5)
    np.testing.assert_array_equal(levels(interactions, at(2, time), candidates[:, order])[0], level[order])


def test_levels_are_equal_steps_of_the_logarithm():
    item = np.repeat(np.arange(5), [99, 31, 9, 3, 1])
    interactions = make_interactions(np.arange(len(item)), item, np.zeros(len(item), int), len(item), 6)
    # log(1 + count) / log(100): 1, .75, .5, .30, .15, and nobody
    np.testing.assert_array_equal(levels(interactions, at(-1, 1), np.arange(6)[None, :]), [[7, 6, 4, 3, 2, 0]])
    np.testing.assert_array_equal(levels(interactions, at(-1, 0), np.arange(6)[None, :]), [[0] * 6])


def test_a_word_for_each_level_and_a_time_for_each_moment():
    assert len(set(WORDS)) == LEVELS
    with pytest.raises(MmsrarecError, match="no time"):
        levels(random_interactions(0), at(0, -1), EVERYTHING[None, :])


@given(st.integers(0, 10_000))
@settings(max_examples=20, deadline=None)
def test_after_the_whole_log_nothing_is_counted_anew(seed):
    interactions = random_interactions(seed)
    now = int(interactions.time.max()) + 1
    for user in (-1, 0, 3):
        taken, most = counts(interactions, at(user, now), EVERYTHING[None])
        expected = [np.sum((interactions.user != user) & (interactions.item == code)) for code in range(5)]
        np.testing.assert_array_equal(taken[0], expected)
        assert most[0] == max(expected)
    assert interactions.counts.sum() == 80  # what is kept of the log was not changed


@given(st.integers(0, 10_000), st.integers(0, 22))
@settings(max_examples=40, deadline=None)
def test_counts_are_those_of_a_pass_through_the_log(seed, last):
    """The plain way: all interactions before each query, without the user's own, counted by item."""
    interactions = random_interactions(seed)
    users, times = np.random.default_rng(seed).integers([-1, 0], [8, last + 1], size=(12, 2)).T
    queries = Queries(users, times, np.full(12, -1), (np.array([], int),) * 12)
    taken, most = counts(interactions, queries, np.tile(EVERYTHING, (12, 1)))
    for i, (user, time) in enumerate(zip(users, times, strict=True)):
        by_others = interactions.item[(interactions.user != user) & (interactions.time < time)]
        np.testing.assert_array_equal(taken[i], np.bincount(by_others, minlength=5))
        assert most[i] == np.bincount(by_others, minlength=5).max()


def test_the_work_at_a_query_does_not_grow_with_the_log(monkeypatch):
    """A user who alone made the leader what it is: levels are walked down no further than the user's own part."""
    n = 2000
    item = np.concatenate([np.zeros(n, int), np.full(60, 1), [2]])
    user = np.concatenate([np.arange(n) % 90 + 1, np.arange(60) % 90 + 1, [91]])
    interactions = make_interactions(user, item, np.arange(len(item)), 92, 3)
    calls = []
    monkeypatch.setattr(np, "isin", lambda *args, isin=np.isin: calls.append(1) or isin(*args))
    _, most = counts(interactions, at(5, len(item) - 1), np.array([[0, 1]]))
    assert most[0] == n - (np.arange(n) % 90 == 4).sum()
    assert 0 < len(calls) <= (np.arange(n) % 90 == 4).sum()
