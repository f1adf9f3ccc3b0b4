"""The approximate search: never the future, exact where it looks everywhere, and the nearest nearly always."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_nearest_search import assert_same
from test_neighbours import Bag, all_queries, violations

from mmsrarec.data.dataset import make_interactions
from mmsrarec.data.splits import Queries
from mmsrarec.retrieve import nearest_search as module
from mmsrarec.retrieve.nearest_search import IvfSearch, NumpySearch, make_search
from mmsrarec.retrieve.neighbours import Neighbours
from mmsrarec.retrieve.unit_vectors import unit

pytest.importorskip("faiss", reason="needs faiss-cpu")


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small logs are searched as large ones are: lists of few vectors, of which few are looked into."""
    monkeypatch.setattr(module, "MIN_APPROXIMATE", 2)
    monkeypatch.setattr(module, "VECTORS_PER_LIST", 5)
    monkeypatch.setattr(module, "MIN_PROBED", 1)
    monkeypatch.setattr(module, "PROBED_SHARE", 0.2)


def random_log(seed: int, n: int = 150, seconds: int = 40):
    rng = np.random.default_rng(seed)
    codes = [rng.integers(high, size=n) for high in (15, 6, seconds)]
    return make_interactions(*codes, 15, 6)


@pytest.mark.usefixtures("small")
@given(st.integers(0, 10_000), st.integers(1, 6), st.sampled_from([3, 40, 10**6]))
@settings(max_examples=25, deadline=None)
def test_nothing_of_the_time_of_a_query_or_after_is_a_neighbour(seed, k, seconds):
    log = random_log(seed, seconds=seconds)
    queries = all_queries(log)
    found = Neighbours(log, Bag(6), "ivf").find(queries, k)
    assert violations(log, queries, found) == {"future": 0, "self": 0, "twice": 0}


@pytest.mark.usefixtures("small")
@given(st.integers(0, 10_000), st.integers(1, 40))
@settings(max_examples=25, deadline=None)
def test_what_is_proposed_lies_in_the_prefix_of_its_query(seed, width):
    rng = np.random.default_rng(seed)
    vectors, asked = (unit(rng.normal(size=(n, 6)).astype(np.float32)) for n in (60, 9))
    until = rng.integers(0, 61, size=9)
    for query, end, proposal in zip(
        asked, until, make_search("ivf", vectors).propose(asked, until, np.full(9, width)), strict=True
    ):
        assert (proposal.numbers < end).all()
        assert len(np.unique(proposal.numbers)) == len(proposal.numbers)
        np.testing.assert_allclose(proposal.products, vectors[proposal.numbers] @ query, atol=1e-5)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("seed", range(4))
def test_looking_into_all_lists_is_the_exact_search(seed, monkeypatch):
    monkeypatch.setattr(module, "PROBED_SHARE", 1.0)
    log = random_log(seed)
    queries = all_queries(log)
    assert_same(Neighbours(log, Bag(6), "ivf").find(queries, 4), Neighbours(log, Bag(6), "exact").find(queries, 4))


def test_a_query_that_sees_little_looks_at_all_of_it(monkeypatch):
    asked, vectors = np.eye(3, dtype=np.float32), np.eye(3, dtype=np.float32)
    until, width = np.array([0, 1, 3]), np.array([2, 2, 2])
    pairs = zip(
        make_search("ivf", vectors).propose(asked, until, width),
        NumpySearch(vectors).propose(asked, until, width),
        strict=True,
    )
    for one, other in pairs:
        assert one.numbers.tolist() == other.numbers.tolist()
        assert one.floor == other.floor
    monkeypatch.setattr(module.FaissSearch, "propose", lambda *_: pytest.fail("nothing was learned for it"))
    assert len(IvfSearch(vectors).propose(asked, until, width)) == 3


def test_most_of_the_nearest_are_found(monkeypatch):
    """Vectors near a few hundred tastes, as histories are."""
    monkeypatch.setattr(module, "MIN_APPROXIMATE", 1000)
    monkeypatch.setattr(module, "VECTORS_PER_LIST", 64)
    rng = np.random.default_rng(0)
    tastes = rng.normal(size=(200, 16))
    vectors, asked = (
        unit((tastes[rng.integers(200, size=n)] + 0.3 * rng.normal(size=(n, 16))).astype(np.float32))
        for n in (20_000, 40)
    )
    until = np.full(40, 15_000)
    near, exact = (make_search(name, vectors).propose(asked, until, np.full(40, 20)) for name in ("ivf", "exact"))
    shares = []
    for one, other in zip(near, exact, strict=True):
        best = other.numbers[np.argsort(-other.products)[:20]]
        shares.append(np.isin(best, one.numbers).mean())
    assert np.mean(shares) > 0.9
    assert np.mean([len(one.numbers) for one in near]) == 20


def test_queries_without_neighbours_get_none():
    log = random_log(0)
    nothing = Queries(np.array([-1]), np.array([0]), np.array([-1]), (np.array([1]),))
    assert Neighbours(log, Bag(6), "ivf").find(nothing, 3).row.tolist() == [[-1, -1, -1]]
