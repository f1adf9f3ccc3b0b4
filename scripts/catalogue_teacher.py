"""What the vision encoder's features tell of a catalogue's categories: the teacher of `teach_categories.py`.

One logistic regression a category, on the mean features of the catalogue's pictures. Its shares of a picture say how
often each category is to begin the answer, so that log P(category | picture) rises with the teacher's probability.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

LEAST, MOST = 10, 30
"""A category is learned that at least so many pictures have, and at most half of them; at most so many of those."""
INVERSE_PENALTY = 0.001
"""Of `benchmarks/pictures`' choices the best on the training pictures of films, and near the best on games."""
FULL = 0.9
"""The share of pictures whose categories' probabilities have a smaller sum than what counts as a whole answer."""


@dataclass(frozen=True)
class CategoryTeacher:
    """Logistic regressions of categories.

    Attributes:
        labels: k categories in lower case.
        weight: (k, c) on the mean features.
        bias: (k,).
        whole: The sum of probabilities that makes a whole answer.
    """

    labels: tuple[str, ...]
    weight: Tensor
    bias: Tensor
    whole: float

    @classmethod
    def fit(cls, states: Tensor, categories: Sequence[Sequence[str]]) -> "CategoryTeacher":
        """Fit.

        Args:
            states: (n, c) mean features of n pictures.
            categories: The categories of each picture, in lower case.

        Raises:
            ValueError: No category is frequent enough.
        """
        from sklearn.linear_model import LogisticRegression

        counts = Counter(label for own in categories for label in set(own))
        enough = [label for label, count in counts.most_common() if LEAST <= count <= len(categories) / 2]
        labels = tuple(enough[:MOST])
        if not labels:
            raise ValueError(f"no category is on {LEAST} of {len(categories)} pictures and off as many")
        features = states.double().numpy()
        mean, scale = features.mean(0), features.std(0) + 1e-9
        scaled = (features - mean) / scale
        rows: list[NDArray[np.float64]] = []
        for label in labels:
            has = np.array([label in own for own in categories])
            model = LogisticRegression(C=INVERSE_PENALTY, max_iter=100).fit(scaled, has)
            weight = model.coef_[0] / scale
            rows.append(np.append(weight, model.intercept_[0] - weight @ mean))
        table = torch.from_numpy(np.stack(rows)).float()
        fitted = cls(labels, table[:, :-1].contiguous(), table[:, -1].contiguous(), 1.0)
        sums = fitted.probabilities(states).sum(1)
        return cls(labels, fitted.weight, fitted.bias, float(sums.quantile(FULL)))

    def probabilities(self, states: Tensor) -> Tensor:
        """(n, k) the probability of each category, of (n, c) mean features."""
        return (states.float() @ self.weight.T + self.bias).sigmoid()

    def shares(self, states: Tensor) -> Tensor:
        """(n, k) how often each category begins the answer, of (n, c) mean features; a row's sum is at most 1."""
        own = self.probabilities(states)
        return own / own.sum(1, keepdim=True).clamp(min=self.whole)

    def draw(self, shares: Tensor, rng: np.random.Generator, most: int) -> list[tuple[str, ...]]:
        """Draw answers.

        Args:
            shares: (n, k) shares.
            rng: The state of chance.
            most: Categories of an answer, at most.

        Returns:
            n answers, each of different categories in the order of a draw without repeats.
        """
        noise = torch.from_numpy(rng.gumbel(size=tuple(shares.shape)))
        order = (shares.double().clamp(min=1e-9).log() + noise).argsort(dim=1, descending=True)
        numbers = (shares.sum(1) * self.whole).round().clamp(1, most).int().tolist()
        return [tuple(self.labels[place] for place in row[:n]) for row, n in zip(order.tolist(), numbers, strict=True)]
