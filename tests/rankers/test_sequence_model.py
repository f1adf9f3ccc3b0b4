"""The rows that a sequence model gives the table: fitted for itself, or of an encoder that stage 2 trained."""

from typing import ClassVar

import numpy as np
import pytest
import torch
from bodies import tiny_body
from kept_laws import KeptLaws

from mmsrarec.data.dataset import Interactions, make_interactions
from mmsrarec.data.splits import leave_one_out
from mmsrarec.errors import MmsrarecError
from mmsrarec.rankers.ranker_base import RankerBase
from mmsrarec.rankers.sequence_model import (
    Bert4rec,
    ContentSasrec,
    Gru4rec,
    ItemTokens,
    ItemTokensRandom,
    Sasrec,
    SequenceRanker,
    SpeederStyle,
)
from mmsrarec.retrieve.settings import RetrieveSettings
from mmsrarec.retrieve.training import train_encoder
from mmsrarec.testing import queries, tiny_log

N_USERS, N_ITEMS = 60, 50


class SequenceLaws(KeptLaws):
    settings: ClassVar = {
        "embedding_size": 8,
        "n_layers": 1,
        "n_heads": 1,
        "epochs": 4,
        "learning_rate": 0.01,
        "batch_size": 64,
    }
    learns_taste = False  # four passes are too few for that


class TestSasrec(SequenceLaws):
    ranker = Sasrec


class TestGru4rec(SequenceLaws):
    ranker = Gru4rec


class TestBert4rec(SequenceLaws):
    ranker = Bert4rec


class TestContentSasrec(SequenceLaws):
    ranker = ContentSasrec

    def trained(self, interactions: Interactions, seed: int) -> RankerBase:
        drawn = torch.Generator().manual_seed(0)
        content = torch.randn(interactions.n_items, 64, generator=drawn)
        return self.ranker(content=content, **self.settings).fit(interactions, seed=seed)


class TestItemTokens(TestContentSasrec):
    ranker = ItemTokens
    settings: ClassVar = {**SequenceLaws.settings, "body_learning_rate": 1e-3}

    def trained(self, interactions: Interactions, seed: int) -> RankerBase:
        content = torch.randn(interactions.n_items, 64, generator=torch.Generator().manual_seed(0))
        return self.ranker(content=content, body=tiny_body(), **self.settings).fit(interactions, seed=seed)


class TestItemTokensRandom(TestItemTokens):
    ranker = ItemTokensRandom


class TestSpeederStyle(TestItemTokens):
    ranker = SpeederStyle


def test_a_model_of_content_wants_the_content() -> None:
    with pytest.raises(MmsrarecError, match="tell it their content"):
        ContentSasrec(epochs=1, embedding_size=8).fit(tiny_log())


def test_settings_that_do_not_fit_together_are_refused() -> None:
    with pytest.raises(MmsrarecError, match=r"heads \(2\) must divide dims \(9\)"):
        Sasrec(embedding_size=9).fit(tiny_log())


def test_an_encoder_that_is_trained_already_ranks_by_its_own_scores() -> None:
    """Everyone goes round the items, from a place and at a time of their own."""
    user, step = np.repeat(np.arange(N_USERS), 12), np.tile(np.arange(12), N_USERS)
    split = leave_one_out(make_interactions(user, (user * 7 + step) % N_ITEMS, user * 5 + step * 2, N_USERS, N_ITEMS))
    tiny = RetrieveSettings(
        embedding_size=16, n_layers=1, max_length=6, learning_rate=0.01, batch_size=64, epochs=30, dropout=0.0
    )
    encoder = train_encoder(split.train, split.valid, tiny, seed=0)
    row = SequenceRanker.of(encoder)
    assert (row.name, type(row)) == ("sasrec", Sasrec)
    np.testing.assert_array_equal(row.score(split.test, None), encoder.scores(split.test.history))
    late = split.test.pick(np.arange(30, N_USERS))  # the first ones have too few before them
    assert (row.score(late, None).argmax(1) == late.target).mean() > 0.6  # chance: 1 / 50


def test_the_passes_are_chosen_on_what_is_held_back_and_then_nothing_is_held_back() -> None:
    log = tiny_log(n_users=120)
    row = Sasrec(embedding_size=16, n_layers=1, epochs=12, learning_rate=0.01, batch_size=64).fit(log)
    assert 1 <= len(row.encoder.curve) <= 12
    assert row.encoder.known is not None
    assert (row.encoder.known == (log.counts > 0)).all()
    best = row.score(queries(log.items_of(0).tolist()), None).argmax()
    assert best == (log.items_of(0)[-1] + 1) % log.n_items
