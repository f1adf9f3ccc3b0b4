"""The choice of the nearest users among proposed rows: exact cosines for the rows that can matter, and no others.

The products of a search are true to `nearest_search.rounding`. That suffices to leave out nearly all rows that are not
the nearest of their user, or whose user is not among the k nearest, before anything is computed exactly.
"""

import numpy as np

from mmsrarec.data.dataset import IntArray
from mmsrarec.retrieve.nearest_search import Float32Array

ROWS_AT_ONCE = 512
"""Cosines computed at once: their intermediate products stay in the processor's cache."""


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
        products = (vectors[part] if numbers is None else vectors[numbers[part]]).astype(np.float64)
        products *= query
        similarities[part] = products.sum(axis=1)
    return similarities


def may_be_nearest(products: Float32Array, users: IntArray, k: int, rounding: float) -> IntArray:
    """The rows that can be the nearest of one of the k nearest users.

    Args:
        products: (n,) products of the rows and a query.
        users: (n,) user codes of the rows.
        k: Users wanted.
        rounding: How far a product may lie from the true one.

    Returns:
        The numbers of the rows.
    """
    if not len(users):
        return np.arange(0)
    codes = _compact(users)
    nearest = np.full(int(codes.max()) + 1, -np.inf, dtype=np.float32)
    np.maximum.at(nearest, codes, products)
    return np.flatnonzero(products >= np.maximum(nearest, _kth_largest(nearest, k))[codes] - _margin(rounding))


def may_reach(
    products: Float32Array, users: IntArray, n_users: int, left_out: IntArray, k: int, rounding: float
) -> IntArray:
    """The vectors that can belong to one of the k nearest users, before it is known whose the shared ones are.

    Args:
        products: (p,) products of the vectors and a query.
        users: (p,) user codes of the vectors; -1 where several rows share a vector.
        n_users: Users in all.
        left_out: Codes of the users who do not count.
        k: Users wanted.
        rounding: How far a product may lie from the true one.

    Returns:
        The numbers of the vectors.
    """
    if n_users > 4 * len(users) + 1000:  # few vectors of many users: there is little to save
        return np.arange(len(users))
    nearest = np.full(n_users + 1, -np.inf, dtype=np.float32)  # the last place is that of -1
    np.maximum.at(nearest, users, products)
    nearest[left_out] = nearest[-1] = -np.inf
    return np.flatnonzero(products >= _kth_largest(nearest, k) - _margin(rounding))


def _kth_largest(values: Float32Array, k: int) -> np.float32:
    """The k-th largest value, -inf where there are fewer."""
    return np.partition(values, len(values) - k)[len(values) - k] if len(values) >= k else np.float32(-np.inf)


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
