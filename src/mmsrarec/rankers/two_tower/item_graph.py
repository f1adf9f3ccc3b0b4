"""Graphs of similar items, by what items are and by who consumed them, for towers that read their neighbours.

Both MLLMRec (arXiv 2508.15304) and FREEDOM (arXiv 2211.06924) keep the graph as it is while the towers learn. Shapes: n
items, d dimensions of an item's states.
"""

from typing import Any

import numpy as np

from mmsrarec.data.dataset import FloatArray, IntArray, Interactions
from mmsrarec.rankers.interaction_matrix import pair_blocks, sparse_rows, training_matrix

BLOCK = 1024
"""Items whose similarities to all others are held at a time, so that memory grows with n and not with its square."""


def standardised(states: FloatArray) -> FloatArray:
    """Centre states and give each dimension variance one.

    The states of a language model share a direction, beside which all of them look alike.

    Args:
        states: (n, d).

    Returns:
        (n, d) float32.
    """
    wide = states.astype(np.float64)
    return ((wide - wide.mean(0)) / np.maximum(wide.std(0), 1e-6)).astype(np.float32)


def similar_items(states: FloatArray, k: int, least: float = -1.0) -> Any:
    """Connect each item with those most similar by cosine.

    Args:
        states: (n, d).
        k: Neighbours of an item, itself not counted.
        least: Cosine from which on two items are connected.

    Returns:
        (n, n) CSR of ones.
    """
    n_items = len(states)
    k = min(k, n_items - 1)
    lengths = np.linalg.norm(states, axis=1, keepdims=True)
    directions = states / np.maximum(lengths, 1e-12)
    rows: list[IntArray] = []
    columns: list[IntArray] = []
    for begin in range(0, n_items if k > 0 else 0, BLOCK):
        block = np.arange(begin, min(begin + BLOCK, n_items))
        cosines = directions[block] @ directions.T
        cosines[np.arange(len(block)), block] = -np.inf
        nearest = np.argsort(-cosines, axis=1, kind="stable")[:, :k]
        close = np.take_along_axis(cosines, nearest, axis=1) >= least
        rows.append(np.broadcast_to(block[:, None], nearest.shape)[close])
        columns.append(nearest[close])
    return _matrix(rows, columns, None, n_items)


def consumed_together(log: Interactions, k: int) -> Any:
    """Connect each item with those that the most of its users consumed too, by the Jaccard index of their users.

    Args:
        log: Training interactions.
        k: Neighbours of an item, itself not counted; of equals those with the lower code.

    Returns:
        (n, n) CSR of Jaccard indices. Items that the very same users consumed have 1 and are kept; the published
        program drops them with the diagonal.
    """
    users = training_matrix(log)
    items, counts = users.T.tocsr(), np.bincount(users.indices, minlength=log.n_items).astype(np.float32)
    rows: list[IntArray] = []
    columns: list[IntArray] = []
    values: list[FloatArray] = []
    for begin, end in pair_blocks(users):
        row, column, value = _company(items, users, counts, begin, end, k)
        rows.append(row)
        columns.append(column)
        values.append(value)
    return _matrix(rows, columns, values, log.n_items)


def _company(
    items: Any, users: Any, counts: FloatArray, begin: int, end: int, k: int
) -> tuple[IntArray, IntArray, FloatArray]:
    """The k items that the most users of each of some items consumed too.

    Args:
        items: (n_items, n_users) CSR of ones.
        users: The same, transposed.
        counts: (n_items,) the number of users of each.
        begin: The first item.
        end: The item after the last.
        k: How many for each item.

    Returns:
        Items, the others, and their Jaccard indices: by item, the highest first.
    """
    together = (items[begin:end] @ users).tocsr()
    row = begin + np.repeat(np.arange(end - begin), np.diff(together.indptr))
    other, both = together.indices, together.data
    apart = row != other
    row, other, both = row[apart], other[apart], both[apart]
    jaccard = both / (counts[row] + counts[other] - both)
    order = np.lexsort((other, -jaccard, row))
    row = row[order]
    nearest = np.arange(len(row)) - np.searchsorted(row, row) < k
    return row[nearest], other[order[nearest]], jaccard[order[nearest]]


def normalised(graph: Any) -> Any:
    """D^-1/2 A D^-1/2 with the sums of rows as D (Kipf and Welling, ICLR 2017); an empty row stays empty."""
    degrees = np.asarray(graph.sum(axis=1)).ravel()
    scale = np.divide(1.0, np.sqrt(degrees), out=np.zeros(len(degrees)), where=degrees > 0)
    scaled = graph.multiply(scale[:, None]).multiply(scale[None]).tocsr().astype(np.float32)
    scaled.sort_indices()
    return scaled


def refined_graph(states: FloatArray, log: Interactions, k: int, least: float, k_together: int) -> Any:
    """The item graph of MLLMRec, normalised: similar by their states from a threshold on, or consumed together.

    Args:
        states: (n, d).
        log: Training interactions.
        k: Neighbours by states.
        least: The threshold of their cosine.
        k_together: Neighbours by users.

    Returns:
        (n, n) CSR.
    """
    own = sparse_rows(
        (np.ones(log.n_items, np.float32), np.arange(log.n_items), np.arange(log.n_items + 1)), (log.n_items,) * 2
    )
    return normalised(own + similar_items(states, k, least) + consumed_together(log, k_together))


def _matrix(rows: list[IntArray], columns: list[IntArray], values: list[FloatArray] | None, n_items: int) -> Any:
    """The CSR of entries whose rows ascend."""
    row = np.concatenate(rows) if rows else np.empty(0, np.int64)
    column = np.concatenate(columns) if columns else np.empty(0, np.int64)
    value = np.ones(len(row), np.float32) if values is None else np.concatenate(values).astype(np.float32)
    ends = np.concatenate([[0], np.cumsum(np.bincount(row, minlength=n_items))])
    return sparse_rows((value, column, ends), (n_items, n_items))
