"""The loss over a whole catalogue is cross-entropy, and so are its gradients, however it is cut into blocks."""

import pytest
import torch
import torch.nn.functional as F

from mmsrarec.models.sequence import catalogue_softmax
from mmsrarec.models.sequence.catalogue_softmax import catalogue_loss


def drawn(rows: int = 37, items: int = 50, dims: int = 8) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    states, vectors = (torch.randn(n, dims, generator=generator).requires_grad_() for n in (rows, items))
    return states, vectors, torch.randint(items, (rows,), generator=generator)


@pytest.mark.parametrize("cells", [1, 50 * 10, 10_000])
def test_equals_cross_entropy(cells, monkeypatch):
    monkeypatch.setattr(catalogue_softmax, "MAX_SCORES_HELD", cells)
    states, vectors, target = drawn()
    want = F.cross_entropy(states @ vectors.T, target)
    got = catalogue_loss(states, vectors, target)
    torch.testing.assert_close(got, want)
    # half of the loss: what comes from behind counts too
    for mine, theirs in zip(*(torch.autograd.grad(x / 2, (states, vectors)) for x in (got, want)), strict=True):
        torch.testing.assert_close(mine, theirs)


def test_bfloat16_is_near():
    states, vectors, target = drawn()
    want, got = (catalogue_loss(states, vectors, target, dtype) for dtype in (torch.float32, torch.bfloat16))
    torch.testing.assert_close(got, want, rtol=0.01, atol=0.01)
    for mine, exact in zip(*(torch.autograd.grad(x, (states, vectors)) for x in (got, want)), strict=True):
        assert mine.dtype == torch.float32
        assert (mine - exact).norm() < 0.02 * exact.norm()


def test_what_cannot_be_is_not_infinitely_far():
    """A target whose probability is beyond the smallest number gives a finite loss, and a gradient that helps it."""
    states, vectors = torch.tensor([[100.0, 0.0]]), torch.tensor([[1.0, 0.0], [-1.0, 0.0]], requires_grad=True)
    loss = catalogue_loss(states.requires_grad_(), vectors, torch.tensor([1]))
    assert 80 < loss.item() < 200.1
    loss.backward()
    assert states.grad is not None
    assert states.grad[0, 0] > 0  # a step against it leads to the target
