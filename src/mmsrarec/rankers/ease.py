"""EASE: the linear model of items by items that reproduces the training log best (Steck, arXiv 1905.03375)."""

from typing import Any, ClassVar, cast

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from mmsrarec.data.dataset import FloatArray, IntArray, Interactions
from mmsrarec.data.splits import Queries
from mmsrarec.errors import MmsrarecError
from mmsrarec.rankers.interaction_matrix import (
    binary_matrix,
    of_candidates,
    one_blas_thread,
    over_all_items,
    training_matrix,
)
from mmsrarec.rankers.ranker_base import RankerBase, RankerSettings

MOST_ITEMS = 30_000
"""Above it the one matrix that is needed, n_items squared in float32, takes more than 3.6 GB."""


class EaseSettings(RankerSettings):
    """The linear model of items by items."""

    l2: float = Field(default=100, gt=0, description="weight of the squared size of the item-item matrix")


class Ease(RankerBase):
    """Scores an item by history @ B, the least squares fit of X by X B in which no item explains itself.

    With P the inverse of X'X + l2 I, B is -P with each column divided by its diagonal, and a diagonal of 0
    (equation 8).

    Time grows with the cube of the number of items: a minute or two for 20,000. Memory: 4 n_items**2 bytes, and as much
    on disk where it is saved. The default of `l2` was, of 10, 100 and 500, the best on validation interactions of
    Amazon Beauty.
    """

    name = "ease"
    Settings = EaseSettings
    search_space: ClassVar = {"l2": (1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0, 3000.0)}
    proposes = True

    @classmethod
    def check_size(cls, n_items: int) -> None:
        """Raise MmsrarecError for more than `MOST_ITEMS` items."""
        if n_items > MOST_ITEMS:
            size = f"{4 * n_items**2 / 1e9:.1f} GB for {n_items:,} items (at most {MOST_ITEMS:,})"
            instead = 'leave "ease" out of evaluate.rows; "item-knn" and "als" grow with the interactions only'
            raise MmsrarecError(f"EASE needs {size}: {instead}")

    def _fit(self, interactions: Interactions, seed: int) -> None:
        self.check_size(self.n_items)
        # of unknown items the matrix would say nothing, at the same price
        users, n_known = training_matrix(interactions)[:, self.known], int(self.known.sum())
        from scipy import linalg  # pyright: ignore[reportMissingTypeStubs]

        factor, invert = cast("Any", linalg).get_lapack_funcs(("potrf", "potri"), dtype=np.float32)
        with one_blas_thread():  # each step in the place of the one before: there is no room for two
            matrix = (users.T @ users).toarray(order="F")
            matrix[np.diag_indices_from(matrix)] += np.float32(self.settings.l2)
            matrix, failed = factor(matrix, lower=1, overwrite_a=1)
            matrix, unsolved = invert(matrix, lower=1, overwrite_c=1)
        if failed or unsolved:
            raise MmsrarecError(f"EASE: the matrix of {self.n_items} items cannot be inverted: leave the row out")
        for column in range(n_known):  # the lower half is there; the upper one mirrors it
            matrix[column, column + 1 :] = matrix[column + 1 :, column]
        matrix = matrix.T  # the same, in the order of memory that products of rows want
        matrix /= -np.diagonal(matrix).copy()
        matrix[np.diag_indices_from(matrix)] = 0
        self.weights: NDArray[np.float32] = matrix

    def _score(self, queries: Queries, candidates: IntArray | None) -> FloatArray:
        consumed = binary_matrix(queries.history, self.n_items)[:, self.known]
        return of_candidates(over_all_items(np.asarray(consumed @ self.weights), self.known), candidates)

    def _state(self) -> dict[str, NDArray[Any]]:
        return {"weights": self.weights}

    def _restore(self, arrays: dict[str, NDArray[Any]]) -> None:
        self.weights = arrays["weights"]
