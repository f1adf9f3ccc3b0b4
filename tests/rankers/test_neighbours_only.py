"""The row that stage 2's neighbours give the table: their votes."""

from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from world import Bag

from mmsrarec.data.dataset import Interactions, make_interactions
from mmsrarec.data.splits import leave_one_out
from mmsrarec.errors import MmsrarecError
from mmsrarec.rankers.neighbours_only import NeighboursOnly
from mmsrarec.rankers.ranker_base import RankerBase
from mmsrarec.rankers.sequence_model import Sasrec
from mmsrarec.retrieve.encoder import Encoder
from mmsrarec.retrieve.neighbours import Neighbours
from mmsrarec.testing import RankerLaws, tiny_log

N_USERS, N_ITEMS = 60, 50


class TestNeighboursOnly(RankerLaws):
    """The encoder is the same whatever the log: weights that were trained come from all of it, and that is declared
    in the report."""

    ranker = NeighboursOnly
    settings: ClassVar = {"n_next": 2, "k": 10}
    learns_taste = False  # two camps are not told apart by an encoder of another log
    encoders: ClassVar[dict[int, Encoder]] = {}

    def fitted(self, interactions: Interactions, seed: int = 0) -> RankerBase:
        n_items = interactions.n_items
        if n_items not in self.encoders:
            trained = Sasrec(embedding_size=8, n_layers=1, n_heads=1, epochs=4, learning_rate=0.01, batch_size=64).fit(
                tiny_log(n_items=n_items)
            )
            self.encoders[n_items] = trained.encoder
        return self.ranker(encoder=self.encoders[n_items], **self.settings).fit(interactions, seed=seed)


def test_neighbours_find_the_rule_of_the_world() -> None:
    """Everyone goes round the items, from a place and at a time of their own."""
    user, step = np.repeat(np.arange(N_USERS), 12), np.tile(np.arange(12), N_USERS)
    split = leave_one_out(make_interactions(user, (user * 7 + step) % N_ITEMS, user * 5 + step * 2, N_USERS, N_ITEMS))
    row = NeighboursOnly.of(Neighbours(split.train, Bag(N_ITEMS)), n_next=2, k=10)
    late = split.test.pick(np.arange(30, N_USERS))  # the first ones have too few before them
    assert (row.score(late, None).argmax(1) == late.target).mean() > 0.6  # chance: 1 / 50


def test_without_an_encoder_it_trains_one() -> None:
    log = tiny_log(n_users=30, length=4)
    ranker = NeighboursOnly(k=5).fit(log)
    assert isinstance(ranker.neighbours.encoder, Encoder)


def test_an_encoder_of_somebody_else_cannot_be_saved(tmp_path: Path) -> None:
    ranker = NeighboursOnly(encoder=Bag(40)).fit(tiny_log())
    with pytest.raises(MmsrarecError, match="an encoder of type Bag cannot be saved"):
        ranker.save(tmp_path)
