"""Sequence models over item ids, each with item vectors that serve as input and as output: SASRec, GRU4Rec, BERT4Rec.

Tensor names carry their shape: b windows, t tokens of a window, d dimensions, h heads, n items.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmsrarec.data.dataset import IntArray


class SequenceModel(nn.Module, ABC):
    """Tokens (b, t) in, a state for each token (b, t, d) out; `logits` turns states into item scores.

    Tokens are item codes and, from n_items on, tokens of the model's own. `pad`, the first of these, fills windows up
    on the right; it may stand for something else too where the model cannot see it there.
    """

    tokens_of_its_own = 1
    scale: Tensor

    def __init__(self, n_items: int, dims: int) -> None:
        super().__init__()
        self.n_items = self.pad = n_items
        self.items = nn.Embedding(n_items + self.tokens_of_its_own, dims)
        # as inputs, vectors are made as large as what the layers add to them: unscaled, they drown in it
        self.register_buffer("scale", torch.tensor(dims**0.5))

    def embed(self, tokens_bt: Tensor) -> Tensor:
        """(b, t) -> (b, t, d): the tokens' vectors, scaled."""
        return self.items(tokens_bt) * self.scale

    @abstractmethod
    def read(self, histories: Sequence[IntArray], length: int) -> IntArray:
        """m histories (codes; unknown ones are skipped) -> (m, length + 1) tokens of the last `length` items.

        After n known items, the state at place n is the one that tells what comes next.
        """

    @abstractmethod
    def exercise(self, items_bt: IntArray, rng: np.random.Generator) -> tuple[IntArray, IntArray]:
        """Windows of items, padded on the right -> tokens (b, t), and the item each state must name, `pad` for none."""

    def reset(self, generator: torch.Generator) -> "SequenceModel":
        """Draw all weights anew from `generator`: equal seeds give equal models, whatever else draws numbers."""
        for module in self.modules():
            if isinstance(module, nn.Embedding):
                nn.init.normal_(module.weight, std=0.02, generator=generator)
            elif isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight, generator=generator)
                nn.init.zeros_(module.bias)
            elif isinstance(module, nn.GRU):
                for name, weight in module.named_parameters():
                    if name.startswith("bias"):
                        nn.init.zeros_(weight)
                    else:
                        nn.init.xavier_uniform_(weight, generator=generator)
        return self

    def logits(self, states_bd: Tensor, codes: Tensor | None = None) -> Tensor:
        """(b, d) -> (b, n): scores of all items, or of the items in `codes` (n,)."""
        vectors_nd = self.items.weight[: self.n_items] if codes is None else self.items(codes)
        return states_bd @ vectors_nd.T


class Causal(SequenceModel):
    """A state knows what stands before it: after each token, the next item is foretold.

    A window opens with the start token, so that an empty history has a state too. It is `pad` as well: a token sees
    only what stands before it, so padding needs no mask and changes nothing.
    """

    def read(self, histories: Sequence[IntArray], length: int) -> IntArray:
        return np.pad(fill(histories, length, self.pad), ((0, 0), (1, 0)), constant_values=self.pad)

    def exercise(self, items_bt: IntArray, rng: np.random.Generator) -> tuple[IntArray, IntArray]:
        return np.pad(items_bt[:, :-1], ((0, 0), (1, 0)), constant_values=self.pad), items_bt


class Block(nn.Module):
    """Attention, then a feed-forward layer, each added to what came in."""

    def __init__(self, dims: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.attend_norm = nn.LayerNorm(dims)
        self.qkv = nn.Linear(dims, 3 * dims)
        self.out = nn.Linear(dims, dims)
        self.think_norm = nn.LayerNorm(dims)
        self.think = nn.Sequential(nn.Linear(dims, 2 * dims), nn.GELU(), nn.Linear(2 * dims, dims))
        self.drop = nn.Dropout(dropout)

    def forward(self, x_btd: Tensor, seen_b11t: Tensor | None = None) -> Tensor:
        """seen_b11t: the tokens that may be attended to; None: each sees itself and those before it."""
        q_bhtd, k_bhtd, v_bhtd = (
            part.unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for part in self.qkv(self.attend_norm(x_btd)).chunk(3, dim=-1)
        )
        got_bhtd = F.scaled_dot_product_attention(
            q_bhtd, k_bhtd, v_bhtd, attn_mask=seen_b11t, is_causal=seen_b11t is None
        )
        x_btd = x_btd + self.drop(self.out(got_bhtd.transpose(1, 2).flatten(2)))
        return x_btd + self.drop(self.think(self.think_norm(x_btd)))


class Transformer(SequenceModel):
    """Blocks over vectors of items and of places, pre-norm."""

    def __init__(self, n_items: int, length: int, dims: int, blocks: int, heads: int, dropout: float) -> None:
        super().__init__(n_items, dims)
        self.positions = nn.Embedding(length + 1, dims)
        self.blocks = nn.ModuleList(Block(dims, heads, dropout) for _ in range(blocks))
        self.norm = nn.LayerNorm(dims)
        self.drop = nn.Dropout(dropout)

    def attend(self, tokens_bt: Tensor, places_bt: Tensor, seen_b11t: Tensor | None = None) -> Tensor:
        """The states of tokens at places (b, t) or (t,); seen_b11t as in `Block`."""
        x_btd = self.drop(self.embed(tokens_bt) + self.positions(places_bt))
        for block in self.blocks:
            x_btd = block(x_btd, seen_b11t)
        return self.norm(x_btd)


class SASRec(Causal, Transformer):
    """A causal transformer (Kang and McAuley, arXiv 1808.09781); places are counted from the start."""

    def forward(self, tokens_bt: Tensor) -> Tensor:
        return self.attend(tokens_bt, torch.arange(tokens_bt.shape[1], device=tokens_bt.device))


class GRU4Rec(Causal):
    """Gated recurrent layers over item vectors (Hidasi et al., arXiv 1511.06939), each as wide as these."""

    def __init__(self, n_items: int, dims: int, blocks: int, dropout: float) -> None:
        super().__init__(n_items, dims)
        self.gru = nn.GRU(dims, dims, blocks, batch_first=True, dropout=dropout if blocks > 1 else 0.0)
        self.norm = nn.LayerNorm(dims)
        self.drop = nn.Dropout(dropout)

    def forward(self, tokens_bt: Tensor) -> Tensor:
        return self.norm(self.drop(self.gru(self.drop(self.embed(tokens_bt)))[0]))


class BERT4Rec(Transformer):
    """A transformer that sees both sides of a hidden item (Sun et al., arXiv 1904.06690).

    Some items of a window are hidden behind the mask token, and named from the rest. What comes next is a hidden item
    after the last one. Places are counted from the end, so that it always stands where training has been.
    """

    tokens_of_its_own = 2

    def __init__(
        self, n_items: int, length: int, dims: int, blocks: int, heads: int, dropout: float, hidden: float
    ) -> None:
        super().__init__(n_items, length, dims, blocks, heads, dropout)
        self.mask, self.hidden = n_items + 1, hidden

    def read(self, histories: Sequence[IntArray], length: int) -> IntArray:
        tokens = np.pad(fill(histories, length, self.pad), ((0, 0), (0, 1)), constant_values=self.pad)
        tokens[np.arange(len(tokens)), (tokens < self.n_items).sum(axis=1)] = self.mask
        return tokens

    def exercise(self, items_bt: IntArray, rng: np.random.Generator) -> tuple[IntArray, IntArray]:
        """Half of the windows hide their last item alone, as at a prediction; the others any, but one at least."""
        real_bt = items_bt != self.pad
        last_b = real_bt.sum(axis=1) - 1
        draw_bt = np.where(real_bt, rng.random(items_bt.shape), np.inf)
        only_last_b = rng.random(len(items_bt)) < 0.5
        hide_bt = draw_bt <= np.maximum(draw_bt.min(axis=1, keepdims=True), self.hidden)
        hide_bt[only_last_b] = np.arange(items_bt.shape[1]) == last_b[only_last_b, None]
        hide_bt &= real_bt
        return np.where(hide_bt, self.mask, items_bt), np.where(hide_bt, items_bt, self.pad)

    def forward(self, tokens_bt: Tensor) -> Tensor:
        seen_bt = tokens_bt != self.pad
        places_bt = seen_bt.flip(1).cumsum(1).flip(1) - 1  # 0 for the last token that is seen
        return self.attend(tokens_bt, places_bt.clamp(min=0), seen_bt[:, None, None, :])


def fill(histories: Sequence[IntArray], length: int, pad: int) -> IntArray:
    """(m, length): each history's last `length` items, unknown ones (below 0, or from `pad` on) skipped, padded."""
    rows = np.full((len(histories), length), pad, dtype=np.int64)
    for row, history in zip(rows, histories, strict=True):
        read = history[-length:]
        known = read[(read >= 0) & (read < pad)]
        row[: len(known)] = known
    return rows
