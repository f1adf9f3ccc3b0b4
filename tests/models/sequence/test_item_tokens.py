"""A sequence model whose layers are those of a language model."""

from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest
import torch
from bodies import tiny_body

from mmsrarec.data.dataset import Interactions, make_interactions
from mmsrarec.data.splits import leave_one_out, queries_at
from mmsrarec.errors import MmsrarecError
from mmsrarec.models.sequence.item_tokens import MAX_PLAIN, ItemTokens
from mmsrarec.models.sequence.whitening import whitened
from mmsrarec.retrieve.encoder import Encoder, new_model
from mmsrarec.retrieve.settings import ITEM_TOKENS, SPEEDER_STYLE, EncoderName, RetrieveSettings
from mmsrarec.retrieve.training import _optimizer, _rate_share, train_encoder

KINDS, EACH = 4, 8
ITEMS = KINDS * EACH
NEW = np.arange(ITEMS) % EACH == EACH - 1
"""The last item of each kind, which nobody takes in training."""


def settings(name: EncoderName = "item-tokens", **changes: object) -> RetrieveSettings:
    usual = {
        "embedding_size": 16,
        "n_layers": 1,
        "max_length": 8,
        "batch_size": 64,
        "epochs": 12,
        "content_size": KINDS,
    }
    usual |= {"learning_rate": 5e-3, "body_learning_rate": 1e-3, "dropout": 0.1, "encoder": name}
    return RetrieveSettings.model_validate(usual | changes)


def kinds() -> torch.Tensor:
    """(ITEMS, KINDS): an item is one of a kind, and its number says so."""
    return torch.eye(KINDS)[torch.arange(ITEMS) // EACH]


def log(users: int = 200, length: int = 6) -> Interactions:
    """Everybody takes items of one kind only, old ones in training, and a new one last."""
    rng = np.random.default_rng(0)
    kind = rng.integers(KINDS, size=(users, 1))
    item = kind * EACH + rng.integers(EACH - 1, size=(users, length))
    item[:, -1] = kind[:, 0] * EACH + EACH - 1
    times = np.tile(np.arange(length), users) + 1
    return make_interactions(np.repeat(np.arange(users), length), item.ravel(), times, users, ITEMS)


def fresh(name: EncoderName = "item-tokens", **changes: object) -> ItemTokens:
    """Untrained, with content and the layers' weights."""
    model = new_model(ITEMS, settings(name, **changes), tiny_body()).reset(torch.Generator().manual_seed(0))
    assert isinstance(model, ItemTokens)
    model.set_content(whitened(kinds(), KINDS), torch.ones(ITEMS, dtype=torch.bool))
    model.start_from(tiny_body().weights if name == "item-tokens" else None)
    return model.eval()


@pytest.fixture(scope="module", params=ITEM_TOKENS)
def trained(request: pytest.FixtureRequest) -> Encoder:
    split = leave_one_out(log())
    assert not split.train.counts[NEW].any()
    content, valid = whitened(kinds(), KINDS), split.valid
    if request.param == SPEEDER_STYLE:  # the last pass is kept, in which all modalities take part
        valid = queries_at(split.train, np.empty(0, dtype=np.int64))
    return train_encoder(split.train, valid, settings(request.param), 0, content=content, body=tiny_body())


def test_what_nobody_took_is_ranked_by_what_it_is(trained: Encoder) -> None:
    scores = trained.scores([np.array([0, 1]), np.array([EACH, EACH + 2])])
    for kind, row in enumerate(scores):
        new = row[NEW]
        assert new.argmax() == kind
    assert (trained.known == ~NEW).all()


def test_without_its_id_an_item_is_ranked_as_a_new_one_of_its_kind(trained: Encoder) -> None:
    hidden, history = np.arange(ITEMS) == 2, [np.array([0, 1]), np.array([EACH, EACH + 2])]
    scores, before = trained.without_ids(hidden).scores(history), trained.scores(history)
    np.testing.assert_allclose(scores[:, 2], scores[:, EACH - 1], atol=1e-5)
    assert np.abs(before[:, 2] - before[:, EACH - 1]).max() > 1e-3


def test_it_is_saved_with_its_layers(trained: Encoder, tmp_path: Path) -> None:
    trained.save(tmp_path)
    loaded, histories = Encoder.load(tmp_path), [np.array([3, 9]), np.array([], dtype=np.int64)]
    np.testing.assert_array_equal(loaded.scores(histories), trained.scores(histories))
    np.testing.assert_array_equal(loaded.encode(histories), trained.encode(histories))


def test_pretrained_layers_are_taken_and_the_control_draws_its_own() -> None:
    weights = dict(tiny_body().weights or {})
    taken, drawn = (fresh(name).layers.state_dict() for name in ITEM_TOKENS[:2])
    assert all(torch.equal(taken[name], weight) for name, weight in weights.items())
    maps = [name for name in weights if name.endswith("proj.weight")]
    assert maps
    assert not any(torch.equal(drawn[name], weights[name]) for name in maps)
    spread = tiny_body().config["initializer_range"]
    assert all(drawn[name].std().item() == pytest.approx(spread, rel=0.1) for name in maps)


def test_items_enter_as_wide_as_words_and_what_layers_give_is_centred_and_scaled() -> None:
    model = fresh()
    codes = torch.randint(ITEMS, (64, 12), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        vectors = model.item_norm(model.items(codes))
        entered, given = model.enter(vectors), (model._read(vectors) - model.centre) / model.spread
    assert entered.square().mean().sqrt().item() == pytest.approx(tiny_body().word_scale, rel=0.05)
    assert given.mean((0, 1)).abs().max() < 0.3
    assert given.std((0, 1)).median().item() == pytest.approx(1, rel=0.2)


def test_a_state_is_of_its_item_and_of_what_the_layers_read_before_it(trained: Encoder) -> None:
    model = trained.model
    assert isinstance(model, ItemTokens)
    with torch.no_grad():
        states = [model(torch.tensor([[ITEMS, *before, 5]]))[0, -1] for before in ([3, 17], [17, 3], [3, 18])]
    assert min((states[0] - other).abs().max() for other in states[1:]) > 1e-4
    deaf = deepcopy(model)
    with torch.no_grad():
        deaf.leave.weight.zero_()
        one, other = (deaf(torch.tensor([[ITEMS, first, 5]]))[0, -1] for first in (3, 17))
    torch.testing.assert_close(one, other)


def test_what_is_before_the_history_is_read_as_if_it_stood_in_every_window() -> None:
    model, layers = fresh(), tiny_body().module().eval()
    layers.load_state_dict(dict(tiny_body().weights or {}))
    vectors = torch.randn(3, 5, 16, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        inputs = torch.cat([model.opening.expand(3, -1, -1), model.enter(vectors)], dim=1)
        expected = layers(inputs_embeds=inputs, use_cache=False).last_hidden_state[:, len(model.opening) :]
        torch.testing.assert_close(model._read(vectors), expected, atol=1e-5, rtol=1e-4)


def test_long_windows_are_read_as_short_ones_are() -> None:
    model, tokens = fresh(), torch.randint(ITEMS, (2, MAX_PLAIN + 5), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(model(tokens)[:, :MAX_PLAIN], model(tokens[:, :MAX_PLAIN]), atol=1e-4, rtol=1e-3)


def test_a_layer_drops_a_share_of_what_it_adds_in_training_alone() -> None:
    model, whole = fresh(dropout=0.5), fresh(dropout=0.0)
    inputs = 0.3 * torch.randn(8, 9, 64, generator=torch.Generator().manual_seed(0))
    first, expected = (deepcopy(each.layers.layers) for each in (model, whole))
    calls = {"position_embeddings": model.layers.rotary_emb(inputs, torch.arange(9)[None])}
    with torch.no_grad():
        update = expected[0](inputs, **calls) - inputs
        torch.testing.assert_close(first[0](inputs, **calls) - inputs, update)
        dropped = first[0].train()(inputs, **calls) - inputs
    gone = dropped.abs() < 1e-7
    assert gone.float().mean().item() == pytest.approx(0.5, abs=0.05)
    torch.testing.assert_close(dropped[~gone], 2 * update[~gone], atol=1e-5, rtol=1e-4)


def test_the_layers_have_their_own_learning_rate() -> None:
    model = fresh()
    groups = _optimizer(model, settings(learning_rate=0.5, body_learning_rate=0.25)).param_groups
    assert [group["lr"] for group in groups] == [0.5, 0.25]
    assert sum(len(group["params"]) for group in groups) == len(list(model.parameters()))
    assert {id(weight) for weight in groups[1]["params"]} == {id(weight) for weight in model.layers.parameters()}


def test_rates_rise_then_fall_to_the_end() -> None:
    shares = [_rate_share(passes, 8) for passes in np.linspace(0, 8, 161)]
    top = int(np.argmax(shares))
    assert (shares[0], shares[-1]) == (0.0, pytest.approx(0.0, abs=1e-9))
    assert max(shares) > 0.95
    assert (np.diff(shares[: top + 1]) > 0).all()
    assert (np.diff(shares[top:]) < 0).all()


def test_layers_that_learn_nothing_stay_as_they_are() -> None:
    interactions = log(users=20)
    nobody, still = queries_at(interactions, np.empty(0, dtype=np.int64)), settings(body_learning_rate=0, epochs=2)
    found = train_encoder(interactions, nobody, still, 0, content=kinds(), body=tiny_body()).model
    assert isinstance(found, ItemTokens)
    for name, weight in (tiny_body().weights or {}).items():
        assert torch.equal(found.layers.state_dict()[name], weight)
    assert found.leave.weight.abs().max() > 0


def test_what_it_needs_is_asked_for() -> None:
    interactions = log(users=20)
    nobody = queries_at(interactions, np.empty(0, dtype=np.int64))
    with pytest.raises(MmsrarecError, match="give it a LanguageBody"):
        train_encoder(interactions, nobody, settings(), 0, content=kinds())
    with pytest.raises(MmsrarecError, match="tell it their content"):
        train_encoder(interactions, nobody, settings(), 0, body=tiny_body())


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_all_weights_learn_in_either_number_format(dtype: torch.dtype) -> None:
    model = fresh().train()
    model.dtype = dtype
    model(torch.tensor([[ITEMS, 3, 17, 5]])).square().sum().backward()
    still = [name for name, weight in model.named_parameters() if weight.grad is None or not weight.grad.any()]
    assert not still


def test_in_bfloat16_it_computes_nearly_the_same() -> None:
    model = fresh(dropout=0.0)
    with torch.no_grad():
        tokens = torch.tensor([[ITEMS, 3, 17, 5, 9]])
        exact = model(tokens)
        model.dtype = torch.bfloat16
        rounded = model(tokens)
    assert rounded.dtype == torch.float32
    assert 0 < (rounded - exact).abs().max() < 0.1
