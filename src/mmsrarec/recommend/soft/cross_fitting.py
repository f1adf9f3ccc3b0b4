"""Which users train the language model, and which the sequence models that its training reads."""

import numpy as np
from numpy.typing import NDArray

RANDOM_STREAM = 11
"""Keeps these draws apart from others of the same seed."""


def held_out_users(n_users: int, folds: int, seed: int) -> NDArray[np.bool_]:
    """The users whose prompts are trained on; the sequence models of the soft tokens do not see them.

    Args:
        n_users: Number of users.
        folds: The users are cut into so many parts, one of which is held out.
        seed: Seed of the draw.

    Returns:
        (n_users,) mask of about one user in `folds`.
    """
    return np.random.default_rng([seed, RANDOM_STREAM]).integers(0, folds, n_users) == 0
