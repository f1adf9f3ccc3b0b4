"""Cross-entropy over a whole catalogue, in blocks: no table of all rows' scores of all items is ever held."""

from typing import Any

import torch
from torch import Tensor

CELLS = 4_000_000  # scores held at once: what fits a processor's cache is far faster than what does not
LEAST = 1e-37  # a share below it is told as this one; its gradient is right all the same


class _CatalogueLoss(torch.autograd.Function):
    """The gradients are found with the loss, block by block: what a backward pass would need would fill the memory."""

    @staticmethod
    def forward(ctx: Any, states: Tensor, items: Tensor, target: Tensor, dtype: torch.dtype) -> Tensor:
        vectors = items.to(dtype)
        for_states, for_items = torch.empty_like(states), torch.zeros_like(items)
        total = states.new_zeros(())
        rows = max(1, CELLS // len(items))
        for begin in range(0, len(states), rows):
            block = slice(begin, begin + rows)
            near = states[block].to(dtype)
            share = (near @ vectors.T).softmax(dim=1)
            total -= share.gather(1, target[block, None]).float().clamp(min=LEAST).log().sum()
            for_states[block] = share @ vectors
            for_items += share.T @ near
        for_states -= items[target]
        for_items.index_add_(0, target, states, alpha=-1)
        ctx.save_for_backward(for_states / len(states), for_items / len(states))
        return total / len(states)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, None, None]:
        for_states, for_items = ctx.saved_tensors
        return grads[0] * for_states, grads[0] * for_items, None, None


def catalogue_loss(states: Tensor, items: Tensor, target: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
    """Mean cross-entropy of the logits states @ items.T: (m, d) states, (n, d) items, (m,) codes.

    dtype: of the products; bfloat16 is several times as fast where the processor knows it, and sums stay float32.
    """
    return _CatalogueLoss.apply(states, items, target, dtype)
