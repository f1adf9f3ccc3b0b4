"""Shoppers of the run, to look at it through somebody's eyes."""

from dataclasses import dataclass

import numpy as np

from mmsrarec.serve.model.catalogue_view import CatalogueView
from mmsrarec.serve.page.views.cards import Card, cards

LAST = 4
"""Items of each that are shown."""


@dataclass(frozen=True)
class Shopper:
    """One of whom the run knows.

    Attributes:
        user: The id.
        n_items: How many items they had.
        last: The newest of them, newest first.
    """

    user: str
    n_items: int
    last: list[Card]


@dataclass(frozen=True)
class Shoppers:
    """A part of them.

    Attributes:
        shoppers: They.
        total: How many match.
    """

    shoppers: list[Shopper]
    total: int


def shoppers(view: CatalogueView, words: str = "", offset: int = 0, limit: int = 24) -> Shoppers:
    """Shoppers whose id holds a text, in an order that mixes long and short pasts and is always the same.

    Args:
        view: The catalogue.
        words: A part of an id; nothing: all.
        offset: How many are passed over.
        limit: How many come.
    """
    dataset, wanted = view.dataset, words.strip().casefold()
    with_past = np.flatnonzero(np.diff(dataset.interactions.offsets))
    users: list[int] = np.random.default_rng(0).permutation(with_past).tolist()
    if wanted:
        users = sorted(code for code in users if wanted in dataset.user_ids[code].casefold())
    part: list[Shopper] = []
    for code in users[offset : offset + limit]:
        past: list[int] = dataset.interactions.items_of(code).tolist()
        ids = dict.fromkeys(dataset.items[item].item_id for item in past[::-1][: 2 * LAST])
        part.append(Shopper(dataset.user_ids[code], len(past), cards(view, ids)[:LAST]))
    return Shoppers(part, len(users))
