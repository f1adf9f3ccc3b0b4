"""Packed attention on a processor where no gradient is wanted: fused attention in pieces that are merged.

A candidate attends to the shared part and to itself. Each piece is one call of PyTorch's fused attention, which also
gives the logarithm of the sum of a token's weights; by these the two outputs are merged into the attention over both
(FlashAttention-2, arXiv 2307.08691, section 2.3). No table of weights is written to memory. The backward pass of the
fused attention is several times slower on a processor than matrix products (docs/log), so training does without it.
Shapes are those of `attention`.
"""

from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor

if TYPE_CHECKING:
    from mmsrarec.models.packing.attention import Layout

FUSED = getattr(torch.ops.aten, "_scaled_dot_product_flash_attention_for_cpu", None)
"""PyTorch's fused attention of a processor; None where this version has none."""


def can_merge(query: Tensor, key: Tensor, layout: "Layout", sliding_window: int | None) -> bool:
    """Whether `merged_attention` computes these packs: bfloat16 on a processor, no gradients, all earlier tokens seen.

    In float32 the last bit would depend on the number of candidates, which tables of weights avoid.
    """
    s, c, n = layout.shared, layout.candidates, layout.length
    return (
        FUSED is not None
        and query.device.type == "cpu"
        and query.dtype == torch.bfloat16
        and not (query.requires_grad or key.requires_grad)
        and layout.blocks is None
        and min(s, c, n) > 0
        and (sliding_window is None or sliding_window >= s + n)
    )


def merged_attention(query: Tensor, key: Tensor, value: Tensor, mask: Tensor, layout: "Layout") -> Tensor:
    """Attention of packs in three pieces: shared to shared, candidates to shared, each candidate to itself.

    Args:
        query: (b, h, t, e) scaled queries.
        key: (b, g, t, e) keys.
        value: (b, g, t, e) values.
        mask: (b, 1, 1, s), 0 on shared tokens and very negative on their padding.
        layout: The lengths of the parts; none of them is 0.

    Returns:
        (b, t, h, e) outputs.
    """
    (b, h, _, e), s, c, n = query.shape, layout.shared, layout.candidates, layout.length
    heads = h // key.shape[1]
    key, value = (x.repeat_interleave(heads, dim=1) for x in (key, value))

    def alone(x: Tensor) -> Tensor:  # (b, h, t, e) -> (b c, h, n, e): each candidate is a row of its own
        return x[:, :, s:].reshape(b, h, c, n, e).transpose(1, 2).reshape(b * c, h, n, e)

    def beside(x: Tensor) -> Tensor:  # (b c, h, n, ...) -> (b, h, c n, ...)
        return x.reshape(b, c, h, n, *x.shape[3:]).transpose(1, 2).reshape(b, h, c * n, *x.shape[3:])

    shared_k, shared_v = key[:, :, :s], value[:, :, :s]
    shared_out, _ = _fused(query[:, :, :s], shared_k, shared_v)
    from_shared, shared_weight = _fused(query[:, :, s:], shared_k, shared_v, mask)
    from_own, own_weight = _fused(alone(query), alone(key), alone(value))
    own_share = torch.sigmoid(beside(own_weight) - shared_weight)[..., None]
    own_out = torch.lerp(from_shared.float(), beside(from_own).float(), own_share).to(query.dtype)
    return torch.cat([shared_out, own_out], dim=2).transpose(1, 2).contiguous()


def _fused(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Outputs (b, h, t, e), and the logarithms (b, h, t) of the sums of weights; causal without a mask."""
    return cast(Any, FUSED)(query, key, value, 0.0, mask is None, attn_mask=mask, scale=1.0)
