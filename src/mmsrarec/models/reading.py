"""Read packs: from token ids and pictures to hidden states, the same way for every use of a pack and every model."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from mmsrarec.models.mllm import Mllm
from mmsrarec.models.packing import Batch, Pack, collate
from mmsrarec.models.tree import Growth, Tree


def read_packs(mllm: Mllm, packs: Sequence[Pack], features: Mapping[int, Tensor]) -> tuple[Tensor, Batch]:
    """Last hidden states (b, t, d) of b packs, and what stands where. features: item code -> (v, d) of its picture.

    The model's own way with pictures holds: see `positions`.
    """
    batch = collate(packs, mllm.tokenizer.pad_token_id or 0, mllm.dtype, mllm.sight)
    device = mllm.device
    embeddings = _embed(mllm, batch, features)
    return mllm.hidden(embeddings, batch.positions.to(device), batch.mask.to(device), batch.layout.to(device)), batch


def read_tree(mllm: Mllm, packs: Sequence[Pack], features: Mapping[int, Tensor], tree: Tree) -> Tensor:
    """Last hidden states (candidates, d) where the answers of all packs' candidates start. Only what is new to the tree
    is computed. For models that can be packed (`Mllm.packs`)."""
    new, device = tree.grow(packs, mllm.sight), mllm.device
    nothing_padded = torch.zeros((1, 1, 1, 1), dtype=mllm.dtype, device=device)
    hidden = mllm.hidden(_embed(mllm, new, features), new.positions.to(device), nothing_padded, new.branches.to(device))
    return hidden[0, new.ends.to(device)]


def _embed(mllm: Mllm, batch: Batch | Growth, features: Mapping[int, Tensor]) -> Tensor:
    seen = torch.stack([features[code] for code in batch.pictures]).to(mllm.device) if batch.pictures else None
    return mllm.embed(batch.ids.to(mllm.device), seen)
