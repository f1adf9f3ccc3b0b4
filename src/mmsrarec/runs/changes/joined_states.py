"""Item states of the items that joined a run after its training, kept beside it; sequence models read them by content.

`mmsrarec update` writes them. Items are known by their ids.
"""

import json
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol, cast

import numpy as np
import torch
from torch import Tensor

from mmsrarec.data.dataset import Item
from mmsrarec.models.backbone.adapter import save_atomically
from mmsrarec.retrieve.encoder import Encoder
from mmsrarec.retrieve.later_items import with_new_items

FILE = "joined_states.safetensors"
"""The file inside a run."""


class _OpenFile(Protocol):
    """An open file of safetensors, whose library declares no types."""

    def metadata(self) -> dict[str, str] | None: ...

    def get_tensor(self, name: str) -> Tensor: ...


def save_states(run: Path, item_ids: Sequence[str], states: Tensor) -> None:
    """Write the (m, d) states of m items; those of before are replaced."""
    save_atomically({"states": states.contiguous()}, run / FILE, {"item_ids": json.dumps(list(item_ids))})


def load_states(run: Path) -> dict[str, Tensor]:
    """Item id -> (d,) state; empty where no item joined, or the file is damaged."""
    from safetensors import SafetensorError, safe_open

    try:
        with cast("AbstractContextManager[_OpenFile]", safe_open(run / FILE, framework="pt")) as stored:
            item_ids, states = json.loads((stored.metadata() or {})["item_ids"]), stored.get_tensor("states")
    except (OSError, SafetensorError, KeyError, ValueError):
        return {}
    return dict(zip(item_ids, states, strict=True)) if len(item_ids) == len(states) else {}


def for_catalogue(encoder: Encoder, items: Sequence[Item], states: Mapping[str, Tensor]) -> Encoder:
    """A sequence model for a catalogue whose first items are those that it was trained on.

    Args:
        encoder: The sequence model.
        items: The catalogue.
        states: Item id -> (d,) state, of items that joined; one that is missing stays unknown to the model.
    """
    joined = [item.item_id for item in items[encoder.n_items :]]
    described = np.array([item_id in states for item_id in joined], dtype=bool)
    if not described.any():
        return encoder
    nothing = torch.zeros_like(next(iter(states.values())))
    return with_new_items(encoder, torch.stack([states.get(item_id, nothing) for item_id in joined]), described)
