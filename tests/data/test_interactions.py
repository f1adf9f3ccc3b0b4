"""Interactions of a catalogue that grows: what is counted is kept, and what counts items has room for the new ones."""

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmsrarec.data import dataset
from mmsrarec.data.dataset import Interactions, make_interactions, stable_order


def log() -> Interactions:
    rng = np.random.default_rng(0)
    users, items, times = (rng.integers(0, bound, 200) for bound in (20, 30, 50))
    return make_interactions(users, items, times, 20, 30)


def test_a_wider_catalogue_has_the_same_interactions() -> None:
    before = log()
    _ = before.by_time, before.offsets, before.times
    wider = before.with_items(35)
    assert wider.by_time is before.by_time
    assert (wider.counts[:30] == before.counts).all()
    assert wider.counts[30:].tolist() == [0] * 5
    fresh = Interactions(before.user, before.item, before.time, 20, 35)
    assert fresh.digest == wider.digest
    assert (fresh.times == wider.times).all()


def test_times_are_in_order() -> None:
    times = log().times
    assert (np.diff(times) >= 0).all()
    assert sorted(log().time.tolist()) == times.tolist()


@given(
    st.lists(st.one_of(st.integers(-3, 3), st.integers(-(2**63), 2**63 - 1)), max_size=40),
    st.sampled_from([np.int64, np.int32]),
)
def test_an_order_keeps_the_place_of_equal_numbers(values: list[int], kind: type) -> None:
    numbers = np.array([value % 2**31 if kind is np.int32 else value for value in values], dtype=kind)
    before = numbers.copy()
    order = stable_order(numbers)
    assert order.dtype == np.int64
    assert order.tolist() == sorted(range(len(values)), key=lambda place: (int(numbers[place]), place))
    assert (numbers == before).all()


@pytest.mark.parametrize("block", [1, 7, 10**6])
def test_what_is_looked_at_in_blocks_is_what_it_is_at_once(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dataset, "ROWS_AT_ONCE", block)
    own = log()
    parts = (np.ascontiguousarray(codes, dtype="<i8").tobytes() for codes in (own.user, own.item, own.time))
    assert own.digest == hashlib.sha256(b"|".join((b"20,30", *parts))).hexdigest()
    assert own.n_pairs == len(set(zip(own.user.tolist(), own.item.tolist(), strict=True)))
    blocks = list(own.user_blocks())
    assert [user for users, _ in blocks for user in range(users.start, users.stop)] == list(range(20))
    assert [row for _, rows in blocks for row in range(rows.start, rows.stop)] == list(range(200))
    assert all((own.user[rows] >= users.start).all() and (own.user[rows] < users.stop).all() for users, rows in blocks)
    assert all(rows.stop - rows.start <= max(block, np.diff(own.offsets).max()) for _, rows in blocks)


@pytest.mark.parametrize("block", [1, 3, 10**6])
def test_order_is_looked_at_across_blocks(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dataset, "ROWS_AT_ONCE", block)
    user, time = np.array([0, 0, 0, 1, 1, 3]), np.array([5, 5, 9, 1, 2, 0])
    assert dataset.sorted_by_time(user, time)
    for row in range(1, 6):  # any two neighbours in the wrong order are seen
        earlier = time.copy()
        earlier[row] = -1
        assert dataset.sorted_by_time(user, earlier) == (user[row] != user[row - 1])
        other = user.copy()
        other[row:] -= 9
        assert not dataset.sorted_by_time(other, time)
    assert dataset.sorted_by_time(user[:0], time[:0])
    assert dataset.sorted_by_time(user[:1], time[:1])
