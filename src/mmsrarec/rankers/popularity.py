"""How many interactions an item has: over all of training, or only up to the query's time."""

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from mmsrarec.data.dataset import FloatArray, IntArray, Interactions
from mmsrarec.data.splits import Queries
from mmsrarec.rankers.ranker_base import RankerBase, RankerSettings
from mmsrarec.rankers.saved_arrays import log_arrays, log_from


class Popularity(RankerBase):
    """Interactions an item has in training. With leave-one-out these include others' interactions after the query."""

    name = "popularity"

    def _fit(self, interactions: Interactions, seed: int) -> None:
        self.counts = interactions.counts.astype(float)

    def _score(self, queries: Queries, candidates: IntArray | None) -> FloatArray:
        if candidates is None:
            return np.broadcast_to(self.counts, (len(queries), len(self.counts)))
        return self.counts[candidates]

    def _state(self) -> dict[str, NDArray[Any]]:
        return {"counts": self.counts}

    def _restore(self, arrays: dict[str, NDArray[Any]]) -> None:
        self.counts = arrays["counts"]


class PopularityAsOf(RankerBase):
    """Training interactions of an item strictly before the query's time, by others than the user."""

    name = "popularity-as-of"
    needs_time = True

    def _fit(self, interactions: Interactions, seed: int) -> None:
        self.train = interactions
        self.items = interactions.item[interactions.by_time]
        self.times = interactions.times

    def _score(self, queries: Queries, candidates: IntArray | None) -> FloatArray:
        width = self.n_items if candidates is None else candidates.shape[1]
        scores = np.empty((len(queries), width))
        counts = np.zeros(self.n_items)
        start = end = 0
        for row in np.argsort(queries.time, kind="stable"):  # one pass over the log serves all queries
            time = int(queries.time[row])
            since = self._since(time)
            first, now = np.searchsorted(self.times, [since, time]).tolist()
            if (first, end, now) == (0, 0, len(self.items)):  # after the whole log, as when a run answers
                counts = self.train.counts.astype(float)
            else:
                np.add.at(counts, self.items[end:now], 1)
            np.subtract.at(counts, self.items[start:first], 1)
            start, end = first, now
            own = self._own(int(queries.user[row]), since, time)
            if candidates is None:
                scores[row] = counts
                np.subtract.at(scores[row], own, 1)
            else:
                scores[row] = counts[candidates[row]] - (own[:, None] == candidates[row]).sum(axis=0)
        return scores

    def _state(self) -> dict[str, NDArray[Any]]:
        return log_arrays(self.train)

    def _restore(self, arrays: dict[str, NDArray[Any]]) -> None:
        self._fit(log_from(arrays, self.n_users, self.n_items), 0)

    def _since(self, time: int) -> int:
        """The first second whose interactions count at a time."""
        return min(time, int(self.times[0])) if len(self.times) else time

    def _own(self, user: int, since: int, time: int) -> IntArray:
        """Items of the user's own training interactions before the query, which the counts hold."""
        rows = self.train.rows(user) if 0 <= user < self.n_users else slice(0)
        times = self.train.time[rows]
        return self.train.item[rows][(since <= times) & (times < time)]


class RecentPopularitySettings(RankerSettings):
    """Popularity of late."""

    share: float = Field(default=0.1, gt=0, le=1, description="share of the log, the newest part, that is counted")


class RecentPopularity(PopularityAsOf):
    """Popularity among the latest interactions before the query.

    They are a share of the log, and the rest of the second in which that share begins.
    """

    name = "recent-popularity"
    Settings = RecentPopularitySettings
    search_space: ClassVar = {"share": (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5)}

    def _fit(self, interactions: Interactions, seed: int) -> None:
        super()._fit(interactions, seed)
        self.latest = max(1, round(self.settings.share * len(interactions)))

    def _since(self, time: int) -> int:
        before = int(np.searchsorted(self.times, time))
        return int(self.times[max(before - self.latest, 0)]) if before else time
