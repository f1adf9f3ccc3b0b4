"""The k-core of a log: the users and items that have enough interactions among themselves."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from mmsrarec.data.dataset import Dataset, IntArray, make_interactions
from mmsrarec.errors import DataError

Core = tuple[int, int]
"""The least number of interactions of a user, and the least number of interactions of an item."""


def in_core(user: IntArray, item: IntArray, core: Core) -> NDArray[np.bool_]:
    """Drop users and items with too few interactions until none is left; the result is the largest such set.

    Args:
        user: (n,) user codes.
        item: (n,) item codes.
        core: The least numbers of interactions of a user and of an item.

    Returns:
        (n,) bool: the interactions that stay.

    Raises:
        DataError: No interaction stays.
    """
    keep = np.ones(len(user), dtype=bool)
    while keep.any():
        too_few = [
            np.bincount(codes[keep], minlength=codes.max() + 1) < n for codes, n in zip((user, item), core, strict=True)
        ]
        rest = keep & ~too_few[0][user] & ~too_few[1][item]
        if rest.sum() == keep.sum():
            return keep
        keep = rest
    raise DataError(f"the {core} core of this log is empty: ask for fewer events of a user or an item")


def drop_unused(dataset: Dataset) -> Dataset:
    """The data set without users and items that have no interaction; the order of the others stays the same."""
    interactions = dataset.interactions
    users, user = np.unique(interactions.user, return_inverse=True)
    items, item = np.unique(interactions.item, return_inverse=True)
    return replace(
        dataset,
        items=tuple(dataset.items[int(code)] for code in items),
        user_ids=tuple(dataset.user_ids[int(code)] for code in users),
        interactions=make_interactions(user, item, interactions.time, len(users), len(items)),
    )
