"""Item tokens mixed from modalities, with tasks of place and order."""

from pathlib import Path

import numpy as np
import pytest
import torch
from bodies import tiny_body
from rounds import rounds

from mmsrarec.data.splits import leave_one_out, queries_at
from mmsrarec.models.sequence.speeder_style import PLACE_BUCKETS, SpeederStyle
from mmsrarec.retrieve.encoder import Encoder, new_model
from mmsrarec.retrieve.settings import RetrieveSettings
from mmsrarec.retrieve.training import train_encoder

ITEMS, TEXT, PICTURE = 30, 6, 2


def settings(**changes: object) -> RetrieveSettings:
    usual = {"encoder": "speeder-style", "embedding_size": 16, "max_length": 8, "batch_size": 64, "epochs": 6}
    usual |= {"content_size": TEXT, "picture_size": PICTURE, "learning_rate": 5e-3, "dropout": 0.1}
    return RetrieveSettings.model_validate(usual | changes)


def fresh(**changes: object) -> SpeederStyle:
    model = new_model(ITEMS, settings(**changes), tiny_body()).reset(torch.Generator().manual_seed(0))
    assert isinstance(model, SpeederStyle)
    content = torch.randn(ITEMS, TEXT + PICTURE, generator=torch.Generator().manual_seed(1))
    model.set_content(content, torch.ones(ITEMS, dtype=torch.bool))
    return model


def states(n_windows: int = 6, tokens: int = 7) -> torch.Tensor:
    return torch.randn(n_windows, tokens, 16, generator=torch.Generator().manual_seed(2))


def test_places_are_learned_up_to_a_factor_of_two() -> None:
    """States that say their bucket and which is earlier cost next to nothing; the same states shuffled cost more."""
    model, real = fresh(order_weight=1.0), torch.ones(4, 16, dtype=torch.bool)
    said = torch.zeros(4, 16, 16)
    with torch.no_grad():
        for place in range(16):
            said[:, place, [0, 1, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 4, 4, 4, 4][place]] = 1.0
            said[:, place, 15] = place
        model.place.weight.zero_()
        model.place.weight[:PLACE_BUCKETS, :PLACE_BUCKETS] = 50 * torch.eye(PLACE_BUCKETS)
        model.order.weight.zero_()
        model.order.weight[0, 15], model.order.weight[0, 31] = -50.0, 50.0
        right = model.auxiliary_loss(said, real, np.random.default_rng(0))
        wrong = model.auxiliary_loss(said.flip(1), real, np.random.default_rng(0))
    assert right is not None
    assert wrong is not None
    assert right.item() < 1e-4
    assert wrong.item() > 10


def test_padding_is_asked_for_no_place() -> None:
    model, real = fresh(), torch.ones(6, 7, dtype=torch.bool)
    real[:, 4:] = False
    one, other = states(), states()
    other[:, 4:] = 99.0
    found = [model.auxiliary_loss(each, real, np.random.default_rng(0)) for each in (one, other)]
    assert found[0] is not None
    assert torch.equal(found[0], found[1])  # pyright: ignore[reportArgumentType]


def test_the_tasks_can_be_switched_off_and_windows_of_one_token_have_no_order() -> None:
    real = torch.ones(6, 7, dtype=torch.bool)
    assert fresh(order_weight=0).auxiliary_loss(states(), real, np.random.default_rng(0)) is None
    lone = fresh().auxiliary_loss(states(tokens=1), real[:, :1], np.random.default_rng(0))
    assert lone is not None
    assert torch.isfinite(lone)


def test_text_and_pictures_are_dropped_each_apart_and_ids_by_their_own_dropout() -> None:
    model = fresh(modality_dropout=0.5, id_dropout=0.0).train()
    rng, seen = np.random.default_rng(0), np.zeros((ITEMS, 3))
    for _ in range(60):
        model.training_batch(np.zeros((1, 3), dtype=np.int64), rng)
        seen += model.items.shares[:ITEMS].detach().numpy() > 0
    share = seen.mean(0) / 60
    np.testing.assert_allclose(share, [0.5, 0.5, 1.0], atol=0.05)


def test_modalities_join_while_it_trains_and_all_count_at_the_end() -> None:
    split = leave_one_out(rounds())
    nobody = queries_at(split.train, np.empty(0, dtype=np.int64))
    content = torch.cat([torch.eye(ITEMS, TEXT), torch.ones(ITEMS, PICTURE)], dim=1)
    model = train_encoder(split.train, nobody, settings(epochs=3), 0, content=content, body=tiny_body()).model
    assert isinstance(model, SpeederStyle)
    assert model.items.joined.tolist() == [1, 1, 1]
    model.progress_to(0.0)
    assert model.items.joined.tolist() == [1, 0, 0]


@pytest.mark.parametrize("epochs", [1, 4])
def test_it_is_saved_with_what_had_joined(epochs: int, tmp_path: Path) -> None:
    split = leave_one_out(rounds())
    trained = train_encoder(
        split.train, split.valid, settings(epochs=epochs), 0, content=torch.eye(ITEMS, TEXT), body=tiny_body()
    )
    trained.save(tmp_path)
    loaded = Encoder.load(tmp_path)
    np.testing.assert_array_equal(loaded.scores(split.valid.history), trained.scores(split.valid.history))
