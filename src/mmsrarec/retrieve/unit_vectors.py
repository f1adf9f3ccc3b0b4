"""Unit vectors of a log's rows, and each of equal ones once, in blocks: copies of all vectors would be the peak."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from mmsrarec.data.dataset import IntArray

Float32Array = NDArray[np.float32]
ROWS_AT_ONCE = 65_536
"""Rows that are worked on together."""
KEEP_SHARE = 0.8
"""Where fewer of the rows are distinct, they get memory of their own, and that of all rows is given back."""


def unit(vectors: Float32Array) -> Float32Array:
    """Rows of length one, so that a product is a cosine; a zero row stays zero."""
    result = np.empty(vectors.shape, dtype=np.float32)
    for part in _parts(len(vectors)):
        norms = np.linalg.norm(vectors[part], axis=1, keepdims=True)
        result[part] = vectors[part] / np.where(norms > 0, norms, 1)
    return result


def distinct(vectors: Float32Array) -> tuple[Float32Array, IntArray]:
    """Keep each of equal vectors once, in the order of its first row.

    Rows are told apart by a hash of 8 bytes. Rows of equal hash are compared; if two of them differ, which hardly ever
    happens, all rows are sorted whole.

    Args:
        vectors: (n, d) vectors in time order. They are overwritten: the result takes their place in memory.

    Returns:
        The (p, d) distinct vectors, and the (n,) number of each row's vector.
    """
    if not len(vectors):
        return vectors, np.zeros(0, dtype=np.int64)
    first, inverse = _first_of_equal(_hashes(vectors))
    if not _are_equal(vectors, first[inverse]):
        whole = np.ascontiguousarray(vectors + np.float32(0))
        first, inverse = _first_of_equal(whole.view(np.dtype((np.void, whole.shape[1] * 4))).ravel())
    by_first = np.argsort(first)
    number = np.empty(len(first), dtype=np.int64)
    number[by_first] = np.arange(len(first))
    first_rows = first[
        by_first
    ]  # the v-th kept row never stands before row v, so that nothing is lost that is still needed
    for part in _parts(len(first_rows)):
        vectors[part] = vectors[first_rows[part]] + np.float32(0)  # -0 and 0 are one number, but not one byte
    few = len(first_rows) < KEEP_SHARE * len(vectors)
    return vectors[: len(first_rows)].copy() if few else vectors[: len(first_rows)], number[inverse]


def _first_of_equal(values: NDArray[np.generic]) -> tuple[IntArray, IntArray]:
    """The first place of each distinct value, and the (n,) number of each value among them."""
    _, first, inverse = np.unique(values, return_index=True, return_inverse=True)
    return first, inverse


def _hashes(vectors: Float32Array) -> NDArray[np.uint64]:
    """(n,) sums of the bits of each row's numbers times fixed odd numbers, modulo 2**64; -0 counts as 0."""
    rng = np.random.default_rng(vectors.shape[1])
    weights = np.asarray(rng.integers(1, 2**63, size=vectors.shape[1], dtype=np.uint64), dtype=np.uint64)
    weights |= np.uint64(1)
    hashes = np.empty(len(vectors), dtype=np.uint64)
    for part in _parts(len(vectors)):
        bits = np.ascontiguousarray(vectors[part] + np.float32(0)).view(np.uint32)
        hashes[part] = (bits * weights).sum(axis=1)
    return hashes


def _are_equal(vectors: Float32Array, others: IntArray) -> bool:
    """Whether each row holds the same bits, but for the sign of 0, as the (n,) row that it was told to be equal to."""
    differs = np.flatnonzero(others != np.arange(len(others)))
    for part in _parts(len(differs)):
        one, other = (vectors[rows] + np.float32(0) for rows in (differs[part], others[differs[part]]))
        if (one.view(np.uint32) != other.view(np.uint32)).any():
            return False
    return True


def _parts(n: int) -> Iterator[slice]:
    """The rows in blocks."""
    return (slice(begin, min(begin + ROWS_AT_ONCE, n)) for begin in range(0, n, ROWS_AT_ONCE))
