"""Item vectors as a gated mixture of experts, one for each modality: text, picture and id [extension].

After the compression of items that SPEEDER describes (arXiv 2511.05885), of which neither sizes nor gate are published:
these are ours. Shapes: n items, e dimensions of an item's vector, m modalities.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from mmsrarec.models.sequence.content_sasrec import KnownItems

MODALITIES = ("text", "picture", "id")
"""The experts, in the order in which they join the training."""
FIRST_SIZE = 0.05
"""The first values of a vector, so that no item's score is far from another's."""


class ExpertItems(KnownItems):
    """Item vectors mixed from modalities; one that an item lacks has no share in it.

    The content of an item is its text's and its picture's, side by side; a picture of zeros is none.

    Attributes:
        absent: (n + others, m) float32, 1 where the current training step drops a modality of an item.
        joined: (m,) float32, 1 for modalities that have joined the training, else 0.
    """

    absent: Tensor
    joined: Tensor

    def __init__(self, n_items: int, others: int, dims: int, text_dims: int, picture_dims: int) -> None:
        super().__init__(n_items, others, dims, text_dims + picture_dims)
        self.text_dims = text_dims
        sizes = (text_dims, max(picture_dims, 1), dims)
        self.experts = nn.ModuleList(
            nn.Sequential(nn.Linear(size, dims), nn.GELU(), nn.Linear(dims, dims), nn.LayerNorm(dims)) for size in sizes
        )
        self.gates = nn.ModuleList(nn.Linear(size, 1) for size in sizes)
        self.size = nn.Parameter(torch.full((dims,), FIRST_SIZE))
        self.register_buffer("absent", torch.zeros(n_items + others, len(MODALITIES)), persistent=False)
        self.register_buffer("joined", torch.ones(len(MODALITIES)))

    @property
    def modalities(self) -> tuple[Tensor, Tensor, Tensor]:
        """(n + others, size) inputs of each expert. Ids have values of size one, as whitened content has."""
        text, picture = self.content[:, : self.text_dims], self.content[:, self.text_dims :]
        picture = picture if picture.shape[1] else torch.zeros_like(self.known)
        return text, picture, self.ids.weight / 0.02

    @property
    def pictured(self) -> bool:
        """Whether any item has a picture."""
        return bool(self.content[:, self.text_dims :].any())

    @property
    def present(self) -> Tensor:
        """(n + others, m): 1 where an item has a modality that counts, else 0; never 0 for all that it has."""
        text, picture, _ = self.modalities
        has = [text.abs().amax(1, keepdim=True) > 0, picture.abs().amax(1, keepdim=True) > 0]
        known = torch.cat([*(each.float() for each in has), self.id_weight], dim=1)
        known[-1, -1] = 1.0  # the start token is nothing but its id, from the first step on
        counts = known * self.joined
        counts[-1, -1] = 1.0
        if self.training:
            dropped = counts * (1 - self.absent)
            counts = torch.where(dropped.sum(1, keepdim=True) > 0, dropped, counts)
        return counts

    @property
    def shares(self) -> Tensor:
        """(n + others, m) share of each modality in an item's vector; all 0 for an item that has none."""
        present = self.present
        raw = torch.cat([gate(values) for gate, values in zip(self.gates, self.modalities, strict=True)], dim=1)
        weights = raw.masked_fill(present == 0, -1e9).softmax(dim=1)
        return weights * present

    @property
    def weight(self) -> Tensor:
        """(n + others, e) vectors of all tokens."""
        shares, mixed = self.shares, torch.zeros_like(self.ids.weight)
        for number, (expert, values) in enumerate(zip(self.experts, self.modalities, strict=True)):
            mixed = mixed + shares[:, number : number + 1] * expert(values)
        return mixed * self.size

    def drop_modalities(self, items: NDArray[np.bool_]) -> None:
        """Drop modalities of items in the training steps that follow; the last one that an item has stays.

        Args:
            items: (n, m) mask.
        """
        self.absent[: len(items)] = torch.as_tensor(items).to(self.absent)

    def join(self, count: int) -> None:
        """Let the first modalities alone count.

        Args:
            count: How many of `MODALITIES`.
        """
        with torch.no_grad():
            self.joined.copy_((torch.arange(len(MODALITIES)) < count).to(self.joined))


def modalities_at(share: float, pictures: bool) -> int:
    """How many modalities count at a share of the training in [0, 1]: a third each, or half where nothing is pictured.

    Args:
        share: Of the training that is over.
        pictures: Whether any item has a picture.
    """
    if pictures:
        return 1 + min(int(3 * share), 2)
    return 1 if share < 0.5 else 3
