"""Fast search finds what a look at every row finds, to the last bit: by numpy, torch and faiss, ties of all kinds."""

from importlib.util import find_spec

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_neighbours import Bag, all_queries, random_interactions

from mmsrarec.data.dataset import Interactions, make_interactions
from mmsrarec.data.splits import Queries, queries_at
from mmsrarec.errors import MmsrarecError
from mmsrarec.retrieve import neighbours as module
from mmsrarec.retrieve.nearest_users import cosines
from mmsrarec.retrieve.neighbours import NeighbourLists, Neighbours
from mmsrarec.retrieve.search.nearest_search import NumpySearch, TorchSearch, make_search, rounding
from mmsrarec.retrieve.unit_vectors import distinct, unit


class Coarse:
    """An encoder of few different vectors: likeness is tied all over, also between histories that differ."""

    def encode(self, histories):
        corners = np.array([[0, 0], [1, 0], [0, 1], [1, 1], [-1, 0]], dtype=np.float32)
        return np.array([corners[int(h.sum() + len(h)) % 5] for h in histories], dtype=np.float32).reshape(-1, 2)


def slowly(index: Neighbours, queries: Queries, k: int) -> NeighbourLists:
    """The reference: every row's cosine, what is not allowed struck out, all of it sorted."""
    train, m = index.train, len(queries)
    rows = unit(index.encoder.encode(all_queries(train).history))
    found = NeighbourLists(np.full((m, k), -1), np.full((m, k), -1), np.zeros((m, k), dtype=np.float32))
    for i, query_vector in enumerate(unit(index.encoder.encode(queries.history))):
        near = cosines(rows, query_vector)
        near[train.time >= queries.time[i]] = -np.inf
        for user in index.same_person(queries, i):
            near[train.rows(user)] = -np.inf
        order = np.lexsort((train.user, train.item, -train.time, -near))  # stable: then the order of the file
        order = order[near[order] > -np.inf]
        _, first = np.unique(train.user[order], return_index=True)
        best = order[np.sort(first)[:k]]
        found.user[i, : len(best)], found.row[i, : len(best)] = train.user[best], best
        found.similarity[i, : len(best)] = near[best]
    return found


def assert_same(a: NeighbourLists, b: NeighbourLists) -> None:
    for name in ("row", "user", "similarity"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name))


FAISS = find_spec("faiss") is not None
WAYS = ["exact", "torch", pytest.param("faiss", marks=pytest.mark.skipif(not FAISS, reason="needs faiss-cpu"))]


def indexed(interactions: Interactions, encoder, way: str) -> Neighbours:
    index = Neighbours(interactions, encoder, "faiss" if way == "faiss" else "exact")
    if way == "torch":
        index.search = TorchSearch(index.vectors, "cpu")
    return index


@pytest.mark.parametrize("way", WAYS)
@given(st.integers(0, 10_000), st.integers(1, 6), st.booleans(), st.sampled_from([3, 25, 10**6]))
@settings(max_examples=15, deadline=None)
def test_all_ways_find_what_the_slow_way_finds(way, seed, k, coarse, seconds):
    """Few seconds make times tie, the coarse encoder makes likeness tie; some queries are of people not in the data."""
    rng = np.random.default_rng(seed)
    interactions = make_interactions(
        rng.integers(12, size=100), rng.integers(6, size=100), rng.integers(seconds, size=100), 12, 6
    )
    encoder = Coarse() if coarse else Bag(6)
    queries = all_queries(interactions)
    someone = np.where(rng.random(100) < 0.3, -1, queries.user)
    queries = Queries(someone, queries.time, queries.target, queries.history)
    index = indexed(interactions, encoder, way)
    assert_same(index.find(queries, k), slowly(index, queries, k))


class Drift:
    """An encoder of a direction that turns with every interaction: one busy account fills the whole neighbourhood."""

    def encode(self, histories):
        angle = np.array([(0 if len(h) and h[0] < 3 else 1) + len(h) / 4000 for h in histories])
        return np.stack([np.cos(angle), np.sin(angle)], axis=1).astype(np.float32)


@pytest.mark.parametrize("way", WAYS)
def test_a_search_that_was_too_narrow_is_widened(way, monkeypatch):
    """User 0 has 2,000 queries near the one asked about; the other neighbours lie behind them all."""
    user = np.concatenate([np.zeros(2000, int), np.repeat(np.arange(1, 9), 20)])
    item = np.where(user == 0, np.arange(len(user)) % 3, 3 + np.arange(len(user)) % 3)
    interactions = make_interactions(user, item, np.arange(len(user)), 9, 6)
    index, widths = indexed(interactions, Drift(), way), []
    propose = NumpySearch.propose
    monkeypatch.setattr(
        NumpySearch, "propose", lambda self, q, until, width: widths.append(width[0]) or propose(self, q, until, width)
    )
    asked = Queries(np.array([-1, 3]), np.array([5000, 2100]), np.array([-1, -1]), (np.array([0]), np.array([4] * 9)))
    found = index.find(asked, 5)
    assert_same(found, slowly(index, asked, 5))
    assert (found.user[0] >= 0).all()
    assert max(widths) > 100


def test_what_is_left_out_lies_below_the_floor():
    rng = np.random.default_rng(0)
    vectors, query_vectors = (unit(rng.normal(size=(n, 16)).astype(np.float32)) for n in (3000, 5))
    until, width = np.array([3000, 2999, 700, 31, 0]), np.array([40, 8, 8, 20, 5])
    ways = {"exact": NumpySearch(vectors), "torch": TorchSearch(vectors, "cpu")}
    if FAISS:
        ways["faiss"] = make_search("faiss", vectors)
    for name, way in ways.items():
        for query_vector, end, least, one in zip(
            query_vectors, until, width, way.propose(query_vectors, until, width), strict=True
        ):
            rest = np.delete(np.arange(end), one.numbers)
            assert len(np.unique(one.numbers)) == len(one.numbers) >= min(least, end), name
            assert (one.numbers < end).all()
            assert one.floor == -np.inf or len(rest)
            assert (cosines(vectors[rest], query_vector) <= one.floor + rounding(16)).all()
            assert len(one.numbers) <= max(3 * width.max(), 2 * 64), "little is proposed"


def test_equal_vectors_are_kept_once_in_the_order_of_time():
    rows = np.array([[5, 5], [-0.0, 2], [3, 1], [3, 1], [0.0, 2]], dtype=np.float32)
    vectors, place = distinct(rows.copy())
    np.testing.assert_array_equal(vectors, [[5, 5], [0, 2], [3, 1]])
    np.testing.assert_array_equal(place, [0, 1, 2, 2, 1])
    assert distinct(rows[:0])[1].shape == (0,)


def test_a_live_history_is_encoded_on_the_fly():
    interactions = random_interactions(2, n=300)
    index = Neighbours(interactions, Bag(6))
    history = [3, 1, 5]
    asked = Queries(np.array([-1]), np.array([15]), np.array([-1]), (np.array(history),))
    assert_same(index.neighbours(history, as_of=15, k=4), index.find(asked, 4))
    known = index.neighbours(interactions.items_of(2)[:4], as_of=20, k=8, user=2)
    assert 2 not in known.user
    assert (interactions.time[known.row[known.row >= 0]] < 20).all()
    assert index.neighbours([], as_of=20, k=2).row.shape == (1, 2)  # somebody new


@pytest.mark.parametrize("as_of", [None, -1, 12.5, True, "now"])
def test_a_live_history_without_a_moment_is_refused(as_of):
    index = Neighbours(random_interactions(0), Bag(6))
    with pytest.raises(MmsrarecError, match="no time"):
        index.neighbours([1, 2], as_of, 3)


def test_a_live_history_that_copies_an_account_does_not_find_it():
    interactions = random_interactions(0, n=200)
    index, copied = Neighbours(interactions, Bag(6)), interactions.items_of(4)
    assert len(copied) >= module.MIN_COPY_LENGTH
    assert 4 not in index.neighbours(copied, 10**6, 20).user
    assert 4 in index.neighbours(copied[1:], 10**6, 20).user


def test_a_saved_index_is_read_without_encoding(tmp_path):
    interactions = random_interactions(3, n=200)
    made, queries = Neighbours(interactions, Bag(6)), all_queries(interactions)

    class Once(Bag):
        def encode(self, histories):
            assert len(histories) == len(queries), "only the moments asked about are encoded"
            return super().encode(histories)

    queries = queries.pick(np.arange(7))
    made.save(tmp_path)
    assert_same(Neighbours.load(tmp_path, interactions, Once(6)).find(queries, 3), made.find(queries, 3))
    assert_same(Neighbours.load(tmp_path / "older run", interactions, Bag(6)).find(queries, 3), made.find(queries, 3))
    other = Interactions(interactions.user, (interactions.item + 1) % 6, interactions.time, 9, 6)
    asked = all_queries(other).pick(np.arange(100))
    assert_same(Neighbours.load(tmp_path, other, Bag(6)).find(asked, 3), Neighbours(other, Bag(6)).find(asked, 3))


def test_an_empty_log_has_no_neighbours(tmp_path):
    interactions = random_interactions(0).where(np.zeros(60, bool))
    index = Neighbours(interactions, Bag(6))
    assert (index.neighbours([1], 5, 2).row == -1).all()
    index.save(tmp_path)
    assert (Neighbours.load(tmp_path, interactions, Bag(6)).neighbours([1], 5, 2).row == -1).all()


def test_without_faiss_one_line_says_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "faiss", None)
    with pytest.raises(MmsrarecError, match="pip install faiss-cpu"):
        Neighbours(random_interactions(0), Bag(6), "faiss")


def test_moments_of_the_same_second_do_not_see_each_other():
    interactions = make_interactions(np.arange(6), np.arange(6) % 3, np.full(6, 10), 6, 3)
    index = Neighbours(interactions, Bag(3))
    assert (index.find(queries_at(interactions, np.arange(6)), 3).row == -1).all()
    assert (index.neighbours([], 11, 6).row >= 0).all()
