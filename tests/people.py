"""A log written down by hand."""

from collections.abc import Sequence

import numpy as np

from mmsrarec.data.dataset import Interactions, make_interactions


def people(*sequences: Sequence[int], n_items: int = 4) -> Interactions:
    """The log of users who consumed the given items, each in turn."""
    lengths = [len(items) for items in sequences]
    user = np.repeat(np.arange(len(sequences)), lengths)
    items = np.array([item for items in sequences for item in items])
    return make_interactions(user, items, np.arange(len(items)), len(sequences), n_items)
