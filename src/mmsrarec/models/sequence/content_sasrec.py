"""SASRec with item vectors of content and id, so that items without interactions have vectors too [extension].

The content of an item is the whitened state of a frozen backbone (text, keywords, picture). Ids are dropped at random
in training, so that the content learns to stand alone, as in DropoutNet (Volkovs et al., NeurIPS 2017).
Shapes: n items, d dimensions of a backbone's states, k of the content, e of an item's vector.
"""

from abc import ABC, abstractmethod

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from mmsrarec.data.dataset import IntArray
from mmsrarec.models.sequence.encoders import SASRec


class KnownItems(nn.Module, ABC):
    """Item vectors made of an id, for each known item, and of what items are.

    Attributes:
        content: (n + others, k) float32, the content of each token.
        known: (n + others, 1) float32, 1 for items with training interactions, else 0.
        left_out: (n + others, 1) float32, 1 for items whose ids the current training step drops.
    """

    content: Tensor
    known: Tensor
    left_out: Tensor

    def __init__(self, n_items: int, others: int, dims: int, content_dims: int) -> None:
        super().__init__()
        self.ids = nn.Embedding(n_items + others, dims)
        self.register_buffer("content", torch.zeros(n_items + others, content_dims))
        self.register_buffer("known", torch.ones(n_items + others, 1))
        self.register_buffer("left_out", torch.zeros(n_items + others, 1), persistent=False)

    @property
    def id_weight(self) -> Tensor:
        """(n + others, 1): 1 where an item's id counts, else 0."""
        return self.known * (1 - self.left_out) if self.training else self.known

    @property
    @abstractmethod
    def weight(self) -> Tensor:
        """(n + others, e) vectors of all tokens."""

    def forward(self, tokens: Tensor) -> Tensor:
        """(b, t) tokens -> (b, t, e) vectors."""
        return F.embedding(tokens, self.weight)

    def set_content(self, content: Tensor, known: Tensor) -> None:
        """Set what the items are.

        Args:
            content: (n, up to k) content of all items; columns that are not given stay zeros.
            known: (n,) bool, whether an item has training interactions.
        """
        self.content[: len(content), : content.shape[1]] = content.to(self.content)
        self.known[: len(known), 0] = known.to(self.known)

    def leave_out(self, items: NDArray[np.bool_]) -> None:
        """Drop the ids of items in the training steps that follow.

        Args:
            items: (n,) mask of the items.
        """
        self.left_out[: len(items), 0] = torch.as_tensor(items).to(self.left_out)


class ContentItems(KnownItems):
    """Item vectors made of a learned vector for each known item and a linear map of the content."""

    def __init__(self, n_items: int, others: int, dims: int, content_dims: int) -> None:
        super().__init__(n_items, others, dims, content_dims)
        self.map = nn.Linear(content_dims, dims)

    @property
    def weight(self) -> Tensor:
        """(n + others, e) vectors of all tokens."""
        return self.ids.weight * self.id_weight + self.map(self.content)


class ContentSASRec(SASRec):
    """SASRec over `ContentItems`.

    Attributes:
        items: The item vectors.
        id_dropout: The share of items, in [0, 1], whose ids a training step drops.
    """

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
        self.items = ContentItems(n_items, self.n_special_tokens, dims, content_dims)
        self.id_dropout = id_dropout

    def set_content(self, content: Tensor, known: Tensor) -> None:
        """Set what the items are.

        Args:
            content: (n, k) content of all items.
            known: (n,) bool, whether an item has training interactions.
        """
        self.items.set_content(content, known)

    def training_batch(self, items_bt: IntArray, rng: np.random.Generator) -> tuple[IntArray, IntArray]:
        """As in `SASRec`; the ids to drop in this step are drawn first."""
        self.items.leave_out(rng.random(self.n_items) < self.id_dropout)
        return super().training_batch(items_bt, rng)
