"""Vectors of length one, and each of equal ones once: in blocks, and as the plain way finds them to the last bit."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmsrarec.retrieve import unit_vectors as module
from mmsrarec.retrieve.unit_vectors import distinct, unit


def plainly(vectors):
    """Every row as bytes, one after another."""
    number, kept, place = {}, [], np.empty(len(vectors), dtype=np.int64)
    for row in range(len(vectors)):
        value = vectors[row] + np.float32(0)
        if value.tobytes() not in number:
            number[value.tobytes()] = len(kept)
            kept.append(value)
        place[row] = number[value.tobytes()]
    return np.array(kept, dtype=np.float32).reshape(-1, vectors.shape[1]), place


def some_vectors(seed: int, n: int):
    """Few different values, so that rows repeat; -0 among them."""
    rng = np.random.default_rng(seed)
    return rng.choice(np.array([0.0, -0.0, 1.0, -1.0], dtype=np.float32), size=(n, 3))


def assert_same_bits(found, expected):
    for one, other in zip(found, expected, strict=True):
        assert one.dtype == other.dtype
        assert one.tobytes() == other.tobytes()


@given(st.integers(0, 10_000), st.integers(1, 60), st.sampled_from([1, 7, 1000]))
@settings(max_examples=40, deadline=None)
def test_distinct_vectors_are_those_of_the_plain_way(seed, n, block):
    vectors = some_vectors(seed, n)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "ROWS_AT_ONCE", block)
        assert_same_bits(distinct(vectors.copy()), plainly(vectors))


def test_rows_of_one_hash_that_differ_are_told_apart(monkeypatch):
    vectors = some_vectors(1, 50)
    monkeypatch.setattr(module, "_hashes", lambda rows: np.zeros(len(rows), dtype=np.uint64))
    assert_same_bits(distinct(vectors.copy()), plainly(vectors))


def test_the_result_takes_the_place_of_the_rows_unless_few_are_distinct():
    many, few = np.arange(40, dtype=np.float32).reshape(20, 2), np.tile(np.float32([[1, 2], [3, 4]]), (10, 1))
    assert np.shares_memory(distinct(many)[0], many)
    kept, number = distinct(few)
    assert not np.shares_memory(kept, few)
    np.testing.assert_array_equal(kept[number], np.tile(np.float32([[1, 2], [3, 4]]), (10, 1)))


def test_hashes_tell_near_rows_apart():
    vectors = np.tile(np.linspace(-1, 1, 64, dtype=np.float32), (5000, 1))
    vectors[np.arange(5000), np.arange(5000) % 64] += np.arange(5000, dtype=np.float32) * np.float32(2**-20)
    assert len(np.unique(module._hashes(vectors))) == len(np.unique(vectors, axis=0))


@pytest.mark.parametrize("block", [1, 3, 1000])
def test_unit_vectors_do_not_depend_on_the_block(block, monkeypatch):
    vectors = np.random.default_rng(0).normal(size=(10, 8)).astype(np.float32)
    vectors[4] = 0
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    monkeypatch.setattr(module, "ROWS_AT_ONCE", block)
    np.testing.assert_array_equal(unit(vectors), vectors / np.where(norms > 0, norms, 1))
    assert not unit(vectors)[4].any()
