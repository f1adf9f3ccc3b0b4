"""Whitened states: components of variance one, and the same for states that come later."""

import torch

from mmsrarec.models.sequence.whitening import Whitening, whitened


def states(n: int = 50, rank: int = 3) -> torch.Tensor:
    draw = torch.Generator().manual_seed(0)
    return torch.randn(n, rank, generator=draw) @ torch.randn(rank, 20, generator=draw)


def test_whitening_keeps_what_there_is() -> None:
    found = whitened(states(), 8)
    assert found.shape == (50, 8)
    torch.testing.assert_close(found[:, :3].T @ found[:, :3] / 50, torch.eye(3), atol=1e-4, rtol=0)
    assert not found[:, 3:].any()
    torch.testing.assert_close(whitened(states(), 8), found)
    assert not whitened(torch.ones(5, 4), 2).any()


def test_later_states_are_read_as_the_first_were() -> None:
    whitening, found = Whitening.fit(states(), 8)
    torch.testing.assert_close(whitening(states()), found, atol=1e-5, rtol=1e-5)
    between = whitening((states()[:1] + states()[1:2]) / 2)  # the map is affine
    torch.testing.assert_close(between, (found[:1] + found[1:2]) / 2, atol=1e-5, rtol=1e-5)
    nothing, _ = Whitening.fit(torch.ones(5, 4), 2)
    assert not nothing(torch.randn(3, 4)).any()
