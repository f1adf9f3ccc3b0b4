"""SASRec whose item vectors say what an item is, beside its id: an item that nobody took yet has one too [extension].

What an item is, is told by the state of a frozen backbone (text, keywords, picture), whitened. Ids are left out by
chance while training, so that content learns to stand alone, as in DropoutNet (Volkovs et al., NeurIPS 2017).
Shapes: n items, d of a backbone's states, k of the content, e dimensions of an item's vector.
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmsrarec.data.dataset import IntArray
from mmsrarec.models.sequence.encoders import SASRec


def whitened(states: Tensor, dims: int) -> Tensor:
    """(n, d) states -> (n, dims): their first principal components, of variance one; zeros where there are fewer."""
    states = states.cpu().double()
    centred = (states - states.mean(0)) / states.std(0, correction=0).clamp(min=1e-6)
    left, sizes, _ = torch.linalg.svd(centred, full_matrices=False)
    kept = min(dims, int((sizes > 1e-6 * sizes[:1].clamp(min=1e-12)).sum()))
    found = left[:, :kept] * len(states) ** 0.5
    found = found * torch.where(found.sum(0) < 0, -1.0, 1.0)  # a component's sign is anybody's guess: fix it
    return F.pad(found, (0, dims - kept)).float()


class ContentItems(nn.Module):
    """In the place of a table of vectors: an item's own, if training knows the item, and what its content says."""

    content: Tensor
    known: Tensor
    left_out: Tensor

    def __init__(self, n_items: int, others: int, dims: int, content_dims: int) -> None:
        super().__init__()
        self.ids = nn.Embedding(n_items + others, dims)
        self.map = nn.Linear(content_dims, dims)
        self.register_buffer("content", torch.zeros(n_items + others, content_dims))
        self.register_buffer("known", torch.ones(n_items + others, 1))
        self.register_buffer("left_out", torch.zeros(n_items + others, 1), persistent=False)

    @property
    def weight(self) -> Tensor:
        """(n + others, e)."""
        kept = self.known * (1 - self.left_out) if self.training else self.known
        return self.ids.weight * kept + self.map(self.content)

    def forward(self, tokens: Tensor) -> Tensor:
        return F.embedding(tokens, self.weight)


class ContentSASRec(SASRec):
    """without_id: the share of items whose ids a training step leaves out."""

    items: ContentItems  # pyright: ignore[reportIncompatibleVariableOverride]

    def __init__(
        self,
        n_items: int,
        length: int,
        dims: int,
        blocks: int,
        heads: int,
        dropout: float,
        content_dims: int,
        id_dropout: float,
    ) -> None:
        super().__init__(n_items, length, dims, blocks, heads, dropout)
        self.items = ContentItems(n_items, self.tokens_of_its_own, dims, content_dims)
        self.id_dropout = id_dropout

    def describe(self, content: Tensor, known: Tensor) -> None:
        """content: (n, k), of all items; known: (n,) bool, whether training has interactions of an item."""
        self.items.content[: self.n_items] = content.to(self.items.content)
        self.items.known[: self.n_items, 0] = known.to(self.items.known)

    def exercise(self, items_bt: IntArray, rng: np.random.Generator) -> tuple[IntArray, IntArray]:
        left_out = torch.from_numpy(rng.random(self.n_items) < self.id_dropout)
        self.items.left_out[: self.n_items, 0] = left_out.to(self.items.left_out)
        return super().exercise(items_bt, rng)
