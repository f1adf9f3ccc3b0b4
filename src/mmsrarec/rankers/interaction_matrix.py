"""What the rows that count in matrices share: who took what as a sparse matrix, and a library that may be missing."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmsrarec.data.dataset import FloatArray, IntArray, Interactions
from mmsrarec.errors import MmsrarecError


def count_matrix(histories: Sequence[IntArray], n_items: int) -> Any:
    """(m, n_items) CSR, float32: how often each history holds each item. Columns of a row are in ascending order.

    Items from n_items on are left out: they joined the catalogue later.
    """
    histories = [history if np.all(history < n_items) else history[history < n_items] for history in histories]
    lengths = [len(history) for history in histories]
    items = np.concatenate(histories) if histories else np.empty(0, dtype=np.int64)
    ends = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
    matrix = sparse_rows((np.ones(len(items), np.float32), items, ends), (len(histories), n_items))
    matrix.sum_duplicates()
    return matrix


def sparse_rows(parts: tuple[NDArray[Any], NDArray[Any], NDArray[Any]], shape: tuple[int, ...]) -> Any:
    """A CSR matrix of (data, column numbers, ends of rows). Raises MmsrarecError where scipy is missing."""
    try:
        from scipy.sparse import csr_matrix
    except ImportError as missing:
        raise _hint() from missing
    return csr_matrix(parts, shape=shape)


def binary_matrix(histories: Sequence[IntArray], n_items: int) -> Any:
    """(m, n_items) CSR, float32: 1 where a history holds an item, however often."""
    matrix = count_matrix(histories, n_items)
    matrix.data[:] = 1
    return matrix


def sequences(train: Interactions) -> list[IntArray]:
    """Every user's training items, oldest first."""
    return [train.items_of(user) for user in range(train.n_users)]


def of_candidates(scores: FloatArray, candidates: IntArray | None) -> FloatArray:
    """Scores of all items (m, n_items) -> those of the candidates (m, c); all where None."""
    return scores if candidates is None else np.take_along_axis(scores, candidates, axis=1)


def over_all_items(scores: FloatArray, known: NDArray[np.bool_]) -> FloatArray:
    """Scores of the known items (m, k) -> those of all items (m, n_items): 0 for items that nobody took."""
    wide = np.zeros((len(scores), len(known)), dtype=scores.dtype)
    wide[:, known] = scores
    return wide


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Small solves in a threaded BLAS are up to ten times slower, and its sums differ from run to run."""
    try:
        from threadpoolctl import threadpool_limits
    except ImportError as missing:
        raise _hint() from missing
    with threadpool_limits(1, "blas"):
        yield


def _hint() -> MmsrarecError:
    return MmsrarecError("rows that count in matrices need more packages: pip install 'mmsrarec[baselines]'")
