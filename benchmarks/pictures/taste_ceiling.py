"""How much of what users take can be told from the content of items at all, by one ridge regression a user.

Each user's regression learns from the items of the training log whether the user took them, by their content, and
scores new items. It knows no order and shares nothing between users, so it is no upper bound for a sequence model; but
where one content tells more than another here, it tells more of taste.
"""

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from mmsrarec.data.dataset import FloatArray, IntArray, Interactions
from mmsrarec.data.splits import Queries

STRENGTHS = (10.0, 30.0, 100.0, 300.0, 1000.0, 3000.0)
"""Penalties to choose from on validation."""


class TasteRidge:
    """Scores items by a ridge regression for each user.

    Attributes:
        strength: The weight of the penalty.
        weights: (k + 1, n_users) a column of weights for each user, the intercept last.
        content: (n_items, k) content.
    """

    name: ClassVar[str] = "ridge"

    def __init__(self, content: NDArray[np.float32], train: Interactions, known: NDArray[np.bool_], strength: float):
        """Fit.

        Args:
            content: (n_items, k) content of all items.
            train: The training log.
            known: (n_items,) mask of the items to learn from.
            strength: The weight of the penalty.
        """
        self.strength, self.content = strength, content.astype(np.float64)
        mean = self.content[known].mean(0)
        self.content -= mean
        x = self.content[known]
        taken = np.zeros((train.n_items, train.n_users))
        taken[train.item, train.user] = 1
        y = taken[known]
        intercept = y.mean(0)
        gram = x.T @ x + strength * np.eye(x.shape[1])
        self.weights = np.vstack([np.linalg.solve(gram, x.T @ (y - intercept)), intercept])

    def score(self, queries: Queries, candidates: IntArray | None) -> FloatArray:
        """As in `Ranker`; the history is not read, only who the user is."""
        own = self.weights[:, queries.user]
        scores = (self.content @ own[:-1] + own[-1]).T
        return scores if candidates is None else np.take_along_axis(scores, candidates, axis=1)
