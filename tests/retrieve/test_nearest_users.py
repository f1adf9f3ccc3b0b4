"""What is left out before cosines are exact can never have mattered; orders and ties are those of the plain way."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mmsrarec.retrieve.nearest_users import cosines, first_of_each, may_be_nearest, may_reach, order_of

ROUNDING = 1e-3


def drawn(seed: int, n: int = 60, n_users: int = 12) -> tuple[np.random.Generator, np.ndarray, np.ndarray]:
    """Exact similarities with many ties, and the users of the rows."""
    rng = np.random.default_rng(seed)
    return rng, rng.choice(np.linspace(-1, 1, 23), n).astype(np.float32), rng.integers(0, n_users, n)


@given(st.integers(0, 10_000))
def test_the_order_is_that_of_a_sort_by_similarity_and_rank(seed: int) -> None:
    rng, similarities, _ = drawn(seed)
    similarities[:2] = 0.0, -0.0
    rank = rng.permutation(len(similarities))
    assert order_of(similarities, rank).tolist() == np.lexsort((rank, -similarities)).tolist()


@given(st.integers(0, 10_000), st.sampled_from([12, 100_000]))
def test_the_first_row_of_each_user_is_kept_in_order(seed: int, n_users: int) -> None:
    rng, _, users = drawn(seed, n_users=n_users)
    order = rng.permutation(len(users))
    seen: set[int] = set()
    expected = [row for row in order.tolist() if not (users[row] in seen or seen.add(users[row]))]
    assert first_of_each(users, order).tolist() == expected
    assert not len(first_of_each(users[:0], order[:0]))


@given(st.integers(0, 10_000), st.integers(1, 14), st.sampled_from([1, 9_000]))
def test_every_row_that_may_be_nearest_is_kept(seed: int, k: int, apart: int) -> None:
    """Products are off by as much as they may be: the true nearest row of a near user is among those kept."""
    rng, exact, users = drawn(seed)
    products = (exact + rng.uniform(-ROUNDING, ROUNDING, len(exact))).astype(np.float32)
    order = np.lexsort((np.arange(len(exact)), -exact))
    _, first = np.unique(users[order], return_index=True)
    nearest = order[np.sort(first)[:k]]
    left_out = np.array([], dtype=int)
    shared = np.where(rng.random(len(users)) < 0.3, -1, users * apart)  # nobody knows yet whose a shared vector is
    reaching, bound = may_reach(products, shared, left_out, k, ROUNDING)
    kept = reaching[may_be_nearest(products[reaching], users[reaching] * apart, bound, ROUNDING)]
    assert set(nearest.tolist()) <= set(kept.tolist())
    assert len(kept) < len(exact) or k > 1


def test_users_who_do_not_count_raise_no_bar() -> None:
    products, users = np.array([0.9, 0.8, 0.1, 0.05], dtype=np.float32), np.array([0, 0, 1, 2])
    none = np.array([], dtype=int)
    assert may_reach(products, users, np.array([0]), 1, ROUNDING)[0].tolist() == [0, 1, 2]
    assert may_reach(products, users, none, 1, ROUNDING)[0].tolist() == [0]
    numbers, bound = may_reach(products, users, none, 4, ROUNDING)  # fewer users than are wanted: all may be near
    assert numbers.tolist() == [0, 1, 2, 3]
    assert may_be_nearest(products, users, bound, ROUNDING).tolist() == [0, 2, 3]
    assert not len(may_be_nearest(products[:0], users[:0], bound, ROUNDING))
    assert not len(may_reach(products[:0], users[:0], none, 1, ROUNDING)[0])


@given(st.integers(0, 10_000), st.integers(1, 14))
def test_a_bound_lies_below_all_that_may_be_near_and_above_nearly_all_others(seed: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    products = rng.normal(size=5000).astype(np.float32) * np.float32(10.0 ** rng.integers(-4, 1))
    numbers, _ = may_reach(products, np.arange(5000), np.array([], dtype=int), k, 1e-9)
    assert set(np.argsort(-products)[:k].tolist()) <= set(numbers.tolist())
    assert len(numbers) <= k + 60


def test_cosines_of_some_are_those_among_all() -> None:
    rng = np.random.default_rng(0)
    vectors, query = rng.normal(size=(1300, 64)).astype(np.float32), rng.normal(size=64).astype(np.float32)
    numbers = rng.permutation(1300)[:700]
    plain = (vectors.astype(np.float64) * query.astype(np.float64)).sum(axis=1).astype(np.float32)
    np.testing.assert_array_equal(cosines(vectors, query), plain)
    np.testing.assert_array_equal(cosines(vectors, query, numbers), plain[numbers])
