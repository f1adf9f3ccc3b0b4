"""How many similar users took an item next, in words: the neighbours' evidence for one candidate [ours]."""

import numpy as np

from mmsrarec.data.dataset import Events, IntArray
from mmsrarec.data.split import Moments
from mmsrarec.retrieve.context import Voices, next_items, share_levels
from mmsrarec.retrieve.neighbours import Found

ALIKE: tuple[str, ...] = ("none alike", "hardly any alike", "a few alike", "some alike", "many alike")
SHARES = (0.1, 0.25, 0.5)  # of the item that similar users took most; more than none is the first step


def alike_levels(found: Found, train: Events, moments: Moments, candidates: IntArray, n_next: int) -> IntArray:
    """(m, c) item codes -> (m, c) levels 0 to len(ALIKE) - 1, to be said with ALIKE.

    An item weighs the sum of its neighbours' cosines over their steps (`item_weights`). The word compares it with the
    heaviest item of the moment. Obeys the clock, as `next_items` does.
    """
    items = next_items(found, train, moments, n_next)
    levels = np.zeros(candidates.shape, dtype=np.int64)
    for row in range(len(moments)):
        levels[row] = share_levels(
            Voices.of(items[row], found.similarity[row], found.user[row]), candidates[row], SHARES
        )
    return levels
