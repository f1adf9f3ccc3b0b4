"""What is known at a moment: gathered by one function for training, evaluation and serving, under one clock."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from mmsrarec.data.dataset import Events, IntArray
from mmsrarec.data.split import Moments, moments_at
from mmsrarec.errors import MmsrarecError
from mmsrarec.recommend.settings import RecommendSettings
from mmsrarec.retrieve import popularity
from mmsrarec.retrieve.alike import alike_levels
from mmsrarec.retrieve.context import collaborative_items, next_items
from mmsrarec.retrieve.neighbours import Found, Neighbours
from mmsrarec.retrieve.settings import RetrieveSettings


@dataclass(frozen=True)
class Evidence:
    """One moment, all of it strictly older than the moment.

    history, similar: item codes, history oldest first. candidates: c item codes; popularity, alike: c levels, which
    index `popularity.WORDS` and `ALIKE`.
    """

    history: tuple[int, ...]
    similar: tuple[int, ...]
    candidates: tuple[int, ...]
    popularity: tuple[int, ...]
    alike: tuple[int, ...]

    def pick(self, places: IntArray | list[int]) -> "Evidence":
        """The same moment with the candidates at `places` only, in that order."""
        chosen: Mapping[str, tuple[int, ...]] = {
            name: tuple(getattr(self, name)[int(place)] for place in places)
            for name in ("candidates", "popularity", "alike")
        }
        return replace(self, **chosen)


@dataclass(frozen=True)
class Retrieval:
    """Stage 2 ready for use: the training log, its index of moments, and how much is asked of it."""

    train: Events
    neighbours: Neighbours
    settings: RetrieveSettings

    def gather(self, moments: Moments, candidates: IntArray, settings: RecommendSettings) -> list[Evidence]:
        """The evidence for (m, c) candidates at m moments. Raises MmsrarecError if a moment has no time."""
        s = self.settings
        crowd = self.neighbours.find(moments, max(s.k, s.crowd))
        nearest = Found(crowd.user[:, : s.k], crowd.row[:, : s.k], crowd.similarity[:, : s.k])
        following = next_items(nearest, self.train, moments, s.next_items)
        alike = alike_levels(crowd, self.train, moments, candidates, s.crowd_next)
        popular = popularity.levels(self.train, moments, candidates)
        return [
            Evidence(
                history=tuple(moments.history[row][-settings.history :].tolist()),
                similar=collaborative_items(
                    following[row], nearest.similarity[row], moments.history[row], settings.similar_items
                ),
                candidates=tuple(candidates[row].tolist()),
                popularity=tuple(popular[row].tolist()),
                alike=tuple(alike[row].tolist()),
            )
            for row in range(len(moments))
        ]


def sample_training(
    train: Events, packs: int, negatives: int, rng: np.random.Generator
) -> tuple[Moments, IntArray, IntArray]:
    """Training examples: `packs` moments, (packs, 1 + negatives) candidates, and the positive's place among them.

    Users are drawn uniformly, then one of their events that has a past. The negatives are items the user never took, as
    far as training knows, and the place of the positive is uniform. An item that nobody took in training is no negative
    either: it can never be a positive, so the model would learn that whatever is new is not wanted.
    """
    lengths = np.diff(train.offsets)
    with_past = np.flatnonzero(lengths >= 2)
    if not len(with_past):
        raise MmsrarecError("no user has two training events, so there is nothing to learn from: give a longer log")
    users = rng.choice(with_past, packs)
    rows = train.offsets[users] + 1 + (rng.random(packs) * (lengths[users] - 1)).astype(np.int64)
    moments = moments_at(train, rows)
    place = rng.integers(0, negatives + 1, packs)
    known = np.flatnonzero(train.counts)
    candidates = np.empty((packs, negatives + 1), dtype=np.int64)
    for row, user in enumerate(users):
        taken = train.items_of(int(user))
        untaken = np.setdiff1d(known, taken)
        if not len(untaken):  # whoever took all that is known leaves only the rest
            untaken = np.setdiff1d(np.arange(train.n_items), taken)
        if not len(untaken):
            raise MmsrarecError(f"user code {user} has taken every item, so there is no negative: add items")
        candidates[row] = rng.choice(untaken, negatives + 1, replace=len(untaken) <= negatives)
        candidates[row, place[row]] = moments.target[row]
    return moments, candidates, place
