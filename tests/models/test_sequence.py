"""SASRec: causal, blind to padding, the same for the same seed."""

import pytest
import torch

from mmsrarec.models.sequence import SASRec

N_ITEMS = 11


def model(seed: int = 0, dropout: float = 0.0) -> SASRec:
    net = SASRec(N_ITEMS, length=6, dims=8, blocks=2, heads=2, dropout=dropout)
    # larger weights than the initial ones, so that a leak of one token into another cannot hide in the rounding
    with torch.no_grad():
        for weight in net.reset(torch.Generator().manual_seed(seed)).parameters():
            weight.mul_(10 if weight.ndim == 2 else 1)
    return net.eval()


@pytest.fixture
def tokens() -> torch.Tensor:
    return torch.tensor([[N_ITEMS, 3, 1, 4, 1, 5, 9]])


def test_a_token_sees_only_what_stands_before_it(tokens):
    net, changed = model(), tokens.clone()
    changed[0, 4] = 7
    before, after = net(tokens), net(changed)
    torch.testing.assert_close(before[:, :4], after[:, :4])
    assert (before[:, 4:] - after[:, 4:]).abs().amax(-1).min() > 1e-3  # the token itself and all later ones


def test_padding_on_the_right_changes_nothing(tokens):
    net = model()
    short = tokens[:, :4]
    padded = torch.cat([short, torch.full((1, 3), N_ITEMS)], dim=1)
    torch.testing.assert_close(net(padded)[:, :4], net(short))


def test_places_matter(tokens):
    swapped = tokens[:, [0, 2, 1, 3, 4, 5, 6]]
    assert (model()(tokens)[:, -1] - model()(swapped)[:, -1]).abs().max() > 1e-3


def test_logits_are_tied_to_the_item_vectors_and_leave_out_the_start_token(tokens):
    net = model()
    states = net(tokens)[:, -1]
    assert net.logits(states).shape == (1, N_ITEMS)
    torch.testing.assert_close(net.logits(states)[0], net.items.weight[:N_ITEMS] @ states[0])
    codes = torch.tensor([4, 2])
    torch.testing.assert_close(net.logits(states, codes), net.logits(states)[:, codes])


def test_equal_seeds_give_equal_weights_whatever_the_global_state():
    torch.manual_seed(5)
    first = model(3).state_dict()
    torch.manual_seed(6)
    again, other = model(3).state_dict(), model(4).state_dict()
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["items.weight"], other["items.weight"])


def test_gradients_reach_every_weight(tokens):
    net = model(dropout=0.1).train()
    net.logits(net(tokens)[:, -1]).logsumexp(-1).sum().backward()
    assert all(weight.grad is not None and weight.grad.abs().sum() > 0 for weight in net.parameters())
