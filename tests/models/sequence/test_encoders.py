"""Sequence models: blind to what they must name, to padding, the same for the same seed."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mmsrarec.models.sequence.encoders import BERT4Rec, GRU4Rec, SASRec, SequenceModel, fill

N_ITEMS, LENGTH = 11, 6
NAMES = ("sasrec", "gru4rec", "bert4rec")
CAUSAL = NAMES[:2]


def model(name: str = "sasrec", seed: int = 0, dropout: float = 0.0) -> SequenceModel:
    makers = {
        "sasrec": lambda: SASRec(N_ITEMS, LENGTH, dims=8, blocks=2, heads=2, dropout=dropout),
        "gru4rec": lambda: GRU4Rec(N_ITEMS, dims=8, blocks=2, dropout=dropout),
        "bert4rec": lambda: BERT4Rec(N_ITEMS, LENGTH, dims=8, blocks=2, heads=2, dropout=dropout, hidden=0.3),
    }
    net = makers[name]()
    # larger weights than the initial ones, so that a leak of one token into another cannot hide in the rounding
    with torch.no_grad():
        for part, weight in net.reset(torch.Generator().manual_seed(seed)).named_parameters():
            weight.mul_(1 if weight.ndim < 2 or part.startswith("gru") else 10)
    return net.eval()


@pytest.fixture
def tokens() -> torch.Tensor:
    return torch.tensor([[N_ITEMS, 3, 1, 4, 1, 5, 9]])


@pytest.mark.parametrize("name", CAUSAL)
def test_a_token_sees_only_what_stands_before_it(name, tokens):
    net, changed = model(name), tokens.clone()
    changed[0, 4] = 7
    before, after = net(tokens), net(changed)
    torch.testing.assert_close(before[:, :4], after[:, :4])
    assert (before[:, 4:] - after[:, 4:]).abs().amax(-1).min() > 1e-3  # the token itself and all later ones


def test_bert4rec_sees_both_sides(tokens):
    net, changed = model("bert4rec"), tokens[:, 1:].clone()
    changed[0, 3] = 7
    assert (net(tokens[:, 1:]) - net(changed)).abs().amax(-1).min() > 1e-3


@pytest.mark.parametrize("name", NAMES)
def test_padding_on_the_right_changes_nothing(name, tokens):
    net, short = model(name), tokens[:, 1:4]
    padded = torch.cat([short, torch.full((1, 3), net.pad)], dim=1)
    torch.testing.assert_close(net(padded)[:, :3], net(short))


@pytest.mark.parametrize("name", NAMES)
def test_the_state_at_a_place_is_that_of_the_whole_window(name, tokens):
    net, ends = model(name), torch.tensor([6, 2, 4])
    windows = torch.cat([tokens, tokens.flip(1), tokens.roll(3, 1)])
    for row, end in enumerate(ends):
        windows[row, end + 1 :] = net.pad
    torch.testing.assert_close(net.states_at(windows, ends), net(windows)[torch.arange(3), ends])


@pytest.mark.parametrize("name", NAMES)
def test_places_matter(name, tokens):
    swapped = tokens[:, [0, 2, 1, 3, 4, 5, 6]]
    assert (model(name)(tokens)[:, -1] - model(name)(swapped)[:, -1]).abs().max() > 1e-3


@pytest.mark.parametrize("name", NAMES)
def test_inputs_are_as_large_as_what_layers_add(name, tokens):
    net = model(name)
    torch.testing.assert_close(net.embed(tokens), net.items.weight[tokens] * 8**0.5)


@pytest.mark.parametrize("name", NAMES)
def test_logits_are_tied_to_the_item_vectors_and_leave_out_other_tokens(name, tokens):
    net = model(name)
    states = net(tokens)[:, -1]
    assert net.logits(states).shape == (1, N_ITEMS)
    torch.testing.assert_close(net.logits(states)[0], net.items.weight[:N_ITEMS] @ states[0])
    codes = torch.tensor([4, 2])
    torch.testing.assert_close(net.logits(states, codes), net.logits(states)[:, codes])


@pytest.mark.parametrize("name", NAMES)
def test_equal_seeds_give_equal_weights_whatever_the_global_state(name):
    torch.manual_seed(5)
    first = model(name, 3).state_dict()
    torch.manual_seed(6)
    again, other = model(name, 3).state_dict(), model(name, 4).state_dict()
    assert all(torch.equal(first[part], again[part]) for part in first)
    assert not torch.equal(first["items.weight"], other["items.weight"])


@pytest.mark.parametrize("name", NAMES)
def test_gradients_reach_every_weight(name):
    net = model(name, dropout=0.1).train()
    tokens = torch.from_numpy(net.read([np.array([3, 1, 4, 1, 5, 9])], LENGTH))
    net.logits(net(tokens)[:, -1]).logsumexp(-1).sum().backward()
    assert all(weight.grad is not None and weight.grad.abs().sum() > 0 for weight in net.parameters())


HISTORIES = [np.array([3, 1]), np.array([], int), np.array([5, -1, 99, 6])]


@pytest.mark.parametrize("name", CAUSAL)
def test_causal_models_read_after_a_start_token(name):
    p = N_ITEMS
    want = [[p, 3, 1, p, p], [p, p, p, p, p], [p, 5, 6, p, p]]
    np.testing.assert_array_equal(model(name).read(HISTORIES, 4), want)


def test_bert4rec_reads_with_a_mask_behind_the_last_item():
    p, mask = N_ITEMS, N_ITEMS + 1
    want = [[3, 1, mask, p, p], [mask, p, p, p, p], [5, 6, mask, p, p]]
    np.testing.assert_array_equal(model("bert4rec").read(HISTORIES, 4), want)


@pytest.mark.parametrize("name", CAUSAL)
def test_causal_models_name_each_item_after_those_before_it(name):
    p = N_ITEMS
    tokens, wanted = model(name).training_batch(np.array([[3, 1, 4], [5, 9, p]]), np.random.default_rng(0))
    np.testing.assert_array_equal(tokens, [[p, 3, 1], [p, 5, 9]])
    np.testing.assert_array_equal(wanted, [[3, 1, 4], [5, 9, p]])


def test_bert4rec_never_sees_what_it_must_name():
    """Whatever stood at the hidden places, the states are the same; what stands elsewhere changes them."""
    net, rng = model("bert4rec"), np.random.default_rng(0)
    items = np.stack([rng.permutation(N_ITEMS)[:6] for _ in range(300)])  # each item once: none is given away by a twin
    items[100:, 4:] = net.pad
    tokens, wanted = net.training_batch(items, np.random.default_rng(1))
    hidden = wanted != net.pad
    np.testing.assert_array_equal(hidden, tokens == net.mask)
    np.testing.assert_array_equal(np.where(hidden, wanted, tokens), items)
    assert hidden.any(axis=1).all()
    assert not hidden[items == net.pad].any()
    for row, target in zip(tokens, wanted, strict=True):
        assert not set(row) & (set(target) - {net.pad})
    others, _ = net.training_batch(np.where(hidden, (items + 3) % N_ITEMS, items), np.random.default_rng(1))
    np.testing.assert_array_equal(others, tokens)


def test_bert4rec_hides_the_last_item_alone_half_of_the_time_and_others_by_their_share():
    net = BERT4Rec(N_ITEMS, 40, dims=8, blocks=1, heads=2, dropout=0.0, hidden=0.3)
    _, wanted = net.training_batch(np.zeros((4000, 40), int), np.random.default_rng(0))
    hidden = wanted == 0
    only_last = hidden[:, -1] & (hidden.sum(axis=1) == 1)
    assert 0.45 < only_last.mean() < 0.55
    assert 0.28 < hidden[~only_last].mean() < 0.32


@given(st.lists(st.lists(st.integers(-2, 11), max_size=8), max_size=6), st.integers(1, 6))
def test_fill_writes_each_history_into_its_row(histories, length):
    rows = fill([np.array(history, dtype=np.int64) for history in histories], length, 9)
    assert rows.shape == (len(histories), length)
    for row, history in zip(rows.tolist(), histories, strict=True):
        known = [code for code in history[-length:] if 0 <= code < 9]
        assert row == known + [9] * (length - len(known))


def test_fill_keeps_the_last_known_items():
    np.testing.assert_array_equal(fill([np.arange(5), np.array([-1, 2, 9])], 3, 9), [[2, 3, 4], [2, 9, 9]])
