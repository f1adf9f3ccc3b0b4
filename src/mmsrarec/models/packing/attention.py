"""Attention over packs: every candidate looks at the shared part and at itself, and nothing else is ever computed.

A dense mask would compute all pairs of tokens and throw most away; here scores exist only for the pairs that count.
Shapes: b packs, h heads in g groups of r, s shared tokens, c candidates of l tokens, t = s + c l, e channels of a head.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace

import torch
from torch import Tensor, nn
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

NAME = "mmsrarec_packed"


@dataclass(frozen=True, slots=True)
class Layout:
    """How a row of t tokens is laid out: `shared` tokens, then `candidates` slots of `length` tokens.

    blocks: (b, t) numbers of pictures within their segment, -1 for words; tokens of one picture look at one another.
    None: everybody looks back only.
    """

    shared: int
    candidates: int
    length: int
    blocks: Tensor | None = field(default=None, compare=False)

    def to(self, device: torch.device) -> "Layout":
        return self if self.blocks is None else replace(self, blocks=self.blocks.to(device))


@dataclass(frozen=True, slots=True)
class Rows:
    """Prompts of a `tree` that attend together: m prompts of at most l tokens, at most n of them new.

    path: (m, l) places of a prompt's tokens in the tree; own: (m, n) places among the new tokens of those that are its
    own; real: which of these m n are no padding; index: (m, n) which of the path they are; sees: (m, n, l) whether one
    looks at another.
    """

    path: Tensor
    own: Tensor
    real: Tensor
    index: Tensor
    sees: Tensor

    def to(self, device: torch.device) -> "Rows":
        return Rows(*(getattr(self, each.name).to(device) for each in fields(self)))


@dataclass(frozen=True, slots=True)
class BranchLayout:
    """What joins a `tree`. past: each layer's keys and values, (1, g, p, e), of p tokens that stand in it already;
    keep: whether those of the new tokens stay there."""

    rows: tuple[Rows, ...]
    past: dict[int, tuple[Tensor, Tensor]]
    keep: bool

    def to(self, device: torch.device) -> "BranchLayout":
        return replace(self, rows=tuple(rows.to(device) for rows in self.rows))

    def joined(self, layer: int, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """All keys and values of a layer, the new ones last."""
        if layer in self.past:
            key, value = (torch.cat(pair, dim=2) for pair in zip(self.past[layer], (key, value), strict=True))
        if self.keep:
            self.past[layer] = key, value
        return key, value


def packed_attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    sliding_window: int | None = None,
    layout: Layout | BranchLayout | None = None,
    **kwargs,
) -> tuple[Tensor, Tensor | None]:
    """transformers' attention interface. query: (b, h, t, e); key, value: (b, g, t, e) -> (b, t, h, e).

    With a layout, attention_mask is (b, 1, 1, s), added to the scores of the shared tokens: very negative on padding.
    sliding_window: a token looks at so many, itself included, which packed or not are the same ones. With the branches
    of a tree, this is `tree_attention`; without a layout, transformers' own scaled dot product attention.
    """
    if layout is None:
        return sdpa_attention_forward(
            module, query, key, value, attention_mask, dropout=dropout, scaling=scaling, **kwargs
        )
    query = query * (scaling if scaling is not None else query.shape[-1] ** -0.5)
    if isinstance(layout, BranchLayout):
        key, value = layout.joined(module.layer_idx, key, value)  # pyright: ignore
        return tree_attention(query, key, value, layout.rows, sliding_window), None
    assert attention_mask is not None
    b, h, _, e = query.shape
    g, s, c, n = key.shape[1], layout.shared, layout.candidates, layout.length
    r = h // g
    # heads of a group share keys: they are stacked along the tokens instead of repeating keys
    shared_q = query[:, :, :s].reshape(b, g, r * s, e)
    own_q = query[:, :, s:].reshape(b, g, r, c, n, e)
    shared_k, shared_v = key[:, :, :s], value[:, :, :s]
    own_k, own_v = (x[:, :, s:].reshape(b, g, c, n, e) for x in (key, value))
    shared_blocks = own_blocks = None
    if layout.blocks is not None:
        shared_blocks, own_blocks = layout.blocks[:, :s], layout.blocks[:, s:].view(b, c, n)

    bias = segment_bias(query, s, sliding_window, shared_blocks)
    scores = (shared_q @ shared_k.transpose(-1, -2)).view(b, g, r, s, s) + bias[..., None, None, :, :]
    shared_out = (scores.softmax(-1).view(b, g, r * s, s) @ shared_v).view(b, h, s, e)

    to_shared = (own_q.reshape(b, g, r * c * n, e) @ shared_k.transpose(-1, -2)).view(b, g, r, c, n, s)
    to_shared = to_shared + attention_mask[:, :, :, None, None]
    if sliding_window is not None and sliding_window < s + n:
        length = (attention_mask == 0).sum(-1, keepdim=True)  # a candidate stands where its row's shared part ends
        index = torch.arange(max(s, n), device=query.device)
        far = length + index[:n, None] - index[:s] >= sliding_window
        to_shared = to_shared.masked_fill(far[:, :, None, None], torch.finfo(query.dtype).min)
    by_candidate = own_q.transpose(2, 3).reshape(b, g, c, r * n, e)
    bias = segment_bias(query, n, sliding_window, own_blocks)
    bias = bias if own_blocks is None else bias[:, None, None]
    to_own = (by_candidate @ own_k.transpose(-1, -2)).view(b, g, c, r, n, n).transpose(2, 3) + bias
    weights = torch.cat([to_shared, to_own], dim=-1).softmax(-1)
    from_shared = (weights[..., :s].reshape(b, g, r * c * n, s) @ shared_v).view(b, g, r, c, n, e)
    own_weights = weights[..., s:].transpose(2, 3).reshape(b, g, c, r * n, n)
    from_own = (own_weights @ own_v).view(b, g, c, r, n, e).transpose(2, 3)
    own_out = (from_shared + from_own).reshape(b, h, c * n, e)
    return torch.cat([shared_out, own_out], dim=2).transpose(1, 2).contiguous(), None


def tree_attention(query: Tensor, key: Tensor, value: Tensor, rows: Sequence[Rows], window: int | None) -> Tensor:
    """Every prompt's own tokens look along its whole path: (1, h, t, e) scaled, (1, g, p + t, e) -> (1, t, h, e)."""
    (h, t, e), g = query.shape[1:], key.shape[1]
    out = query.new_empty(h, t, e)
    for part in rows:
        m, n, width = part.sees.shape
        sees = part.sees
        if window is not None:
            sees = sees & (part.index[..., None] - torch.arange(width, device=query.device) < window)
        keys, values = (x[0].index_select(1, part.path.flatten()).view(g, m, width, e) for x in (key, value))
        asking = query[0].index_select(1, part.own.flatten()).view(g, -1, m, n, e)
        scores = asking.transpose(1, 2).reshape(g, m, -1, e) @ keys.transpose(-1, -2)  # heads of a group share keys
        scores = scores.view(g, m, -1, n, width).masked_fill_(~sees[:, None], torch.finfo(scores.dtype).min)
        found = scores.softmax(-1).view(g, m, -1, width) @ values
        found = found.view(g, m, -1, n, e).transpose(1, 2).reshape(h, m * n, e)
        out.index_copy_(1, part.own.flatten()[part.real], found[:, part.real])
    return out.transpose(0, 1)[None].contiguous()


def segment_bias(like: Tensor, size: int, window: int | None, blocks: Tensor | None) -> Tensor:
    """(size, size) to add to the scores of a segment's tokens, very negative where one does not look at the other;
    (..., size, size) where pictures, blocks (..., size), differ."""
    never = torch.finfo(like.dtype).min
    bias = torch.full((size, size), never, dtype=like.dtype, device=like.device).triu(1)
    if blocks is not None:
        together = (blocks[..., None] == blocks[..., None, :]) & (blocks[..., None] >= 0)
        bias = bias.masked_fill(together, 0)
    if window is not None and window < size:
        bias = bias.masked_fill(torch.ones_like(bias, dtype=torch.bool).tril(-window), never)
    return bias


AttentionInterface.register(NAME, packed_attention)
AttentionMaskInterface.register(NAME, sdpa_mask)
