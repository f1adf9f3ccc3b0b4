"""Attention over packs: every candidate looks at the shared part and at itself, and nothing else is ever computed.

A dense mask would compute all pairs of tokens and throw most away; here scores exist only for the pairs that count.
Shapes: b packs, h heads in g groups of r, s shared tokens, c candidates of l tokens, t = s + c l, e channels of a head.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

NAME = "mmsrarec_packed"


@dataclass(frozen=True, slots=True)
class Layout:
    """How a row of t tokens is laid out: `shared` tokens, then `candidates` slots of `length` tokens."""

    shared: int
    candidates: int
    length: int


def packed_attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    layout: Layout | None = None,
    **kwargs,
) -> tuple[Tensor, Tensor | None]:
    """transformers' attention interface. query: (b, h, t, e); key, value: (b, g, t, e) -> (b, t, h, e).

    With a layout, attention_mask is (b, 1, 1, s), added to the scores of the shared tokens: very negative on padding.
    Without one this is transformers' own scaled dot product attention.
    """
    if layout is None:
        return sdpa_attention_forward(
            module, query, key, value, attention_mask, dropout=dropout, scaling=scaling, **kwargs
        )
    assert attention_mask is not None
    b, h, _, e = query.shape
    g, s, c, n = key.shape[1], layout.shared, layout.candidates, layout.length
    r = h // g
    query = query * (scaling if scaling is not None else e**-0.5)
    # heads of a group share keys: they are stacked along the tokens instead of repeating keys
    shared_q = query[:, :, :s].reshape(b, g, r * s, e)
    own_q = query[:, :, s:].reshape(b, g, r, c, n, e)
    shared_k, shared_v = key[:, :, :s], value[:, :, :s]
    own_k, own_v = (x[:, :, s:].reshape(b, g, c, n, e) for x in (key, value))

    causal = torch.full((s, s), torch.finfo(query.dtype).min, dtype=query.dtype, device=query.device).triu(1)
    scores = (shared_q @ shared_k.transpose(-1, -2)).view(b, g, r, s, s) + causal
    shared_out = (scores.softmax(-1).view(b, g, r * s, s) @ shared_v).view(b, h, s, e)

    to_shared = (own_q.reshape(b, g, r * c * n, e) @ shared_k.transpose(-1, -2)).view(b, g, r, c, n, s)
    by_candidate = own_q.transpose(2, 3).reshape(b, g, c, r * n, e)
    causal = torch.full((n, n), torch.finfo(query.dtype).min, dtype=query.dtype, device=query.device).triu(1)
    to_own = (by_candidate @ own_k.transpose(-1, -2)).view(b, g, c, r, n, n).transpose(2, 3) + causal
    weights = torch.cat([to_shared + attention_mask[:, :, :, None, None], to_own], dim=-1).softmax(-1)
    from_shared = (weights[..., :s].reshape(b, g, r * c * n, s) @ shared_v).view(b, g, r, c, n, e)
    own_weights = weights[..., s:].transpose(2, 3).reshape(b, g, c, r * n, n)
    from_own = (own_weights @ own_v).view(b, g, c, r, n, e).transpose(2, 3)
    own_out = (from_shared + from_own).reshape(b, h, c * n, e)
    return torch.cat([shared_out, own_out], dim=2).transpose(1, 2).contiguous(), None


AttentionInterface.register(NAME, packed_attention)
AttentionMaskInterface.register(NAME, sdpa_mask)
