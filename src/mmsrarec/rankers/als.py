"""Matrix factorisation by alternating least squares (Hu, Koren and Volinsky 2008), through the `implicit` library."""

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from mmsrarec.data.dataset import FloatArray, IntArray, Interactions
from mmsrarec.data.splits import Queries
from mmsrarec.errors import MmsrarecError
from mmsrarec.rankers.interaction_matrix import (
    count_matrix,
    of_candidates,
    one_blas_thread,
    over_all_items,
    training_counts,
)
from mmsrarec.rankers.ranker_base import RankerBase, RankerSettings


class AlsSettings(RankerSettings):
    """Matrix factorisation by alternating least squares."""

    factors: int = Field(default=64, ge=1, le=4096, description="size of a user's and an item's vector")
    alpha: float = Field(default=20, gt=0, description="confidence of an interaction against none: 1 + alpha")
    regularization: float = Field(default=0.01, ge=0, description="weight of the squared size of all vectors")
    iterations: int = Field(default=15, ge=1, le=1000, description="rounds of least squares")


class Als(RankerBase):
    """Scores an item by the product of its factors with the user's.

    The user's factors are computed from the history at the query, so that users outside training are served alike.
    """

    name = "als"
    Settings = AlsSettings
    search_space: ClassVar = {
        "factors": (32, 64, 128, 256),
        "alpha": (1.0, 5.0, 10.0, 20.0, 40.0),
        "regularization": (0.001, 0.01, 0.1, 1.0, 10.0),
        "iterations": (10, 15, 30),
    }
    proposes = True

    def _fit(self, interactions: Interactions, seed: int) -> None:
        with one_blas_thread():  # `implicit` warns of more
            self.model = self._untrained(seed)
            self.model.fit(training_counts(interactions)[:, self.known], show_progress=False)

    def _untrained(self, seed: int | None = None) -> Any:
        try:
            from implicit.cpu.als import AlternatingLeastSquares  # pyright: ignore[reportMissingTypeStubs]
        except ImportError as missing:
            raise MmsrarecError("the ALS row needs more packages: pip install 'mmsrarec[baselines]'") from missing
        # one thread: the sums of several would differ from run to run
        return AlternatingLeastSquares(**self.settings.model_dump(), random_state=seed, num_threads=1)

    def _score(self, queries: Queries, candidates: IntArray | None) -> FloatArray:
        with one_blas_thread():
            users = self.model.recalculate_user(np.arange(len(queries)), self._consumed(queries.history))
            return of_candidates(over_all_items(np.asarray(users @ self.model.item_factors.T), self.known), candidates)

    def _consumed(self, histories: Sequence[IntArray]) -> Any:
        """Of known items only: others would join in the random start, and so change every score."""
        return count_matrix(histories, self.n_items)[:, self.known]

    def _state(self) -> dict[str, NDArray[Any]]:
        return {"item_factors": self.model.item_factors}

    def _restore(self, arrays: dict[str, NDArray[Any]]) -> None:
        with one_blas_thread():
            self.model = self._untrained()
        self.model.item_factors = np.array(arrays["item_factors"])  # a copy: the library wants to write
