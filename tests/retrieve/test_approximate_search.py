"""The approximate search: never the future, exact where it looks everywhere, and the nearest nearly always."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_nearest_search import assert_same
from test_neighbours import Bag, all_queries, violations

from mmsrarec.data.dataset import make_interactions
from mmsrarec.data.splits import Queries
from mmsrarec.retrieve.neighbours import Neighbours
from mmsrarec.retrieve.search import code_search
from mmsrarec.retrieve.search import nearest_search as module
from mmsrarec.retrieve.search.nearest_search import APPROXIMATE, NumpySearch, make_search
from mmsrarec.retrieve.unit_vectors import unit

pytest.importorskip("faiss", reason="needs faiss-cpu")


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small logs are searched as large ones are: few lists are looked into, and few vectors are compared."""
    monkeypatch.setattr(module, "MIN_APPROXIMATE", 20)
    monkeypatch.setattr(code_search, "MIN_APPROXIMATE", 20)
    monkeypatch.setattr(code_search, "LEAST_COMPARED", 4)
    monkeypatch.setattr(code_search, "COMPARED", 1)
    monkeypatch.setattr(code_search, "MAX_COMPARED_SHARE", 100.0)
    monkeypatch.setattr(code_search, "SPARE", 1.0)
    monkeypatch.setattr(module, "VECTORS_PER_LIST", 5)
    monkeypatch.setattr(module, "MIN_PROBED", 1)
    monkeypatch.setattr(module, "PROBED_SHARE", 0.2)


def random_log(seed: int, n: int = 150, seconds: int = 40):
    rng = np.random.default_rng(seed)
    codes = [rng.integers(high, size=n) for high in (15, 6, seconds)]
    return make_interactions(*codes, 15, 6)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("name", APPROXIMATE)
@given(st.integers(0, 10_000), st.integers(1, 6), st.sampled_from([3, 40, 10**6]))
@settings(max_examples=20, deadline=None)
def test_nothing_of_the_time_of_a_query_or_after_is_a_neighbour(name, seed, k, seconds):
    log = random_log(seed, seconds=seconds)
    queries = all_queries(log)
    found = Neighbours(log, Bag(6), name).find(queries, k)
    assert violations(log, queries, found) == {"future": 0, "self": 0, "twice": 0}


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("name", APPROXIMATE)
@given(st.integers(0, 10_000), st.integers(1, 40), st.sampled_from([5, 6]))
@settings(max_examples=20, deadline=None)
def test_what_is_proposed_lies_in_the_prefix_of_its_query(name, seed, width, dims):
    rng = np.random.default_rng(seed)
    vectors, asked = (unit(rng.normal(size=(n, dims)).astype(np.float32)) for n in (90, 9))
    until = rng.integers(0, 91, size=9)
    for query, end, proposal in zip(
        asked, until, make_search(name, vectors).propose(asked, until, np.full(9, width)), strict=True
    ):
        assert name == "ivf" or len(proposal.numbers) >= min(width, end, 4)
        assert (proposal.numbers < end).all()
        assert len(np.unique(proposal.numbers)) == len(proposal.numbers)
        np.testing.assert_allclose(proposal.products, vectors[proposal.numbers] @ query, atol=1e-5)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("name", APPROXIMATE)
@pytest.mark.parametrize("seed", range(4))
def test_looking_at_everything_is_the_exact_search(name, seed, monkeypatch):
    monkeypatch.setattr(module, "PROBED_SHARE", 1.0)
    monkeypatch.setattr(code_search, "LEAST_COMPARED", 1000)
    log = random_log(seed)
    queries = all_queries(log)
    assert_same(Neighbours(log, Bag(6), name).find(queries, 4), Neighbours(log, Bag(6), "exact").find(queries, 4))


@pytest.mark.parametrize("name", APPROXIMATE)
def test_a_query_that_sees_little_looks_at_all_of_it(name, monkeypatch):
    asked, vectors = np.eye(3, dtype=np.float32), np.eye(3, dtype=np.float32)
    until, width = np.array([0, 1, 3]), np.array([2, 2, 2])
    pairs = zip(
        make_search(name, vectors).propose(asked, until, width),
        NumpySearch(vectors).propose(asked, until, width),
        strict=True,
    )
    for one, other in pairs:
        assert one.numbers.tolist() == other.numbers.tolist()
        assert one.floor == other.floor
    monkeypatch.setattr(module.FaissSearch, "propose", lambda *_: pytest.fail("nothing was learned for it"))
    monkeypatch.setattr(code_search.CodeSearch, "_best_codes", lambda *_: pytest.fail("nothing was learned for it"))
    assert len(make_search(name, vectors).propose(asked, until, width)) == 3


@pytest.mark.parametrize("name", APPROXIMATE)
def test_most_of_the_nearest_are_found(name, monkeypatch):
    """Vectors near a few hundred tastes, as histories are."""
    monkeypatch.setattr(module, "MIN_APPROXIMATE", 1000)
    monkeypatch.setattr(code_search, "MIN_APPROXIMATE", 1000)
    monkeypatch.setattr(module, "VECTORS_PER_LIST", 64)
    rng = np.random.default_rng(0)
    tastes = rng.normal(size=(200, 16))
    vectors, asked = (
        unit((tastes[rng.integers(200, size=n)] + 0.3 * rng.normal(size=(n, 16))).astype(np.float32))
        for n in (20_000, 40)
    )
    until = np.full(40, 15_000)
    near, exact = (make_search(way, vectors).propose(asked, until, np.full(40, 20)) for way in (name, "exact"))
    shares = []
    for one, other in zip(near, exact, strict=True):
        best = other.numbers[np.argsort(-other.products)[:20]]
        shares.append(np.isin(best, one.numbers).mean())
    assert np.mean(shares) > 0.9
    assert np.mean([len(one.numbers) for one in near]) == 20


def test_queries_without_neighbours_get_none():
    log = random_log(0)
    nothing = Queries(np.array([-1]), np.array([0]), np.array([-1]), (np.array([1]),))
    for name in APPROXIMATE:
        assert Neighbours(log, Bag(6), name).find(nothing, 3).row.tolist() == [[-1, -1, -1]]


def few_codes(n: int) -> tuple[code_search.CodeSearch, np.ndarray]:
    vectors = unit(np.random.default_rng(0).normal(size=(n, 6)).astype(np.float32))
    return code_search.CodeSearch(vectors), vectors


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("end", [1, 31, 32, 33, 64, 100, 127, 128])
def test_codes_are_read_up_to_the_end_of_the_prefix_and_no_further(end):
    """Whatever is nearest of all lies behind the prefix, at each place of a block of codes."""
    search, vectors = few_codes(128)
    asked = np.repeat(vectors[end : end + 1] if end < 128 else vectors[:1], 2, axis=0)
    numbers = search._best_codes(asked, end, 128)
    assert numbers.shape == (2, end)
    assert numbers.max() < end
    read = [len(set(row[row >= 0].tolist())) for row in (numbers[0], search._best_codes(asked, 128, 128)[1])]
    assert read[0] >= end - 1  # all of it is read; where everything is asked for, the worst may be left out
    assert read[1] >= 127
    last = search._best_codes(vectors[end - 1 : end], end, 4)
    assert end - 1 in last  # what stands last is found as well


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("spare", [1.0, 3.0])
def test_queries_that_share_a_reading_get_what_each_gets_alone(spare, monkeypatch):
    """Whether enough is left of the shared one or not; what is nearest of all to the first lies in its future."""
    monkeypatch.setattr(code_search, "SPARE", spare)
    monkeypatch.setattr(code_search, "LEAST_COMPARED", 10)
    search, vectors = few_codes(500)
    asked, until, width = vectors[[460, 470, 480, 490, 10]], np.array([405, 420, 480, 500, 300]), np.array([4] * 5)
    together, read = search.propose(asked, until, width), []
    for i, shared in enumerate(together):
        (alone,) = search.propose(asked[i : i + 1], until[i : i + 1], width[i : i + 1])
        assert set(shared.numbers.tolist()) == set(alone.numbers.tolist())
        assert shared.floor == alone.floor
    best_codes = search._best_codes
    monkeypatch.setattr(search, "_best_codes", lambda *asked: read.append(len(asked[0])) or best_codes(*asked))
    search.propose(asked, until, width)
    assert read[:2] == [1, 4]  # 300 lies too far from the others


@pytest.mark.usefixtures("small")
def test_the_whole_is_read_again_after_a_search_that_failed(monkeypatch):
    search, vectors = few_codes(100)
    monkeypatch.setattr(search, "_even", lambda vectors: (_ for _ in ()).throw(MemoryError()))
    with pytest.raises(MemoryError):
        search._best_codes(vectors[:1], 40, 9)
    monkeypatch.undo()
    assert search.index is not None
    assert search.index.ntotal == 100


@pytest.mark.usefixtures("small")
def test_threads_do_not_move_the_prefix_of_each_other():
    search, vectors = few_codes(4000)

    def furthest(end: int) -> int:
        return max(int(search._best_codes(vectors[:1], end, end).max()) - end for _ in range(40))

    with ThreadPoolExecutor(4) as pool:
        assert max(pool.map(furthest, [100, 900, 2000, 3999])) == -1


def test_who_asks_for_most_of_what_there_is_gets_it_exactly(monkeypatch):
    monkeypatch.setattr(code_search, "MIN_APPROXIMATE", 20)
    search, vectors = few_codes(400)
    monkeypatch.setattr(search, "_best_codes", lambda *_: pytest.fail("codes were asked"))
    (proposal,) = search.propose(vectors[:1], np.array([400]), np.array([100]))
    assert (
        proposal.numbers.tolist()
        == NumpySearch(vectors).propose(vectors[:1], np.array([400]), np.array([100]))[0].numbers.tolist()
    )
