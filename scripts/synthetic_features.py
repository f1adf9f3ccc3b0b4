"""Features of classes for which no photograph is at hand, made up in the vision encoder's feature space.

A linear classifier on features with a common covariance S within classes has the rows W_c = S^-1 (mu_c - mu), so that
S W_c is the way from the mean of all features to that of class c. Some positions of a real picture's grid are moved
that way, by a strength of chance. The classifier itself says what the result shows, so that the answer is right even
where the features are not quite those of a photograph.
Shapes: n pictures, v positions of the grid, c channels, k classes.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from mmsrarec.models.vision.image_classifier import ImageClassifier

SIDE = 7
HIGHEST = 6.0
"""The vision encoder's last activation is ReLU6."""
STRENGTH = (6.0, 26.0)
"""How much a class's logit gains, from and to."""
TWO_CLASSES = 0.15
"""Share of pictures that show two things."""
RIDGE = 0.05
"""Share of the mean variance that is added to the covariance's diagonal."""


@dataclass(frozen=True)
class FeatureSynthesizer:
    """Makes features of classes.

    Attributes:
        directions: (k, c) the way to each class, for one logit of gain.
        backgrounds: (n, v, c) features of real pictures, on which classes are put.
    """

    directions: Tensor
    backgrounds: Tensor

    @classmethod
    def fit(cls, classifier: ImageClassifier, backgrounds: Tensor) -> "FeatureSynthesizer":
        """Measure the covariance of real pictures' mean features.

        Args:
            classifier: The vision encoder's classifier.
            backgrounds: (n, v, c) features of n real pictures.
        """
        means = torch.cat([part.float().mean(1) for part in backgrounds.split(512)])
        centred = means - means.mean(0)
        covariance = centred.T @ centred / len(centred)
        covariance += RIDGE * covariance.diagonal().mean() * torch.eye(len(covariance))
        rows = classifier.weight - classifier.weight.mean(0)
        ways = rows @ covariance
        return cls(ways / (ways * rows).sum(1, keepdim=True), backgrounds)

    def draw(self, n: int, rng: np.random.Generator) -> Tensor:
        """Draw features.

        Args:
            n: The number of pictures.
            rng: The state of chance.

        Returns:
            (n, v, c) features.
        """
        grids = self.backgrounds[torch.from_numpy(rng.choice(len(self.backgrounds), n))].float()
        for grid in grids:
            for label in rng.integers(0, len(self.directions), 1 + (rng.random() < TWO_CLASSES)):
                place = blob(rng)[:, None]
                strength, kept = float(rng.uniform(*STRENGTH)), float(rng.uniform(0.3, 1))
                grid *= 1 - place * (1 - kept)  # a thing hides part of what is behind it
                grid += place * (len(place) / place.sum()) * self.directions[label] * strength
        return grids.clamp_(0, HIGHEST)


def blob(rng: np.random.Generator) -> Tensor:
    """(v,) 1 on the positions of an ellipse of chance within the grid, else 0."""
    rows, columns = np.mgrid[0:SIDE, 0:SIDE]
    (row, column), (height, width) = rng.uniform(1.5, 4.5, 2), rng.uniform(1.5, 4.5, 2)
    inside = ((rows - row) / height) ** 2 + ((columns - column) / width) ** 2 <= 1
    if not inside.any():
        inside[SIDE // 2, SIDE // 2] = True
    return torch.from_numpy(inside.reshape(-1)).float()
