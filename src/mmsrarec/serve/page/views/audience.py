"""Who is shown an item: shoppers whom the candidate generators propose it to, and where it stands in their ranking."""

import asyncio
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np

from mmsrarec.data.dataset import IntArray
from mmsrarec.rankers.ensemble.interleaved import Restricted
from mmsrarec.runs.answers.answering import joined
from mmsrarec.serve.model.served_run import ServedRun
from mmsrarec.serve.page.views.other_rankers import first_places
from mmsrarec.serve.page.visit import Visit
from mmsrarec.serve.service import Service

LOOKED_AT = 400
"""Shoppers, at most, whose proposals are looked through."""
ASKED = 8
"""Shoppers whose whole ranking is asked for: those to whom the item is proposed first."""
PLACES = 20
"""Of a ranking that are looked at."""
BLOCK = 100

_proposals: WeakKeyDictionary[ServedRun, tuple[IntArray, IntArray]] = WeakKeyDictionary()


@dataclass(frozen=True)
class Viewer:
    """A shopper who is shown an item.

    Attributes:
        user: The id.
        place: Where it stands in their ranking, from 1.
    """

    user: str
    place: int


@dataclass(frozen=True)
class Audience:
    """Who is shown an item.

    Attributes:
        viewers: Those in whose ranking it stands, the best place first.
        proposed: To how many of the looked-at shoppers it is proposed.
        looked_at: How many were looked at.
    """

    viewers: list[Viewer]
    proposed: int
    looked_at: int


async def audience(service: Service, item_id: str) -> Audience:
    """Who is shown an item. Raises UnknownIdError, BusyError."""
    code = service.catalogue().code(item_id)
    users, proposals = await service.with_model(proposals_of)
    rows, places = np.nonzero(proposals == code)
    first = rows[np.argsort(places, kind="stable")][:ASKED]
    names = [service.run().recommender.dataset.user_ids[users[row]] for row in first.tolist()]
    answers = await asyncio.gather(
        *(service.recommend(Visit(user=name).question(PLACES, reasons=False)) for name in names)
    )
    viewers = [
        Viewer(name, item.rank)
        for name, answer in zip(names, answers, strict=True)
        for item in answer.items
        if item.item_id == item_id
    ]
    return Audience(sorted(viewers, key=lambda viewer: viewer.place), len(rows), len(users))


def proposals_of(served: ServedRun) -> tuple[IntArray, IntArray]:
    """(u,) codes of some shoppers and (u, n) what is proposed to each, computed once for a catalogue."""
    if served not in _proposals:
        recommender = served.recommender
        interactions = recommender.dataset.interactions
        users = np.flatnonzero(np.diff(interactions.offsets))
        users = users[np.linspace(0, len(users) - 1, min(LOOKED_AT, len(users))).astype(np.int64)]
        generator = Restricted(recommender.generator, recommender.available)
        n, blocks = recommender.run_folder.recipe.evaluate.n_candidates, [np.empty((0, 0), dtype=np.int64)]
        at = recommender.questions.at
        for begin in range(0, len(users), BLOCK):
            queries = joined([at(user, interactions.items_of(user)) for user in users[begin : begin + BLOCK].tolist()])
            blocks.append(first_places(generator, queries, n))
        _proposals[served] = users, np.concatenate(blocks[1:] or blocks)
    return _proposals[served]
