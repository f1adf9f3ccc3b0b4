"""Matrix factorisation by alternating least squares (Hu, Koren and Volinsky 2008), through the `implicit` library."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from mmsrarec.data.dataset import FloatArray, IntArray, Interactions
from mmsrarec.data.splits import Queries
from mmsrarec.errors import MmsrarecError
from mmsrarec.rankers.interaction_matrix import asked, one_blas_thread, sequences, spread, taken


class Als:
    """Users are folded in from their history at the query, so that users outside training are served alike."""

    name = "als"

    def __init__(
        self,
        train: Interactions,
        seed: int,
        factors: int = 64,
        alpha: float = 20,
        iterations: int = 15,
        regularization: float = 0.01,
    ) -> None:
        self.n_items, self.known = train.n_items, train.counts > 0
        with one_blas_thread():  # `implicit` warns of more
            try:
                from implicit.cpu.als import AlternatingLeastSquares
            except ImportError as missing:
                raise MmsrarecError("the ALS row needs more packages: pip install 'mmsrarec[baselines]'") from missing

            # one thread: the sums of several would differ from run to run
            self.model = AlternatingLeastSquares(
                factors=factors,
                alpha=alpha,
                regularization=regularization,
                iterations=iterations,
                random_state=seed,
                num_threads=1,
            )
            self.model.fit(self._consumed(sequences(train)), show_progress=False)

    def score(self, queries: Queries, candidates: IntArray | None) -> FloatArray:
        with one_blas_thread():
            users = self.model.recalculate_user(np.arange(len(queries)), self._consumed(queries.history))
            return asked(spread(np.asarray(users @ self.model.item_factors.T), self.known), candidates)

    def _consumed(self, histories: Sequence[IntArray]) -> Any:
        """Of known items only: others would join in the random start, and so change every score."""
        return taken(histories, self.n_items)[:, self.known]
