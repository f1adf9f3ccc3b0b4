"""EASE: the linear model of items by items that reproduces the training log best (Steck, arXiv 1905.03375)."""

import numpy as np

from mmsrarec.data.dataset import FloatArray, IntArray, Interactions
from mmsrarec.data.splits import Queries
from mmsrarec.errors import MmsrarecError
from mmsrarec.rankers.interaction_matrix import asked, consumed_once, one_blas_thread, sequences, spread

MOST_ITEMS = 30_000
"""Above it the one matrix that is needed, n_items squared in float32, takes more than 3.6 GB."""


class Ease:
    """A score is history @ B. With P the inverse of X'X + l2 I, B is -P with each column divided by its diagonal, and a
    diagonal of 0 (equation 8): the least squares fit of X by X B in which no item explains itself.

    Time grows with the cube of the number of items: a minute or two for 20,000. Memory: 4 n_items**2 bytes.
    l2: of 10, 100 and 500, the best on validation interactions of Amazon Beauty.
    """

    name = "ease"

    def __init__(self, train: Interactions, l2: float = 100) -> None:
        check_size(train.n_items)
        self.known = train.counts > 0  # of others the matrix would say nothing, at the same price
        users, n_known = consumed_once(sequences(train), train.n_items)[:, self.known], int(self.known.sum())
        from scipy.linalg import get_lapack_funcs

        factor, invert = get_lapack_funcs(("potrf", "potri"), dtype=np.float32)
        with one_blas_thread():  # each step in the place of the one before: there is no room for two
            matrix = (users.T @ users).toarray(order="F")
            matrix[np.diag_indices_from(matrix)] += np.float32(l2)
            matrix, failed = factor(matrix, lower=1, overwrite_a=1)
            matrix, unsolved = invert(matrix, lower=1, overwrite_c=1)
        if failed or unsolved:
            raise MmsrarecError(f"EASE: the matrix of {train.n_items} items cannot be inverted: leave the row out")
        for column in range(n_known):  # the lower half is there; the upper one mirrors it
            matrix[column, column + 1 :] = matrix[column + 1 :, column]
        matrix = matrix.T  # the same, in the order of memory that products of rows want
        matrix /= -np.diagonal(matrix).copy()
        matrix[np.diag_indices_from(matrix)] = 0
        self.weights = matrix

    def score(self, queries: Queries, candidates: IntArray | None) -> FloatArray:
        taken = consumed_once(queries.history, len(self.known))[:, self.known]
        return asked(spread(np.asarray(taken @ self.weights), self.known), candidates)


def check_size(n_items: int) -> None:
    """Raise MmsrarecError where the matrix would not fit."""
    if n_items > MOST_ITEMS:
        size = f"{4 * n_items**2 / 1e9:.1f} GB for {n_items:,} items (at most {MOST_ITEMS:,})"
        raise MmsrarecError(f'EASE needs {size}: leave "ease" out of evaluate.rows')
