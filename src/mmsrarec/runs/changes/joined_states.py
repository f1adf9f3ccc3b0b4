"""Item states of the items that joined a run after its training, kept beside it; sequence models read them by content.

`mmsrarec update` writes them, by item id (`recommend.ranking.item_states.save_states`).
"""

from collections.abc import Collection, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from mmsrarec.data.dataset import Item
from mmsrarec.retrieve.encoder import Encoder
from mmsrarec.retrieve.later_items import with_new_items, with_other_states

FILE = "joined_states.safetensors"
"""The file inside a run."""


def for_catalogue(
    encoder: Encoder, items: Sequence[Item], states: Mapping[str, Tensor], changed: Collection[str] = ()
) -> Encoder:
    """A sequence model for a catalogue whose first items are those that it was trained on.

    Args:
        encoder: The sequence model.
        items: The catalogue.
        states: Item id -> (d,) state, of items that joined; one that is missing stays unknown to the model.
        changed: Ids of items that are other than before; what the model knew of one that joined is forgotten.
    """
    before = enumerate(items[encoder.n_trained : encoder.n_items], encoder.n_trained)
    others = {code: states.get(item.item_id) for code, item in before if item.item_id in changed}
    encoder = with_other_states(encoder, others)
    joined = [item.item_id for item in items[encoder.n_items :]]
    described = np.array([item_id in states for item_id in joined], dtype=bool)
    if not described.any():
        return encoder
    nothing = torch.zeros_like(next(iter(states.values())))
    return with_new_items(encoder, torch.stack([states.get(item_id, nothing) for item_id in joined]), described)
