"""The choice of the nearest users among proposed rows: exact cosines for the rows that can matter, and no others.

The products of a search are true to `nearest_search.rounding`. That suffices to leave out nearly all rows that are not
the nearest of their user, or whose user is not among the k nearest, before anything is computed exactly.
"""

import numpy as np

from mmsrarec.data.dataset import IntArray
from mmsrarec.retrieve.search.nearest_search import Float32Array

ROWS_AT_ONCE = 512
"""Cosines computed at once: their intermediate products stay in the processor's cache."""
N_BINS = 4096
"""Bins in which products are counted, to find a bound below the k-th largest."""


def cosines(vectors: Float32Array, query_vector: Float32Array, numbers: IntArray | None = None) -> Float32Array:
    """The cosines of vectors and a query, whose last bit does not depend on the other vectors.

    Args:
        vectors: (p, d) unit vectors.
        query_vector: (d,) unit vector.
        numbers: (n,) numbers of the vectors that are asked for; None: all.

    Returns:
        (n,) cosines in float32, summed in float64.
    """
    similarities = np.empty(len(vectors) if numbers is None else len(numbers), dtype=np.float32)
    query = query_vector.astype(np.float64)
    for begin in range(0, len(similarities), ROWS_AT_ONCE):
        part = slice(begin, begin + ROWS_AT_ONCE)
        some = vectors[part] if numbers is None else vectors[numbers[part]]
        similarities[part] = np.vecdot(some.astype(np.float64), query)
    return similarities


def may_reach(
    products: Float32Array, users: IntArray, left_out: IntArray, k: int, rounding: float
) -> tuple[IntArray, np.float32]:
    """The vectors that can belong to one of the k nearest users, before it is known whose the shared ones are.

    Args:
        products: (p,) products of the vectors and a query.
        users: (p,) user codes of the vectors; -1 where several rows share a vector.
        left_out: Codes of the users who do not count.
        k: Users wanted.
        rounding: How far a product may lie from the true one.

    Returns:
        The numbers of the vectors, and a bound that the products of the k nearest users reach; -inf: none is known.
    """
    counted = np.flatnonzero((users >= 0) & ~np.isin(users, left_out))
    nearest = _nearest_of_each(products[counted], _compact(users[counted]))
    bound = _below_kth_largest(nearest[nearest > -np.inf], k) - _margin(rounding)
    return np.flatnonzero(products >= bound), bound


def may_be_nearest(products: Float32Array, users: IntArray, bound: np.float32, rounding: float) -> IntArray:
    """The rows that can be the nearest of one of the k nearest users.

    Args:
        products: (n,) products of the rows and a query.
        users: (n,) user codes of the rows.
        bound: What the products of the k nearest users reach, as `may_reach` found it.
        rounding: How far a product may lie from the true one.

    Returns:
        The numbers of the rows.
    """
    codes = _compact(users)
    nearest = _nearest_of_each(products, codes)
    return np.flatnonzero((products >= bound) & (products >= nearest[codes] - _margin(rounding)))


def _nearest_of_each(products: Float32Array, codes: IntArray) -> Float32Array:
    """The largest product of each code; -inf for a code without one."""
    nearest = np.full(int(codes.max(initial=-1)) + 1, -np.inf, dtype=np.float32)
    np.maximum.at(nearest, codes, products)
    return nearest


def _below_kth_largest(values: Float32Array, k: int) -> np.float32:
    """A number just below the k-th largest value, -inf where there are fewer; values are counted, not sorted."""
    if len(values) < k:
        return np.float32(-np.inf)
    lowest, highest = float(values.min()), float(values.max())
    width = max(highest - lowest, 1e-6) / N_BINS
    bins = ((values - np.float32(lowest)) * np.float32(1 / width)).astype(np.int32)
    n_reaching = np.cumsum(np.bincount(bins)[::-1])[::-1]  # values in a bin or above
    last = int(np.flatnonzero(n_reaching >= k)[-1])
    return np.float32(lowest + (last - 1) * width)  # a bin lower, as the bins are rounded


def _margin(rounding: float) -> np.float32:
    """How far apart two products may lie whose true order is the other way round."""
    return np.float32(2 * rounding + 2.0**-22)


def order_of(similarities: Float32Array, rank: IntArray) -> IntArray:
    """The order of n rows: the most similar first, among equals the lowest rank.

    Args:
        similarities: (n,) similarities.
        rank: (n,) distinct numbers from 0, below 2 to the power of 31.

    Returns:
        (n,) row numbers.
    """
    # the bits of a float, as a whole number, are in the order of the float; those of negative ones are turned round
    bits = (similarities + np.float32(0)).view(np.int32).astype(np.int64)
    ascending = np.where(bits < 0, bits ^ 0x7FFFFFFF, bits)
    return np.argsort((-ascending << 32) + rank)


def first_of_each(users: IntArray, order: IntArray) -> IntArray:
    """The first row of each user in an order.

    Args:
        users: (n,) user codes of the rows.
        order: (n,) row numbers.

    Returns:
        Row numbers, in the order.
    """
    if not len(users):
        return order
    codes, places = _compact(users)[order], np.arange(len(order))
    if np.bincount(codes).max() == 1:
        return order
    first = np.full(int(codes.max()) + 1, len(order))
    np.minimum.at(first, codes, places)
    return order[first[codes] == places]


def _compact(users: IntArray) -> IntArray:
    """The users as numbers that are not far above the number of rows."""
    return users if users.max(initial=0) <= 4 * len(users) + 1000 else np.unique(users, return_inverse=True)[1]
