"""The core of a log: users and items that have enough interactions, once those that have not are gone."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from mmsrarec.data.dataset import Dataset, IntArray, make_interactions
from mmsrarec.errors import DataError

Core = tuple[int, int]
"""Events a user has at least, and interactions an item has at least."""


def in_core(user: IntArray, item: IntArray, core: Core) -> NDArray[np.bool_]:
    """(n,): which of n interactions are left when thin users and items are dropped until none is thin.

    The largest such set, whatever the order of dropping. Raises MmsrarecError where nothing is left.
    """
    keep = np.ones(len(user), dtype=bool)
    while keep.any():
        thin = [
            np.bincount(codes[keep], minlength=codes.max() + 1) < n for codes, n in zip((user, item), core, strict=True)
        ]
        left = keep & ~thin[0][user] & ~thin[1][item]
        if left.sum() == keep.sum():
            return keep
        keep = left
    raise DataError(f"the {core} core of this log is empty: ask for fewer events of a user or an item")


def drop_unused(dataset: Dataset) -> Dataset:
    """The data set without users and items that have no interaction; the order of the others stays."""
    interactions = dataset.interactions
    users, user = np.unique(interactions.user, return_inverse=True)
    items, item = np.unique(interactions.item, return_inverse=True)
    return replace(
        dataset,
        items=tuple(dataset.items[code] for code in items),
        user_ids=tuple(dataset.user_ids[code] for code in users),
        interactions=make_interactions(user, item, interactions.time, len(users), len(items)),
    )
