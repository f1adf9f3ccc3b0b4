"""The row "neighbours-only": stage 2 alone, without a language model."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field

from mmsrarec.data.dataset import FloatArray, IntArray, Interactions
from mmsrarec.data.splits import Queries
from mmsrarec.errors import MmsrarecError
from mmsrarec.rankers.ranker_base import RankerBase, RankerSettings
from mmsrarec.rankers.saved_arrays import log_arrays, log_from
from mmsrarec.rankers.sequence_model import Sasrec
from mmsrarec.retrieve.collaborative_context import item_weights, voting_neighbours
from mmsrarec.retrieve.indexed_rows import Encodes
from mmsrarec.retrieve.neighbours import Neighbours

if TYPE_CHECKING:
    from mmsrarec.rankers.registry.registry import Source


class NeighboursOnlySettings(RankerSettings):
    """How many neighbours vote, and how much of what each consumed."""

    n_next: int = Field(default=3, ge=1, le=50, description="items of a neighbour that count as consumed next")
    k: int = Field(default=50, ge=1, le=20000, description="neighbours that vote")


class NeighboursOnly(RankerBase):
    """Scores an item by the summed weight of the neighbours that consumed it next.

    k may be larger than what a prompt can show: a ranking wants more votes than a sentence.
    """

    name = "neighbours-only"
    Settings = NeighboursOnlySettings
    from_log = False
    needs_time = True

    def __init__(self, settings: BaseModel | None = None, encoder: Encodes | None = None, **values: Any) -> None:
        """Not fitted yet.

        Args:
            settings: The settings as a whole.
            encoder: Makes a vector of a history; unless given, `fit` trains SASRec.
            **values: Settings by name.
        """
        super().__init__(settings, **values)
        self.encoder = encoder

    @classmethod
    def from_source(cls, source: "Source") -> "RankerBase":
        """Made of stage 2's index and settings."""
        index = source.retrieval()
        settings, n_users = index.settings, index.train.n_users
        return cls.of(index.neighbours, n_next=settings.n_vote_items, k=settings.n_vote_neighbours_of(n_users))

    @classmethod
    def of(cls, neighbours: Neighbours, **values: Any) -> "NeighboursOnly":
        """The ranker of an index that exists already.

        Args:
            neighbours: The index.
            **values: Settings by name.
        """
        ranker = cls(encoder=neighbours.encoder, **values)
        ranker.neighbours, ranker.n_users = neighbours, neighbours.train.n_users
        ranker._known = neighbours.train.counts > 0
        return ranker

    @property
    def train(self) -> Interactions:
        """The interactions that neighbours come from."""
        return self.neighbours.train

    def _fit(self, interactions: Interactions, seed: int) -> None:
        encoder = self.encoder or Sasrec().fit(interactions, seed=seed).encoder
        self.neighbours = Neighbours(interactions, encoder)

    def _score(self, queries: Queries, candidates: IntArray | None) -> FloatArray:
        """(m, c) or (m, n_items) sums of weights, 0 for what no neighbour consumed."""
        width = self.n_items if candidates is None else candidates.shape[1]
        scores = np.zeros((len(queries), width))
        settings = self.settings
        for rows, _, neighbours, items in voting_neighbours(
            self.neighbours, self.train, queries, settings.k, settings.n_next
        ):
            weights = item_weights(items, neighbours.similarity)
            for place, i in enumerate(rows.tolist()):
                consumed = np.maximum(items[place].ravel(), 0)
                votes = np.bincount(consumed, weights[place].ravel(), self.n_items)
                scores[i] = votes if candidates is None else votes[candidates[i]]
        return scores

    def save(self, folder: Path) -> None:
        """Write the log, the index and the encoder.

        Raises:
            MmsrarecError: The encoder is none of this library's, so it cannot be written.
        """
        from mmsrarec.retrieve.encoder import Encoder

        if not isinstance(encoder := self.neighbours.encoder, Encoder):
            raise MmsrarecError(f"{self.name}: an encoder of type {type(encoder).__name__} cannot be saved")
        super().save(folder)
        self.neighbours.save(folder)
        encoder.save(folder)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote. Raises MmsrarecError as `RankerBase.load` does."""
        from mmsrarec.retrieve.encoder import Encoder

        ranker = super().load(folder)
        ranker.encoder = Encoder.load(folder)
        ranker.neighbours = Neighbours.load(folder, ranker._log, ranker.encoder)
        return ranker

    def _state(self) -> dict[str, NDArray[Any]]:
        return log_arrays(self.train)

    def _restore(self, arrays: dict[str, NDArray[Any]]) -> None:
        self._log = log_from(arrays, self.n_users, self.n_items)
