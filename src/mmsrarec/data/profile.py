"""Two measures of a log that many parts ask for: how much of it is tied, and how much of a split is cold."""

import numpy as np

from mmsrarec.data.dataset import Interactions
from mmsrarec.data.splits import Split


def tie_share(interactions: Interactions) -> float:
    """The share of interactions in the same second as another one of the same user: only the file orders them."""
    if len(interactions) < 2:
        return 0.0
    same = (np.diff(interactions.user) == 0) & (np.diff(interactions.time) == 0)
    return float((np.append(same, False) | np.insert(same, 0, False)).mean())


def cold_share(split: Split) -> float:
    """The share of test queries whose target has no training interaction."""
    return float((split.train.counts[split.test.target] == 0).mean()) if len(split.test) else 0.0
