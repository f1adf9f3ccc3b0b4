"""A world whose rule is known, and a small sequence model that learns it."""

import numpy as np
import torch

from mmsrarec.data.dataset import Interactions, make_interactions
from mmsrarec.retrieve.encoder import Encoder
from mmsrarec.retrieve.settings import RetrieveSettings

SMALL = RetrieveSettings(
    embedding_size=16, n_layers=1, max_length=8, learning_rate=0.01, batch_size=64, epochs=12, patience=3, dropout=0.1
)


def rounds(n_users: int = 60, n_items: int = 30, length: int = 11) -> Interactions:
    """Everyone takes item + 1 next, from a place of their own."""
    user = np.repeat(np.arange(n_users), length)
    step = np.tile(np.arange(length), n_users)
    return make_interactions(user, (user + step) % n_items, step * 100 + user, n_users, n_items)


def same(a: Encoder, b: Encoder) -> bool:
    """Whether two encoders have equal weights, to the last bit."""
    return all(
        torch.equal(x, y) for x, y in zip(a.model.state_dict().values(), b.model.state_dict().values(), strict=True)
    )
