"""Neighbours: exact, and blind to the future, to the user itself and to its copies. Each guard is shown to matter."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmsrarec.data.dataset import Interactions, make_interactions
from mmsrarec.data.splits import Queries, leave_one_out, queries_at
from mmsrarec.errors import MmsrarecError
from mmsrarec.retrieve import neighbours as module
from mmsrarec.retrieve.collaborative_context import next_items
from mmsrarec.retrieve.neighbours import Neighbours, query_times


class Bag:
    """An encoder that is plain to see through: a weighted sum of fixed vectors of the last three items."""

    def __init__(self, n_items: int) -> None:
        self.items = np.random.default_rng(0).normal(size=(n_items, 8)).astype(np.float32)

    def encode(self, histories):
        vectors = np.full((len(histories), 8), 0.1, dtype=np.float32)
        for row, history in zip(vectors, histories, strict=True):
            for weight, item in zip((1.0, 0.5, 0.25), history[::-1], strict=False):
                row += weight * self.items[item]
        return vectors


def random_interactions(seed: int, n_users: int = 9, n_items: int = 6, n: int = 60) -> Interactions:
    rng = np.random.default_rng(seed)
    return make_interactions(
        rng.integers(n_users, size=n), rng.integers(n_items, size=n), rng.integers(25, size=n), n_users, n_items
    )


def all_queries(interactions: Interactions) -> Queries:
    return queries_at(interactions, np.arange(len(interactions)))


def by_hand(interactions: Interactions, queries: Queries, i: int, k: int) -> list[tuple[float, int, int]]:
    """The definition, one row at a time: (similarity, time, item) of the best row of each of the k nearest users."""
    bag = Bag(interactions.n_items)
    unit = lambda v: v / np.linalg.norm(v)  # noqa: E731
    query_vector, best = unit(bag.encode([queries.history[i]])[0]), {}
    for row, history in enumerate(all_queries(interactions).history):
        user = int(interactions.user[row])
        if user == queries.user[i] or interactions.time[row] >= queries.time[i]:
            continue
        key = (
            float(query_vector @ unit(bag.encode([history])[0])),
            int(interactions.time[row]),
            -int(interactions.item[row]),
        )
        best[user] = max(best.get(user, key), key)
    return sorted(best.values(), reverse=True)[:k]


@given(st.integers(0, 10_000), st.integers(1, 5), st.sampled_from([40, 10**7]))
@settings(max_examples=25, deadline=None)
def test_agrees_with_the_definition_whatever_the_block(seed, k, cells):
    interactions = random_interactions(seed)
    queries = all_queries(interactions)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "MAX_SIMILARITIES_HELD", cells)
        patch.setattr(module, "MIN_COPY_LENGTH", 99)
        found = Neighbours(interactions, Bag(interactions.n_items)).find(queries, k)
    for i in range(len(queries)):
        expected = by_hand(interactions, queries, i, k)
        rows = found.row[i][found.row[i] >= 0]
        assert list(zip(interactions.time[rows], -interactions.item[rows], strict=True)) == [
            key[1:] for key in expected
        ]
        np.testing.assert_allclose(found.similarity[i][: len(rows)], [key[0] for key in expected], atol=1e-6)


def violations(interactions: Interactions, queries: Queries, found) -> dict[str, int]:
    """How often what was found breaks the clock, is the user itself, or names a user twice."""
    real = found.row >= 0
    repeated = sum(len(np.unique(u[r])) < r.sum() for u, r in zip(found.user, real, strict=True))
    return {
        "future": int((interactions.time[found.row] >= queries.time[:, None])[real].sum()),
        "self": int((found.user == queries.user[:, None])[real].sum()),
        "twice": int(repeated),
    }


def test_never_the_future_never_the_user_itself_never_twice():
    interactions = random_interactions(1, n=300)
    found = Neighbours(interactions, Bag(6)).find(all_queries(interactions), 4)
    assert violations(interactions, all_queries(interactions), found) == {"future": 0, "self": 0, "twice": 0}
    assert (found.row >= 0).mean() > 0.5  # and this was no empty promise


def test_the_guards_are_what_holds_the_leaks_back(monkeypatch):
    """Without the clock and without the exclusion of oneself, the very same check reports leaks."""
    interactions = random_interactions(1, n=300)
    queries, index = all_queries(interactions), Neighbours(interactions, Bag(6))
    monkeypatch.setattr(module, "query_times", lambda m: np.full(len(m), 10**9))
    assert violations(interactions, queries, index.find(queries, 4))["future"] > 0
    monkeypatch.undo()
    monkeypatch.setattr(Neighbours, "same_person", lambda self, m, i: set())
    assert violations(interactions, queries, index.find(queries, 4))["self"] > 0


def test_an_event_at_the_same_second_is_not_earlier():
    interactions = make_interactions(*(np.array(a) for a in ([0, 0, 1, 1], [0, 1, 0, 2], [1, 5, 1, 5])), 2, 3)
    queries = queries_at(interactions, np.array([1]))
    index = Neighbours(interactions, Bag(3))
    at_5 = index.find(queries, 1)
    at_6 = index.find(Queries(queries.user, queries.time + 1, queries.target, queries.history), 1)
    assert interactions.time[at_5.row[0, 0]] == 1
    assert interactions.time[at_6.row[0, 0]] == 5


COPIED = [0, 1, 2, 3, 4, 5, 0]


def world_with_a_copy() -> Interactions:
    """Users 0 and 1 did the same things, a little apart; users 2 to 5 did others."""
    rng = np.random.default_rng(0)
    other = rng.integers(6, size=4 * 7)
    user = np.concatenate([np.zeros(7, int), np.ones(7, int), np.repeat(np.arange(2, 6), 7)])
    time = np.concatenate([np.arange(7) * 10 + 5, np.arange(7) * 10, np.tile(np.arange(7) * 10, 4)])
    return make_interactions(user, np.concatenate([COPIED, COPIED, other]), time, 6, 6)


@pytest.mark.parametrize("guarded", [True, False])
@pytest.mark.parametrize("case", ["training", "leave-one-out", "user held out", "not in the data"])
def test_a_copy_of_the_account_is_no_neighbour(case, guarded, monkeypatch):
    interactions = world_with_a_copy()
    if case == "training":
        train, queries = interactions, queries_at(interactions, np.arange(3, 7))
    elif case == "leave-one-out":
        split = leave_one_out(interactions)
        train, queries = split.train, split.test.pick(np.array([0]))
    else:  # the copy keeps all its interactions, also the one to be predicted
        train, queries = interactions.where(interactions.user != 0), queries_at(interactions, np.array([6]))
        if case == "not in the data":
            queries = Queries(np.array([-1]), queries.time, np.array([-1]), queries.history)
    if not guarded:
        monkeypatch.setattr(module, "MIN_COPY_LENGTH", 99)
    found = Neighbours(train, Bag(6)).find(queries, 5)
    assert (found.row >= 0).any()
    assert (1 in found.user) != guarded


def test_a_short_common_sequence_makes_no_copy():
    interactions = make_interactions(
        *(np.array(a) for a in ([0, 0, 0, 1, 1, 1], [0, 1, 2] * 2, [10, 20, 30, 1, 2, 3])), 2, 3
    )
    assert Neighbours(interactions, Bag(3)).find(queries_at(interactions, np.array([2])), 1).user[0, 0] == 1


@pytest.mark.parametrize("guarded", [True, False])
def test_a_planted_item_of_held_out_events_never_shows(guarded):
    """Item 6 is everybody's last interaction and nothing else."""
    interactions = random_interactions(3, n=200)
    last = np.append(np.flatnonzero(np.diff(interactions.user)), len(interactions) - 1)
    item = interactions.item.copy()
    item[last] = 6
    interactions = Interactions(interactions.user, item, interactions.time, 9, 7)
    split = leave_one_out(interactions)
    train = split.train if guarded else interactions
    found = Neighbours(train, Bag(7)).find(split.test, 5)
    assert (6 in next_items(found, train, split.test, 5)) != guarded


@given(st.integers(0, 10_000))
@settings(max_examples=15, deadline=None)
def test_the_order_of_users_changes_nothing(seed):
    interactions = random_interactions(seed)
    new_code = np.random.default_rng(seed).permutation(9)
    renamed = make_interactions(new_code[interactions.user], interactions.item, interactions.time, 9, 6)
    queries = all_queries(interactions)
    moved = Queries(new_code[queries.user], queries.time, queries.target, queries.history)
    a, b = Neighbours(interactions, Bag(6)).find(queries, 3), Neighbours(renamed, Bag(6)).find(moved, 3)
    np.testing.assert_array_equal(a.similarity, b.similarity)
    items = next_items(a, interactions, queries, 1)[..., 0], next_items(b, renamed, moved, 1)[..., 0]
    np.testing.assert_array_equal(*items)


def test_a_moment_asked_alone_or_as_a_test_moment_gets_the_same():
    """One function: where a query comes from (training or test), and what it is asked with, does not matter."""
    interactions = random_interactions(5, n=120)
    index, queries = Neighbours(interactions, Bag(6)), all_queries(interactions)
    together = index.find(queries, 3)
    for i in (20, 57, 119):
        alone = index.find(queries.pick(np.array([i])), 3)
        np.testing.assert_array_equal(alone.row[0], together.row[i])
    no_answer = Queries(queries.user, queries.time, np.full(len(queries), -1), queries.history)
    np.testing.assert_array_equal(index.find(no_answer, 3).row, together.row)


def test_nobody_earlier_means_minus_one():
    interactions = random_interactions(0)
    first = Queries(np.array([-1]), np.array([0]), np.array([-1]), (np.array([1, 2]),))
    found = Neighbours(interactions, Bag(6)).find(first, 20)
    assert (found.user == -1).all()
    assert (found.row == -1).all()
    assert (found.similarity == 0).all()
    later = Queries(first.user, np.array([10**6]), first.target, first.history)
    assert (Neighbours(interactions, Bag(6)).find(later, 20).row >= 0).sum() == len(np.unique(interactions.user))
    assert Neighbours(interactions, Bag(6)).find(later.pick(np.array([], int)), 2).row.shape == (0, 2)


@pytest.mark.parametrize(
    "time", [np.array([-1]), np.array([np.nan]), np.array([], int), np.array([np.datetime64("NaT")])]
)
def test_refuses_a_moment_without_a_time(time):
    interactions = random_interactions(0)
    query = Queries(np.array([0]), time, np.array([-1]), (np.array([1]),))
    with pytest.raises(MmsrarecError, match="no time"):
        Neighbours(interactions, Bag(6)).find(query, 1)
    with pytest.raises(MmsrarecError, match="no time"):
        query_times(query)
