"""The last layer's feed-forward part, computed only for tokens whose hidden state is asked for.

Nothing else reads what it gives, and in a shallow model it is much of the work.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

TokenIndex = tuple[Tensor, Tensor]
"""Rows and columns of n tokens of a batch, (n,) each, on the model's device."""

ROWS = 16
"""Fewer rows than these are multiplied in another order on a CPU, and one candidate would not score as among others."""

_asked: ContextVar[tuple[nn.Module, TokenIndex, torch.Size] | None] = ContextVar("asked", default=None)


@contextmanager
def only_at(decoder: nn.Module, places: TokenIndex | None, shape: torch.Size) -> Iterator[None]:
    """While this holds, what the decoder gives for a batch of (b, t, d) = `shape` is right at `places` only; None:
    everywhere."""
    last = getattr(decoder.layers[-1], "mlp", None)  # pyright: ignore
    asked = None
    if places is not None and last is not None:
        asked = last, places, shape
        if _put not in last._forward_hooks.values():
            last.register_forward_pre_hook(_pick)
            last.register_forward_hook(_put)
    before = _asked.set(asked)
    try:
        yield
    finally:
        _asked.reset(before)


def _pick(part: nn.Module, given: tuple[Tensor, ...]) -> tuple[Tensor, ...] | None:
    """The rows that are asked for, and zeros up to ROWS."""
    asked = _asked.get()
    if asked is not None and asked[0] is part:
        rows = given[0][asked[1]]
        return F.pad(rows, (0, 0, 0, max(ROWS - len(rows), 0)))[None], *given[1:]


def _put(part: nn.Module, given: tuple[Tensor, ...], found: Tensor) -> Tensor | None:
    asked = _asked.get()
    if asked is not None and asked[0] is part:
        return found.new_zeros(asked[2]).index_put(asked[1], found[0, : len(asked[1][0])])
