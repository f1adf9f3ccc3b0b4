"""Computes the feed-forward part of the last layer only for the tokens whose hidden states are needed.

No later layer reads its other outputs, and in a shallow model it is a large part of the work.
"""

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

TokenIndex = tuple[Tensor, Tensor]
"""Rows and columns of n tokens of a batch, (n,) each."""

MIN_ROWS = 16
"""Fewer rows are multiplied in another order on a CPU: a candidate alone would score otherwise than among others."""

_selection: ContextVar[tuple[nn.Module, TokenIndex, torch.Size] | None] = ContextVar("selection", default=None)
"""The feed-forward part, the tokens whose outputs are needed, and the shape of all tokens."""


@contextmanager
def only_at(decoder: nn.Module, places: TokenIndex | None, shape: torch.Size) -> Generator[None]:
    """Let the decoder compute its last feed-forward part only at some tokens while the block runs.

    Args:
        decoder: The language model without its head.
        places: Rows and columns of the tokens whose states are needed, on the model's device; the others are wrong.
            None computes all.
        shape: (b, t, d), the shape of the hidden states.
    """
    last = cast(nn.Module | None, getattr(cast(Any, decoder).layers[-1], "mlp", None))
    selection = None
    if places is not None and last is not None:
        selection = last, places, shape
        if _put not in cast(Any, last)._forward_hooks.values():
            last.register_forward_pre_hook(_pick)
            last.register_forward_hook(_put)
    token = _selection.set(selection)
    try:
        yield
    finally:
        _selection.reset(token)


def _pick(part: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...] | None:
    """The selected rows, and zeros up to MIN_ROWS; None where the part computes all tokens."""
    selection = _selection.get()
    if selection is None or selection[0] is not part:
        return None
    rows = inputs[0][selection[1]]
    return F.pad(rows, (0, 0, 0, max(MIN_ROWS - len(rows), 0)))[None], *inputs[1:]


def _put(part: nn.Module, inputs: tuple[Tensor, ...], outputs: Tensor) -> Tensor | None:
    """The outputs of the selected rows in their places, and zeros elsewhere; None where the part computes all."""
    selection = _selection.get()
    if selection is None or selection[0] is not part:
        return None
    return outputs.new_zeros(selection[2]).index_put(selection[1], outputs[0, : len(selection[1][0])])
