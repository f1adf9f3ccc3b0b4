"""Attention over packed prompts: every candidate attends to the shared part and to itself.

A dense mask would compute the scores of all pairs of tokens and discard most; here only the visible pairs are computed.
Shapes: b packs, h heads in g groups of r, s shared tokens, c candidates of l tokens, t = s + c l, e channels of a head.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cache
from typing import Any, cast

import torch
from torch import Tensor, nn

from mmsrarec.models.loading_lock import LOADING
from mmsrarec.models.packing.merged_attention import can_merge, merged_attention

NAME = "mmsrarec_packed"
"""The name of the packed attention in transformers' registry."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The layout of a row of t tokens: `shared` tokens, then `candidates` slots of `length` tokens.

    Attributes:
        shared: s, the length of the shared part with its padding.
        candidates: c, the number of slots.
        length: l, the length of a slot.
        blocks: (b, t) numbers of pictures within their span, -1 for words; the tokens of one picture attend to one
            another in both directions. None: all tokens attend to earlier tokens only.
    """

    shared: int
    candidates: int
    length: int
    blocks: Tensor | None = field(default=None, compare=False)

    @property
    def tensors(self) -> list[Tensor | None]:
        """The tensors that must be on the model's device."""
        return [self.blocks]

    def placed(self, tensors: Sequence[Tensor | None]) -> "Layout":
        """The layout with its `tensors` on a device."""
        return replace(self, blocks=tensors[0])


@dataclass(frozen=True, slots=True)
class Rows:
    """Prompts of a prefix tree that attend together: m prompts of at most l tokens, at most n of them new.

    Attributes:
        path: (m, l) places of the prompts' tokens in the tree.
        own: (m, n) places of the prompts' own tokens among the new tokens.
        real: Places of the own tokens that are no padding, in the flat (m n).
        index: (m, n) places of the own tokens in the path.
        sees: (m, n, l) bool, whether an own token attends to a token of the path.
    """

    path: Tensor
    own: Tensor
    real: Tensor
    index: Tensor
    sees: Tensor


@dataclass(frozen=True, slots=True)
class BranchLayout:
    """The new tokens of a prefix tree and the keys and values of the old ones.

    Attributes:
        rows: The prompts that attend together.
        past: Layer -> keys and values, (1, g, p, e) each, of the p tokens that are in the tree.
        keep: Whether the keys and values of the new tokens are added to `past`.
    """

    rows: tuple[Rows, ...]
    past: dict[int, tuple[Tensor, Tensor]]
    keep: bool

    @property
    def tensors(self) -> list[Tensor | None]:
        """The tensors that must be on the model's device; `past` is there already."""
        return [getattr(rows, each.name) for rows in self.rows for each in fields(Rows)]

    def placed(self, tensors: Sequence[Tensor | None]) -> "BranchLayout":
        """The layout with its `tensors` on a device."""
        n = len(fields(Rows))
        rows = (Rows(*cast(list[Tensor], tensors[at : at + n])) for at in range(0, len(tensors), n))
        return replace(self, rows=tuple(rows))

    def joined(self, layer: int, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """Put the new keys and values of a layer after the old ones.

        Args:
            layer: The number of the layer.
            key: (1, g, t, e) new keys.
            value: (1, g, t, e) new values.

        Returns:
            (1, g, p + t, e) keys and values.
        """
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
    **kwargs: Any,
) -> tuple[Tensor, Tensor | None]:
    """Compute packed attention behind transformers' attention interface.

    Without a layout this is transformers' own scaled dot product attention; with a `BranchLayout` it is
    `tree_attention`.

    Args:
        module: The attention layer.
        query: (b, h, t, e) queries.
        key: (b, g, t, e) keys.
        value: (b, g, t, e) values.
        attention_mask: With a `Layout`, (b, 1, 1, s) added to the scores of the shared tokens, very negative on
            padding.
        scaling: The factor of the scores; None is 1 / sqrt(e).
        dropout: The dropout of the weights; only without a layout.
        sliding_window: The number of tokens that a token attends to, itself included, as in an unpacked prompt.
        layout: The layout of the rows.
        **kwargs: Arguments of transformers' own attention.

    Returns:
        (b, t, h, e) outputs, and no weights.
    """
    if layout is None:
        own = transformers_attention()
        return own(module, query, key, value, attention_mask, dropout=dropout, scaling=scaling, **kwargs)
    query = query * (scaling if scaling is not None else query.shape[-1] ** -0.5)
    if isinstance(layout, BranchLayout):
        key, value = layout.joined(int(cast(Any, module).layer_idx), key, value)
        return tree_attention(query, key, value, layout.rows, sliding_window), None
    assert attention_mask is not None
    if can_merge(query, key, layout, sliding_window):
        return merged_attention(query, key, value, attention_mask, layout), None
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
    """Let the own tokens of every prompt attend along its whole path in the prefix tree.

    Args:
        query: (1, h, t, e) scaled queries of the new tokens.
        key: (1, g, p + t, e) keys of all tokens of the tree.
        value: (1, g, p + t, e) values.
        rows: The prompts that attend together.
        window: The number of tokens that a token attends to, itself included; None is no limit.

    Returns:
        (1, t, h, e) outputs.
    """
    (h, t, e), g = query.shape[1:], key.shape[1]
    out = query.new_empty(h, t, e)
    for part in rows:
        m, n, width = part.sees.shape
        sees = part.sees
        if window is not None:
            sees = sees & (part.index[..., None] - torch.arange(width, device=query.device) < window)
        keys, values = (x[0].index_select(1, part.path.flatten()).view(g, m, width, e) for x in (key, value))
        queries = query[0].index_select(1, part.own.flatten()).view(g, -1, m, n, e)
        scores = queries.transpose(1, 2).reshape(g, m, -1, e) @ keys.transpose(-1, -2)  # heads of a group share keys
        scores = scores.view(g, m, -1, n, width).masked_fill_(~sees[:, None], torch.finfo(scores.dtype).min)
        outputs = scores.softmax(-1).view(g, m, -1, width) @ values
        outputs = outputs.view(g, m, -1, n, e).transpose(1, 2).reshape(h, m * n, e)
        out.index_copy_(1, part.own.flatten()[part.real], outputs[:, part.real])
    return out.transpose(0, 1)[None].contiguous()


def segment_bias(like: Tensor, size: int, window: int | None, blocks: Tensor | None) -> Tensor:
    """The mask of one span of tokens, as numbers to add to the scores.

    Args:
        like: A tensor of the same number format and device.
        size: The number of tokens.
        window: The number of tokens that a token attends to, itself included; None is no limit.
        blocks: (..., size) picture numbers as of `Layout`; None without pictures that see both directions.

    Returns:
        (size, size), or (..., size, size) with blocks; very negative where the row's token does not see the column's.
    """
    hidden = torch.finfo(like.dtype).min
    bias = torch.full((size, size), hidden, dtype=like.dtype, device=like.device).triu(1)
    if blocks is not None:
        same_picture = (blocks[..., None] == blocks[..., None, :]) & (blocks[..., None] >= 0)
        bias = bias.masked_fill(same_picture, 0)
    if window is not None and window < size:
        bias = bias.masked_fill(torch.ones_like(bias, dtype=torch.bool).tril(-window), hidden)
    return bias


# transformers leaves its registry and these functions partly without types; importing it takes seconds
def register() -> None:
    """Make packed attention known to transformers, for models that are told to use it by `NAME`."""
    with LOADING:
        from transformers import AttentionInterface, AttentionMaskInterface, masking_utils

    cast(Any, AttentionInterface).register(NAME, packed_attention)
    cast(Any, AttentionMaskInterface).register(NAME, cast(Any, masking_utils).sdpa_mask)


@cache
def transformers_attention() -> Any:
    """Transformers' own scaled dot product attention."""
    from transformers.integrations import sdpa_attention

    return cast(Any, sdpa_attention).sdpa_attention_forward
