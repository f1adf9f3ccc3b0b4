"""The terms of a generator: log-probabilities over what it was trained on, which nothing that joined later changes."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from rounds import SMALL
from soft import drawn_encoder

from mmsrarec.data.splits import Queries
from mmsrarec.models.sequence.whitening import Whitening
from mmsrarec.rankers.ensemble.features import ranking_feature
from mmsrarec.rankers.ensemble.interleaved import HiddenItems, PaddedCatalogue
from mmsrarec.rankers.sequence_model import SequenceRanker
from mmsrarec.retrieve.encoder import Encoder
from mmsrarec.retrieve.later_items import with_new_items
from mmsrarec.retrieve.settings import CONTENT_ENCODERS, EncoderName

ITEMS = 9


def states(n: int, size: float = 1.0) -> torch.Tensor:
    return size * torch.randn(n, 20, generator=torch.Generator().manual_seed(3))


def trained(name: EncoderName) -> Encoder:
    whitening, _ = Whitening.fit(states(ITEMS), SMALL.content_size)
    return replace(drawn_encoder(ITEMS, name), whitening=whitening)


def queries() -> Queries:
    histories = (np.array([1, 2, 3]), np.array([], dtype=np.int64), np.array([8]))
    return Queries(np.full(3, -1), np.full(3, -1), np.full(3, 10), histories)


def terms(encoder: Encoder) -> np.ndarray:
    """The terms of an encoder in a catalogue of one item more than it knows."""
    return ranking_feature(PaddedCatalogue(SequenceRanker.of(encoder), encoder.n_items + 1), queries())


@pytest.mark.parametrize("name", CONTENT_ENCODERS)
def test_an_item_that_joined_changes_no_other(name: EncoderName) -> None:
    encoder = trained(name)
    before = terms(encoder)
    np.testing.assert_allclose(np.exp(before[:, :ITEMS]).sum(axis=1), 1)
    for size in (1.0, 100.0):  # the second is likelier than all others together
        after = terms(with_new_items(encoder, states(1, size), np.ones(1, dtype=bool)))
        np.testing.assert_allclose(after[:, :ITEMS], before[:, :ITEMS], atol=1e-4)
        assert np.isfinite(after[:, ITEMS]).all()
        assert np.isnan(after[:, ITEMS + 1]).all()


@pytest.mark.parametrize("name", CONTENT_ENCODERS)
def test_an_item_that_joined_without_content_is_unknown_whatever_joined_beside_it(name: EncoderName) -> None:
    after = terms(with_new_items(trained(name), states(2), np.array([False, True])))
    np.testing.assert_array_equal(np.isnan(after[:, ITEMS:]), [[True, False, True]] * 3)


def test_hidden_items_have_no_part() -> None:
    encoder = with_new_items(trained("content-sasrec"), states(1), np.ones(1, dtype=bool))
    hidden = np.arange(ITEMS + 1) == 2
    found = ranking_feature(HiddenItems(SequenceRanker.of(encoder), hidden), queries())
    assert np.isnan(found[:, 2]).all()
    np.testing.assert_allclose(np.exp(found[:, :ITEMS][:, ~hidden[:ITEMS]]).sum(axis=1), 1)
