"""Computes the cross-entropy over a whole catalogue in blocks: the scores of all rows are never held at once."""

from typing import Any, cast

import torch
from torch import Tensor

MAX_SCORES_HELD = 4_000_000
"""Scores held at once. A block that fits a processor's cache is computed far faster."""
MIN_PROBABILITY = 1e-37
"""A smaller probability counts as this one in the loss; its gradient is exact."""


class _CatalogueLoss(torch.autograd.Function):
    """The loss. Its gradients are computed with it, block by block: a backward pass would hold too much memory."""

    @staticmethod
    def forward(ctx: Any, states: Tensor, items: Tensor, target: Tensor, dtype: torch.dtype) -> Tensor:
        vectors = items.to(dtype)
        states_grad, items_grad = torch.empty_like(states), torch.zeros_like(items)
        total = states.new_zeros(())
        rows = max(1, MAX_SCORES_HELD // len(items))
        for begin in range(0, len(states), rows):
            block = slice(begin, begin + rows)
            block_states = states[block].to(dtype)
            probabilities = (block_states @ vectors.T).softmax(dim=1)
            total -= probabilities.gather(1, target[block, None]).float().clamp(min=MIN_PROBABILITY).log().sum()
            states_grad[block] = probabilities @ vectors
            items_grad += probabilities.T @ block_states
        states_grad -= items[target]
        items_grad.index_add_(0, target, states, alpha=-1)
        ctx.save_for_backward(states_grad / len(states), items_grad / len(states))
        return total / len(states)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, None, None]:
        states_grad, items_grad = ctx.saved_tensors
        return grads[0] * states_grad, grads[0] * items_grad, None, None


def catalogue_loss(states: Tensor, items: Tensor, target: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
    """Compute the mean cross-entropy of the logits states @ items.T.

    Args:
        states: (m, d) states.
        items: (n, d) vectors of all items.
        target: (m,) codes of the right items.
        dtype: The number format of the products; bfloat16 is several times as fast on processors that have it. Sums
            are always float32.

    Returns:
        () the mean over the m rows.
    """
    apply = cast(Any, _CatalogueLoss).apply  # torch gives it no type
    return apply(states, items, target, dtype)
