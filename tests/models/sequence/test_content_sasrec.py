"""A sequence model that knows what items are."""

from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from mmsrarec.data.dataset import Interactions, make_interactions
from mmsrarec.data.splits import leave_one_out, queries_at
from mmsrarec.errors import MmsrarecError
from mmsrarec.models.sequence.content_sasrec import ContentSASRec
from mmsrarec.models.sequence.whitening import whitened
from mmsrarec.retrieve.encoder import Encoder, new_model
from mmsrarec.retrieve.settings import RetrieveSettings
from mmsrarec.retrieve.training import train_encoder

KINDS, EACH = 4, 8
ITEMS = KINDS * EACH
NEW = np.arange(ITEMS) % EACH == EACH - 1
"""The last item of each kind, which nobody takes in training."""
SETTINGS = RetrieveSettings(
    encoder="content-sasrec",
    embedding_size=16,
    n_layers=1,
    n_heads=2,
    max_length=8,
    batch_size=64,
    epochs=30,
    learning_rate=5e-3,
    content_size=KINDS,
)


def kinds() -> Tensor:
    """(ITEMS, KINDS): an item is one of a kind, and its number says so."""
    return torch.eye(KINDS)[torch.arange(ITEMS) // EACH]


def log(rng: np.random.Generator, users: int = 200, length: int = 6) -> Interactions:
    """Everybody takes items of one kind only, old ones in training, and a new one last."""
    kind = rng.integers(KINDS, size=(users, 1))
    item = kind * EACH + rng.integers(EACH - 1, size=(users, length))
    item[:, -1] = kind[:, 0] * EACH + EACH - 1
    return make_interactions(
        np.repeat(np.arange(users), length), item.ravel(), np.tile(np.arange(length), users) + 1, users, ITEMS
    )


@pytest.fixture(scope="module")
def trained() -> Encoder:
    split = leave_one_out(log(np.random.default_rng(0)))
    assert not split.train.counts[NEW].any()
    return train_encoder(split.train, split.valid, SETTINGS, 0, content=whitened(kinds(), KINDS))


def test_what_nobody_took_is_ranked_by_what_it_is(trained: Encoder) -> None:
    scores = trained.scores([np.array([0, 1]), np.array([EACH, EACH + 2])])
    for kind, row in enumerate(scores):
        own = row[kind * EACH : (kind + 1) * EACH]
        assert own.min() > np.delete(row, np.arange(kind * EACH, (kind + 1) * EACH)).max()
    assert trained.model.items.known[:ITEMS, 0].numpy().astype(bool).tolist() == (~NEW).tolist()


def test_new_items_of_one_content_are_told_by_nothing_else(trained: Encoder) -> None:
    model = trained.model
    assert isinstance(model, ContentSASRec)
    twin = deepcopy(model)
    with torch.no_grad():
        twin.items.ids.weight[:ITEMS][torch.from_numpy(NEW)] = 9.0
    torch.testing.assert_close(twin.items.weight, model.items.weight)


def test_without_its_id_an_item_is_ranked_as_a_new_one_of_its_kind(trained: Encoder) -> None:
    hidden = np.arange(ITEMS) == 2
    history = [np.array([0, 1]), np.array([EACH, EACH + 2])]
    scores, before = trained.without_ids(hidden).scores(history), trained.scores(history)
    np.testing.assert_allclose(scores[:, 2], scores[:, EACH - 1], atol=1e-5)
    assert np.abs(before[:, 2] - before[:, EACH - 1]).max() > 1e-3
    np.testing.assert_array_equal(trained.scores(history), before)  # the model itself is as it was


def test_ids_are_left_out_while_training_alone() -> None:
    model = new_model(ITEMS, SETTINGS.model_copy(update={"id_dropout": 1.0}))
    assert isinstance(model, ContentSASRec)
    model.set_content(kinds(), torch.ones(ITEMS, dtype=torch.bool))
    model.train().training_batch(np.zeros((1, 3), dtype=np.int64), np.random.default_rng(0))
    content = model.items.map(model.items.content)
    torch.testing.assert_close(model.items.weight[:ITEMS], content[:ITEMS])
    assert not torch.equal(model.items.weight[ITEMS:], content[ITEMS:])  # the start token has nothing else
    assert not torch.equal(model.eval().items.weight[:ITEMS], content[:ITEMS])


def test_it_is_saved_with_its_content(trained: Encoder, tmp_path: Path) -> None:
    trained.save(tmp_path)
    loaded = Encoder.load(tmp_path)
    histories = [np.array([3, 9]), np.array([], dtype=np.int64)]
    np.testing.assert_array_equal(loaded.scores(histories), trained.scores(histories))


def test_equal_seeds_give_equal_models_and_content_is_asked_for() -> None:
    interactions = log(np.random.default_rng(1), users=20)
    nobody, short = queries_at(interactions, np.empty(0, dtype=np.int64)), SETTINGS.model_copy(update={"epochs": 2})
    a, b = (train_encoder(interactions, nobody, short, 3, content=kinds()) for _ in range(2))
    for one, other in zip(a.model.state_dict().values(), b.model.state_dict().values(), strict=True):
        assert torch.equal(one, other)
    with pytest.raises(MmsrarecError, match="tell it their content"):
        train_encoder(interactions, nobody, short, 3)
