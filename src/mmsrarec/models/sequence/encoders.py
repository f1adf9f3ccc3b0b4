"""Sequence models over item ids: SASRec, GRU4Rec and BERT4Rec. Item vectors serve as inputs and as output weights.

Tensor names carry their shape: b windows, t tokens of a window, d dimensions, h heads, n items.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmsrarec.data.dataset import IntArray


class SequenceModel(nn.Module, ABC):
    """A model that turns tokens (b, t) into a state for each token (b, t, d); `logits` turns states into item scores.

    Tokens are item codes and, from n_items on, special tokens. The first special token, `pad`, fills windows on the
    right; it may have another meaning where the model cannot see the padding.

    Attributes:
        n_special_tokens: The number of special tokens.
        n_items: n, the number of items.
        pad: The padding token.
        items: The vectors of the tokens.
        scale: () the factor of the vectors as inputs, the square root of d.
    """

    n_special_tokens = 1
    scale: Tensor

    def __init__(self, n_items: int, dims: int) -> None:
        super().__init__()
        self.n_items = self.pad = n_items
        self.items = nn.Embedding(n_items + self.n_special_tokens, dims)
        # inputs are scaled to the size of what the layers add to them: unscaled, they would hardly count
        self.register_buffer("scale", torch.tensor(dims**0.5))

    def embed(self, tokens_bt: Tensor) -> Tensor:
        """(b, t) tokens -> (b, t, d) scaled vectors."""
        return self.items(tokens_bt) * self.scale

    @abstractmethod
    def read(self, histories: Sequence[IntArray], length: int) -> IntArray:
        """Turn histories into the tokens of a prediction.

        Args:
            histories: m arrays of item codes, oldest first; codes that are no items are skipped.
            length: How many of the last items are read.

        Returns:
            (m, length + 1) tokens. After k items, the state at place k predicts the next item.
        """

    @abstractmethod
    def training_batch(self, items_bt: IntArray, rng: np.random.Generator) -> tuple[IntArray, IntArray]:
        """Turn windows of items into tokens and targets.

        Args:
            items_bt: (b, t) item codes, padded on the right.
            rng: The random state.

        Returns:
            (b, t) tokens, and (b, t) the item that each state must predict, `pad` for none.
        """

    def states_at(self, tokens_bt: Tensor, places_b: Tensor) -> Tensor:
        """Compute the state of one token of each window; a model may do less for it than for all states.

        Args:
            tokens_bt: (b, t) tokens.
            places_b: (b,) the place of the token.

        Returns:
            (b, d) states.
        """
        return self(tokens_bt)[torch.arange(len(tokens_bt), device=tokens_bt.device), places_b]

    def progress_to(self, share: float) -> None:
        """Called before a training step with the share of the training that is over, in [0, 1)."""
        _ = share

    def auxiliary_loss(self, states_btd: Tensor, real_bt: Tensor, rng: np.random.Generator) -> Tensor | None:
        """What is learned beside the next item.

        Args:
            states_btd: (b, t, d) states of a training batch.
            real_bt: (b, t) bool, the states that predict an item.
            rng: The random state.

        Returns:
            () a loss with its weight; None for most models.
        """
        _ = states_btd, real_bt, rng
        return None

    def reset(self, generator: torch.Generator) -> "SequenceModel":
        """Draw all weights anew.

        Args:
            generator: The only random state that is used, so that equal seeds give equal models.

        Returns:
            The model itself.
        """
        for module in self.modules():
            if isinstance(module, nn.Embedding):
                nn.init.normal_(module.weight, std=0.02, generator=generator)
            elif isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight, generator=generator)
                if cast("Tensor | None", module.bias) is not None:
                    nn.init.zeros_(module.bias)
            elif isinstance(module, nn.GRU):
                for name, weight in module.named_parameters():
                    if name.startswith("bias"):
                        nn.init.zeros_(weight)
                    else:
                        nn.init.xavier_uniform_(weight, generator=generator)
        return self

    def logits(self, states_bd: Tensor, codes: Tensor | None = None) -> Tensor:
        """Score items.

        Args:
            states_bd: (b, d) states.
            codes: (c,) item codes; None scores all items.

        Returns:
            (b, c) or (b, n) scores.
        """
        vectors_nd = self.items.weight[: self.n_items] if codes is None else self.items(codes)
        return states_bd @ vectors_nd.T


class Causal(SequenceModel):
    """A sequence model in which a state depends only on earlier tokens and predicts the next item.

    A window starts with a start token, so that an empty history has a state too. It is the same token as `pad`: a
    token sees only earlier tokens, so padding on the right needs no mask and changes nothing.
    """

    def read(self, histories: Sequence[IntArray], length: int) -> IntArray:
        """As in `SequenceModel`: the start token, then the items."""
        return np.pad(fill(histories, length, self.pad), ((0, 0), (1, 0)), constant_values=self.pad)

    def training_batch(self, items_bt: IntArray, rng: np.random.Generator) -> tuple[IntArray, IntArray]:
        """As in `SequenceModel`: every state must predict the next item."""
        return np.pad(items_bt[:, :-1], ((0, 0), (1, 0)), constant_values=self.pad), items_bt


class Block(nn.Module):
    """A pre-norm transformer block: attention, then a feed-forward layer, each added to its input."""

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
        """Apply the block.

        Args:
            x_btd: (b, t, d) inputs.
            seen_b11t: (b, 1, 1, t) bool, the tokens that all tokens attend to; None lets each token attend to itself
                and to earlier tokens.

        Returns:
            (b, t, d) outputs.
        """
        q_bhtd, k_bhtd, v_bhtd = map(self._by_head, self.qkv(self.attend_norm(x_btd)).chunk(3, dim=-1))
        mixed_bhtd = F.scaled_dot_product_attention(
            q_bhtd, k_bhtd, v_bhtd, attn_mask=seen_b11t, is_causal=seen_b11t is None
        )
        return self._added(x_btd, mixed_bhtd)

    def at(self, x_btd: Tensor, places_b: Tensor, seen_b11t: Tensor | None = None) -> Tensor:
        """Apply the block where the outputs of one token of each window are all that is needed.

        Args:
            x_btd: (b, t, d) inputs.
            places_b: (b,) the place of the token.
            seen_b11t: As in `forward`.

        Returns:
            (b, 1, d) outputs.
        """
        if seen_b11t is None:
            seen_b11t = (torch.arange(x_btd.shape[1], device=x_btd.device) <= places_b[:, None])[:, None, None]
        rows, d = torch.arange(len(x_btd), device=x_btd.device), x_btd.shape[-1]
        normed_btd = self.attend_norm(x_btd)
        weight, bias = self.qkv.weight, self.qkv.bias
        q_bhtd = self._by_head(F.linear(normed_btd[rows, places_b][:, None], weight[:d], bias[:d]))
        k_bhtd, v_bhtd = map(self._by_head, F.linear(normed_btd, weight[d:], bias[d:]).chunk(2, dim=-1))
        mixed_bhtd = F.scaled_dot_product_attention(q_bhtd, k_bhtd, v_bhtd, attn_mask=seen_b11t)
        return self._added(x_btd[rows, places_b][:, None], mixed_bhtd)

    def _by_head(self, part_btd: Tensor) -> Tensor:
        """(b, t, d) -> (b, h, t, d / h)."""
        part_bthd: Tensor = cast(Any, part_btd).unflatten(-1, (self.heads, -1))  # its type is incomplete
        return part_bthd.transpose(1, 2)

    def _added(self, x_btd: Tensor, mixed_bhtd: Tensor) -> Tensor:
        """The inputs, with what attention mixed and what the feed-forward layer makes of both."""
        x_btd = x_btd + self.drop(self.out(mixed_bhtd.transpose(1, 2).flatten(2)))
        return x_btd + self.drop(self.think(self.think_norm(x_btd)))


class Transformer(SequenceModel):
    """Transformer blocks over the sum of item vectors and position vectors."""

    def __init__(self, n_items: int, length: int, dims: int, blocks: int, heads: int, dropout: float) -> None:
        super().__init__(n_items, dims)
        self.positions = nn.Embedding(length + 1, dims)
        self.blocks = nn.ModuleList(Block(dims, heads, dropout) for _ in range(blocks))
        self.norm = nn.LayerNorm(dims)
        self.drop = nn.Dropout(dropout)

    @abstractmethod
    def placed(self, tokens_bt: Tensor) -> tuple[Tensor, Tensor | None]:
        """How the tokens of windows stand to one another.

        Args:
            tokens_bt: (b, t) tokens.

        Returns:
            (b, t) or (t,) positions, and which tokens are seen, as in `Block.forward`.
        """

    def forward(self, tokens_bt: Tensor) -> Tensor:
        """(b, t) tokens -> (b, t, d) states."""
        positions_bt, seen_b11t = self.placed(tokens_bt)
        x_btd = self._inputs(tokens_bt, positions_bt)
        for block in self.blocks:
            x_btd = block(x_btd, seen_b11t)
        return self.norm(x_btd)

    def states_at(self, tokens_bt: Tensor, places_b: Tensor) -> Tensor:
        """As in `SequenceModel`; the last block computes what these tokens need."""
        *blocks, last = cast("list[Block]", list(self.blocks))
        positions_bt, seen_b11t = self.placed(tokens_bt)
        x_btd = self._inputs(tokens_bt, positions_bt)
        for block in blocks:
            x_btd = block(x_btd, seen_b11t)
        return self.norm(last.at(x_btd, places_b, seen_b11t)[:, 0])

    def _inputs(self, tokens_bt: Tensor, positions_bt: Tensor) -> Tensor:
        """(b, t, d) the sums of item vectors and position vectors."""
        return self.drop(self.embed(tokens_bt) + self.positions(positions_bt))


class SASRec(Causal, Transformer):
    """A causal transformer (Kang and McAuley, arXiv 1808.09781); positions are counted from the start."""

    def placed(self, tokens_bt: Tensor) -> tuple[Tensor, Tensor | None]:
        """As in `Transformer`."""
        return torch.arange(tokens_bt.shape[1], device=tokens_bt.device), None


class GRU4Rec(Causal):
    """Gated recurrent layers over item vectors (Hidasi et al., arXiv 1511.06939), each of d dimensions."""

    def __init__(self, n_items: int, dims: int, blocks: int, dropout: float) -> None:
        super().__init__(n_items, dims)
        self.gru = nn.GRU(dims, dims, blocks, batch_first=True, dropout=dropout if blocks > 1 else 0.0)
        self.norm = nn.LayerNorm(dims)
        self.drop = nn.Dropout(dropout)

    def forward(self, tokens_bt: Tensor) -> Tensor:
        """(b, t) tokens -> (b, t, d) states."""
        return self.norm(self.drop(self.gru(self.drop(self.embed(tokens_bt)))[0]))


class BERT4Rec(Transformer):
    """A bidirectional transformer over partly masked windows (Sun et al., arXiv 1904.06690).

    The mask token replaces some items of a window, which are predicted from the others. The next item is predicted at
    a mask token after the last item. Positions are counted from the end, so that this mask token always stands at a
    position that training has seen.

    Attributes:
        mask: The mask token.
        hidden: The share of the items, in [0, 1], that are masked in training.
    """

    n_special_tokens = 2

    def __init__(
        self, n_items: int, length: int, dims: int, blocks: int, heads: int, dropout: float, hidden: float
    ) -> None:
        super().__init__(n_items, length, dims, blocks, heads, dropout)
        self.mask, self.hidden = n_items + 1, hidden

    def read(self, histories: Sequence[IntArray], length: int) -> IntArray:
        """As in `SequenceModel`: the items, then the mask token."""
        tokens = np.pad(fill(histories, length, self.pad), ((0, 0), (0, 1)), constant_values=self.pad)
        tokens[np.arange(len(tokens)), (tokens < self.n_items).sum(axis=1)] = self.mask
        return tokens

    def training_batch(self, items_bt: IntArray, rng: np.random.Generator) -> tuple[IntArray, IntArray]:
        """As in `SequenceModel`: half of the windows mask only their last item, the others at least one item."""
        real_bt = items_bt != self.pad
        last_b = real_bt.sum(axis=1) - 1
        draw_bt = np.where(real_bt, rng.random(items_bt.shape), np.inf)
        only_last_b = rng.random(len(items_bt)) < 0.5
        hide_bt = draw_bt <= np.maximum(draw_bt.min(axis=1, keepdims=True), self.hidden)
        hide_bt[only_last_b] = np.arange(items_bt.shape[1]) == last_b[only_last_b, None]
        hide_bt &= real_bt
        return np.where(hide_bt, self.mask, items_bt), np.where(hide_bt, items_bt, self.pad)

    def placed(self, tokens_bt: Tensor) -> tuple[Tensor, Tensor | None]:
        """As in `Transformer`."""
        seen_bt = tokens_bt != self.pad
        positions_bt = seen_bt.flip(1).cumsum(1).flip(1) - 1  # 0 for the last token that is no padding
        return positions_bt.clamp(min=0), seen_bt[:, None, None, :]


def fill(histories: Sequence[IntArray], length: int, pad: int) -> IntArray:
    """Write the last items of histories into rows of one length.

    Args:
        histories: m arrays of item codes, oldest first; codes below 0 or from `pad` on are skipped.
        length: The length of a row.
        pad: The padding token, which is also the number of items.

    Returns:
        (m, length) item codes, padded on the right.
    """
    recent = [history[-length:] for history in histories]
    items = np.concatenate([np.empty(0, dtype=np.int64), *recent])
    row = np.repeat(np.arange(len(recent)), [len(one) for one in recent])
    is_item = (items >= 0) & (items < pad)
    items, row = items[is_item], row[is_item]
    filled: IntArray = np.full((len(recent), length), pad, dtype=np.int64)
    filled[row, np.arange(len(row)) - np.searchsorted(row, row)] = items
    return filled
