"""Item tokens in the style of SPEEDER (arXiv 2511.05885) [extension].

Three ideas of its abstract, in forms of our own, for none of its sizes, gates, labels and weights are published: items
compressed by gated modality experts (`modality_experts`); tasks of place and order beside the next item; modalities
that join the training one after another.

Shapes: b windows, t tokens, e dimensions of a state.
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmsrarec.data.dataset import IntArray
from mmsrarec.models.sequence.item_tokens import ItemTokens
from mmsrarec.models.sequence.language_body import LanguageBody
from mmsrarec.models.sequence.modality_experts import MODALITIES, ExpertItems, modalities_at

PLACE_BUCKETS = 8
"""Places are told apart up to a factor of two: 0, 1, 2 and 3, 4 to 7, ..."""


class SpeederStyle(ItemTokens):
    """`ItemTokens` over `ExpertItems`, with tasks of place and order.

    Attributes:
        items: The item vectors.
        modality_dropout: The share of items, in [0, 1), whose text a training step drops, and likewise of pictures.
        order_weight: The weight of the tasks of place and order.
    """

    items: ExpertItems  # pyright: ignore[reportIncompatibleVariableOverride]

    def __init__(
        self,
        n_items: int,
        dims: int,
        dropout: float,
        items: ExpertItems,
        id_dropout: float,
        body: LanguageBody,
        modality_dropout: float,
        order_weight: float,
    ) -> None:
        super().__init__(n_items, dims, dropout, items, id_dropout, body)
        self.modality_dropout, self.order_weight = modality_dropout, order_weight
        self.place = nn.Linear(dims, PLACE_BUCKETS)
        self.order = nn.Linear(2 * dims, 1)

    def training_batch(self, items_bt: IntArray, rng: np.random.Generator) -> tuple[IntArray, IntArray]:
        """As in `ItemTokens`; the modalities to drop in this step are drawn first."""
        absent = rng.random((self.n_items, len(MODALITIES))) < self.modality_dropout
        absent[:, MODALITIES.index("id")] = False  # ids have a dropout of their own
        self.items.drop_modalities(absent)
        return super().training_batch(items_bt, rng)

    def progress_to(self, share: float) -> None:
        """As in `SequenceModel`; modalities join one after another."""
        self.items.join(modalities_at(share, self.items.pictured))

    def auxiliary_loss(self, states_btd: Tensor, real_bt: Tensor, rng: np.random.Generator) -> Tensor | None:
        """As in `SequenceModel`: which place a state has, and which of two states of a window is the earlier one."""
        if not self.order_weight:
            return None
        tokens = states_btd.shape[1]
        places_t = torch.arange(tokens, device=states_btd.device)
        bucket_t = (places_t + 1).float().log2().ceil().long().clamp(max=PLACE_BUCKETS - 1)
        loss = F.cross_entropy(self.place(states_btd[real_bt]), bucket_t.expand_as(real_bt)[real_bt])
        length_b = real_bt.sum(1)
        pairs = (length_b > 1).nonzero()[:, 0]
        if len(pairs):
            fractions = torch.as_tensor(rng.random((len(pairs), 2))).to(states_btd.device)
            length = length_b[pairs]
            one = (fractions[:, 0] * length).long()
            other = (one + 1 + (fractions[:, 1] * (length - 1)).long()) % length
            both = torch.cat([states_btd[pairs, one], states_btd[pairs, other]], dim=1)
            loss = loss + F.binary_cross_entropy_with_logits(self.order(both)[:, 0], (one < other).float())
        return self.order_weight * loss
