"""SASRec: a causal transformer over item ids (Kang and McAuley, arXiv 1808.09781), pre-norm, with tied embeddings.

Tensor names carry their shape: b windows, t tokens of a window, d dimensions, h heads, n items.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Block(nn.Module):
    """Attention to the past, then a feed-forward layer, each added to what came in."""

    def __init__(self, dims: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.attend_norm = nn.LayerNorm(dims)
        self.qkv = nn.Linear(dims, 3 * dims)
        self.out = nn.Linear(dims, dims)
        self.think_norm = nn.LayerNorm(dims)
        self.think = nn.Sequential(nn.Linear(dims, 2 * dims), nn.GELU(), nn.Linear(2 * dims, dims))
        self.drop = nn.Dropout(dropout)

    def forward(self, x_btd: Tensor) -> Tensor:
        q_bhtd, k_bhtd, v_bhtd = (
            part.unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for part in self.qkv(self.attend_norm(x_btd)).chunk(3, dim=-1)
        )
        seen_bhtd = F.scaled_dot_product_attention(q_bhtd, k_bhtd, v_bhtd, is_causal=True)
        x_btd = x_btd + self.drop(self.out(seen_bhtd.transpose(1, 2).flatten(2)))
        return x_btd + self.drop(self.think(self.think_norm(x_btd)))


class SASRec(nn.Module):
    """Item codes (b, t) in, the state after each token (b, t, d) out; `logits` turns states into item scores.

    A window opens with the start token, whose id is n_items, so that an empty history has a state too. The same id pads
    on the right: a token sees only what stands before it, so padding needs no mask and changes nothing.
    """

    def __init__(self, n_items: int, length: int, dims: int, blocks: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.start = n_items
        self.items = nn.Embedding(n_items + 1, dims)
        self.positions = nn.Embedding(length + 1, dims)
        self.blocks = nn.ModuleList(Block(dims, heads, dropout) for _ in range(blocks))
        self.norm = nn.LayerNorm(dims)
        self.drop = nn.Dropout(dropout)

    def reset(self, generator: torch.Generator) -> "SASRec":
        """Draw all weights anew from `generator`: equal seeds give equal models, whatever else draws numbers."""
        for module in self.modules():
            if isinstance(module, nn.Embedding):
                nn.init.normal_(module.weight, std=0.02, generator=generator)
            elif isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight, generator=generator)
                nn.init.zeros_(module.bias)
        return self

    def forward(self, tokens_bt: Tensor) -> Tensor:
        positions_t = torch.arange(tokens_bt.shape[1], device=tokens_bt.device)
        x_btd = self.drop(self.items(tokens_bt) + self.positions(positions_t))
        for block in self.blocks:
            x_btd = block(x_btd)
        return self.norm(x_btd)

    def logits(self, states_bd: Tensor, codes: Tensor | None = None) -> Tensor:
        """(b, d) -> (b, n): scores of all items, or of the items in `codes` (n,)."""
        vectors_nd = self.items.weight[: self.start] if codes is None else self.items(codes)
        return states_bd @ vectors_nd.T
