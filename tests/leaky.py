"""A small world for the leak checks, sound as it is; each of its parts can be swapped for one that leaks."""

from collections.abc import Callable

import numpy as np
from world import Bag

from mmsrarec.data.dataset import IntArray, Interactions, make_interactions
from mmsrarec.data.splits import Queries, Split, leave_one_out
from mmsrarec.rankers.base import Ranker
from mmsrarec.rankers.popularity import Popularity
from mmsrarec.rankers.sequential_rules import SequentialRules
from mmsrarec.recommend.prompt.prompt_context import PromptContext, Retrieval
from mmsrarec.recommend.ranking.context_only import ContextOnly
from mmsrarec.recommend.settings import RecommendSettings
from mmsrarec.retrieve.neighbours import Neighbours
from mmsrarec.retrieve.settings import RetrieveSettings

N_USERS, N_ITEMS, LENGTH = 80, 60, 10
SETTINGS = RecommendSettings(history=3, similar_items=5)
FOREVER = 10**9


def rounds(seed: int = 0, strays: float = 0.25) -> Interactions:
    """Everybody goes round the items from a place and at a time of their own, and strays now and then."""
    rng = np.random.default_rng(seed)
    steps = np.where(rng.random((N_USERS, LENGTH)) < strays, rng.integers(2, 5, (N_USERS, LENGTH)), 1)
    items = (rng.integers(N_ITEMS, size=(N_USERS, 1)) + steps.cumsum(axis=1)) % N_ITEMS
    times = rng.integers(0, 500, (N_USERS, 1)) + 10 * np.arange(LENGTH)
    return make_interactions(np.repeat(np.arange(N_USERS), LENGTH), items.ravel(), times.ravel(), N_USERS, N_ITEMS)


class TooMuch(Retrieval):
    """Knows everything, the query's own user and its future included."""

    def gather(self, queries: Queries, candidates: IntArray, settings: RecommendSettings) -> list[PromptContext]:
        nobody, end = np.full(len(queries), -1), np.full(len(queries), FOREVER)
        return super().gather(Queries(nobody, end, queries.target, queries.history), candidates, settings)


class Future(Retrieval):
    """Knows others' future, `ahead` seconds of it."""

    ahead = 1

    def gather(self, queries: Queries, candidates: IntArray, settings: RecommendSettings) -> list[PromptContext]:
        later = Queries(queries.user, queries.time + self.ahead, queries.target, queries.history)
        return super().gather(later, candidates, settings)


class Small:
    """The world of a log. seen: what retrieval and rows are made from, split.train unless swapped."""

    def __init__(
        self,
        log: Interactions,
        retrieval: type[Retrieval] = Retrieval,
        seen: Callable[[Interactions, Split], Interactions] = lambda log, split: split.train,
        rows: Callable[["Small"], dict[str, Ranker]] = lambda run_view: {},
    ):
        self.log, self.split, self.rows = log, leave_one_out(log), rows
        self.seen = seen(log, self.split)
        settings = RetrieveSettings(n_vote_neighbours=10)
        self.retrieval = retrieval(self.seen, Neighbours(self.seen, Bag(N_ITEMS)), settings)

    def row(self, name: str) -> Ranker:
        sound: dict[str, Ranker] = {
            "popularity": Popularity().fit(self.seen),
            "sequential-rules": SequentialRules().fit(self.seen),
            "context-only": ContextOnly(self.retrieval, SETTINGS),
        }
        return (sound | self.rows(self))[name]


ROWS = ("popularity", "sequential-rules", "context-only")


def whole_log(log: Interactions, split: Split) -> Interactions:
    return log
