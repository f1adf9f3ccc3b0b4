"""Matrix factorisation by alternating least squares (Hu, Koren and Volinsky 2008), through the `implicit` library."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from mmsrarec.data.dataset import Events, FloatArray, IntArray
from mmsrarec.data.split import Moments
from mmsrarec.errors import MmsrarecError


class Als:
    """Users are folded in from their history at the moment, so that users outside training are served alike."""

    name = "als"

    def __init__(self, train: Events, seed: int, factors: int = 64, alpha: float = 20, iterations: int = 15) -> None:
        self.n_items = train.n_items
        with _one_blas_thread():
            from implicit.cpu.als import AlternatingLeastSquares

            # one thread: the sums of several would differ from run to run
            self.model = AlternatingLeastSquares(
                factors=factors, alpha=alpha, iterations=iterations, random_state=seed, num_threads=1
            )
            sequences = [train.items_of(user) for user in range(train.n_users)]
            self.model.fit(self._matrix(sequences), show_progress=False)

    def score(self, moments: Moments, candidates: IntArray | None) -> FloatArray:
        with _one_blas_thread():
            users = self.model.recalculate_user(np.arange(len(moments)), self._matrix(moments.history))
            scores = np.asarray(users @ self.model.item_factors.T)
        return scores if candidates is None else np.take_along_axis(scores, candidates, axis=1)

    def _matrix(self, histories: Sequence[IntArray]) -> Any:
        """(m, n_items) sparse counts."""
        from scipy.sparse import csr_matrix

        lengths = [len(history) for history in histories]
        items = np.concatenate(histories) if histories else np.empty(0, dtype=np.int64)
        matrix = csr_matrix(
            (np.ones(len(items), np.float32), items, np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])),
            shape=(len(histories), self.n_items),
        )
        matrix.sum_duplicates()
        return matrix


@contextmanager
def _one_blas_thread() -> Iterator[None]:
    """Small solves in a threaded BLAS are up to ten times slower; `implicit` warns of it."""
    try:
        import implicit  # noqa: F401
        from threadpoolctl import threadpool_limits
    except ImportError as missing:
        raise MmsrarecError("the ALS row needs more packages: pip install 'mmsrarec[baselines]'") from missing
    with threadpool_limits(1, "blas"):
        yield
