"""Small logs whose rule is known, and queries about them."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from mmsrarec.data.dataset import IntArray, Interactions, make_interactions
from mmsrarec.data.splits import Queries


def tiny_log(n_users: int = 60, n_items: int = 40, length: int = 9, seed: int = 0) -> Interactions:
    """Everybody walks from a random start to the next item number, so what comes next is known.

    Args:
        n_users: Users, all of whom consume something.
        n_items: Items of the catalogue.
        length: Interactions of each user.
        seed: Of the starts.

    Returns:
        n_users * length interactions, no two in the same second.
    """
    starts = np.random.default_rng(seed).integers(n_items, size=n_users)
    items = (starts[:, None] + np.arange(length)) % n_items
    times = np.arange(n_users * length).reshape(length, n_users).T
    return make_interactions(np.repeat(np.arange(n_users), length), items.ravel(), times.ravel(), n_users, n_items)


def checkerboard(n: int = 20) -> Interactions:
    """A user consumes the items of equal parity but one, in an order of their own.

    User u never consumed item u, which is therefore what to recommend: the only one of its parity that is left.
    Even and odd users have no item in common.

    Args:
        n: Number of users, and of items; even.
    """
    users: list[IntArray] = []
    items: list[IntArray] = []
    times: list[IntArray] = []
    rng = np.random.default_rng(0)
    for user in range(n):
        consumed = rng.permutation([item for item in range(user % 2, n, 2) if item != user])
        users.append(np.full(len(consumed), user))
        items.append(consumed)
        times.append(user + n * np.arange(len(consumed)))
    return make_interactions(np.concatenate(users), np.concatenate(items), np.concatenate(times), n, n)


def queries(*histories: Sequence[int], user: int = -1, time: int = 10**6) -> Queries:
    """Queries of people with these histories, who are in no log unless a user is named.

    Args:
        histories: Item codes, oldest first, one sequence a query.
        user: Code of who asks.
        time: When they ask, in seconds.
    """
    m = len(histories)
    codes = tuple(np.array(history, dtype=np.int64) for history in histories)
    return Queries(np.full(m, user), np.full(m, time), np.full(m, -1), codes)


def grown(interactions: Interactions, items: int) -> Interactions:
    """The same interactions in a larger catalogue.

    Args:
        interactions: The log.
        items: Number of items that are added, which nobody consumed.
    """
    return replace(interactions, n_items=interactions.n_items + items)
