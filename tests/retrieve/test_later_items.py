"""Items that join after a sequence model was trained: known by content, and nothing changes for the others."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from rounds import SMALL
from soft import drawn_encoder

from mmsrarec.models.sequence.whitening import Whitening
from mmsrarec.retrieve.encoder import Encoder
from mmsrarec.retrieve.later_items import reads_new_items, with_new_items, with_other_states
from mmsrarec.retrieve.settings import CONTENT_ENCODERS, ENCODERS, EncoderName

ITEMS = 9
HISTORIES = [np.array([1, 2, 3]), np.array([], dtype=np.int64), np.array([8, -1, 0])]


def states(n: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(n, 20, generator=torch.Generator().manual_seed(seed))


def trained(name: EncoderName) -> Encoder:
    """A model of items whose content was made of `states`."""
    encoder = drawn_encoder(ITEMS, name, known=np.arange(ITEMS) < ITEMS - 1)
    whitening, content = Whitening.fit(states(ITEMS), SMALL.content_size)
    encoder.model.items.content[:ITEMS, : content.shape[1]] = content
    return replace(encoder, whitening=whitening)


@pytest.mark.parametrize("name", CONTENT_ENCODERS)
def test_an_item_that_joins_has_the_vector_of_its_content(name: EncoderName) -> None:
    before = trained(name)
    joined = torch.cat([states(ITEMS)[3:4], states(1, seed=5), states(1, seed=6)])
    after = with_new_items(before, joined, np.array([True, True, False]))
    assert (after.n_items, after.n_trained, after.n_joined) == (ITEMS + 3, ITEMS, 3)
    np.testing.assert_array_equal(after.knows_content[ITEMS:], [True, True, False])
    assert after.known is not None
    assert not after.known[ITEMS:].any()
    alone = before.without_ids(np.ones(ITEMS, dtype=bool)).item_vectors()
    np.testing.assert_allclose(after.item_vectors()[ITEMS], alone[3], atol=1e-4)  # of the very same state
    assert np.abs(after.item_vectors()[ITEMS + 1] - alone).max(axis=1).min() > 1e-3
    np.testing.assert_allclose(after.item_vectors()[:ITEMS], before.item_vectors(), atol=1e-6)
    np.testing.assert_allclose(after.encode(HISTORIES), before.encode(HISTORIES), atol=1e-5)
    np.testing.assert_allclose(after.scores(HISTORIES)[:, :ITEMS], before.scores(HISTORIES), atol=1e-4)
    read = after.encode([np.array([1, ITEMS])])
    assert np.abs(read - after.encode([np.array([1])])).max() > 1e-4  # a history may hold it


def test_items_join_one_after_the_other_or_together(tmp_path: Path) -> None:
    before, joined, all_told = trained("content-sasrec"), states(2, seed=5), np.ones(2, dtype=bool)
    before.save(tmp_path)
    kept = Encoder.load(tmp_path)
    together = with_new_items(kept, joined, all_told)
    one_by_one = with_new_items(with_new_items(before, joined[:1], all_told[:1]), joined[1:], all_told[1:])
    np.testing.assert_allclose(one_by_one.item_vectors(), together.item_vectors(), atol=1e-6)
    assert one_by_one.n_joined == together.n_joined == 2


@pytest.mark.parametrize("name", CONTENT_ENCODERS)
def test_an_item_that_joined_is_other_than_before(name: EncoderName) -> None:
    before, (old, new) = trained(name), states(2, seed=5)
    joined = with_new_items(before, torch.stack([old, old]), np.ones(2, dtype=bool))
    weights = {key: value.clone() for key, value in joined.model.state_dict().items()}
    changed = with_other_states(joined, {2: new, ITEMS: new, ITEMS + 2: new})  # trained with, joined, unknown
    expected = with_new_items(before, torch.stack([new, old]), np.ones(2, dtype=bool))
    np.testing.assert_allclose(changed.item_vectors(), expected.item_vectors(), atol=1e-6)
    forgotten = with_other_states(changed, {ITEMS + 1: None})
    np.testing.assert_array_equal(forgotten.knows_content[ITEMS:], [True, False])
    assert with_other_states(joined, {2: new}) is joined
    assert all(torch.equal(weights[key], value) for key, value in joined.model.state_dict().items())


@pytest.mark.parametrize("name", [name for name in ENCODERS if name not in CONTENT_ENCODERS])
def test_models_of_ids_alone_stay_as_they_are(name: EncoderName) -> None:
    encoder = drawn_encoder(ITEMS, name)
    assert not reads_new_items(encoder)
    assert with_new_items(encoder, states(1), np.array([True])) is encoder


def test_a_model_that_kept_no_whitening_stays_as_it_is() -> None:
    earlier = replace(trained("content-sasrec"), whitening=None)
    assert with_new_items(earlier, states(1), np.array([True])) is earlier
    assert with_new_items(trained("content-sasrec"), states(0), np.zeros(0, dtype=bool)).n_joined == 0
