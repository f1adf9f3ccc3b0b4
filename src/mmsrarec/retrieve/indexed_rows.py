"""Which rows of a log the index of similar users holds, and their distinct vectors, made in blocks in time order."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from mmsrarec.data.dataset import IntArray, Interactions, stable_order
from mmsrarec.data.splits import HistoriesBefore
from mmsrarec.retrieve.unit_vectors import Float32Array, distinct, unit

ENCODED_AT_ONCE = 2_000_000
"""Rows that are encoded together. The last bit of a vector may depend on what it is encoded with, so a log of fewer
rows is encoded as a whole."""


class Encodes(Protocol):
    """What is needed of an encoder; `retrieve.encoder.Encoder` is one. The search itself needs no scores."""

    def encode(self, histories: Sequence[IntArray]) -> NDArray[np.float32]:
        """Turn m histories of item codes, oldest first, into (m, d) embeddings."""
        ...

    def scores(self, histories: Sequence[IntArray]) -> NDArray[np.float32]:
        """Turn m histories of item codes, oldest first, into (m, n_items) logits."""
        ...


def indexed_rows(train: Interactions, rows_per_user: int | None) -> IntArray:
    """The rows that can be neighbours.

    Args:
        train: The n training interactions.
        rows_per_user: How many of each user's newest rows; None: all.

    Returns:
        (s,) row numbers in time order; ties keep the order of the rows.
    """
    if rows_per_user is None:
        return train.by_time
    lengths = np.minimum(np.diff(train.offsets), rows_per_user)
    begins = np.cumsum(lengths) - lengths
    rows = np.arange(int(lengths.sum())) + np.repeat(train.offsets[1:] - lengths - begins, lengths)
    return rows[stable_order(train.time[rows])]


def encoded_rows(train: Interactions, rows: IntArray, encoder: Encodes) -> tuple[Float32Array, IntArray]:
    """Encode the histories before rows.

    Args:
        train: The n training interactions.
        rows: (s,) row numbers in time order.
        encoder: What turns histories into embeddings.

    Returns:
        The (p, d) distinct unit vectors in the order in which they first happened, and the (s,) number of each row's.
    """
    vectors = np.zeros((0, 0), dtype=np.float32)
    for begin in range(0, max(len(rows), 1), ENCODED_AT_ONCE):
        part = unit(encoder.encode(HistoriesBefore(train, rows[begin : begin + ENCODED_AT_ONCE])))
        if not begin:
            vectors = part if len(part) == len(rows) else np.empty((len(rows), part.shape[1]), dtype=np.float32)
        vectors[begin : begin + len(part)] = part
        del part  # before the next block is made
    return distinct(vectors)
