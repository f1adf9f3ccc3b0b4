"""Read packs: from token ids and pictures to hidden states, the same way for every use of a pack and every model."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from mmsrarec.models.mllm import Mllm
from mmsrarec.models.packing import Batch, Pack, collate
from mmsrarec.models.tree import Tree, grow


def read_packs(mllm: Mllm, packs: Sequence[Pack], features: Mapping[int, Tensor]) -> tuple[Tensor, Batch]:
    """Last hidden states (b, t, d) of b packs, and what stands where. features: item code -> (v, d) of its picture.

    The model's own way with pictures holds: see `positions`.
    """
    batch = collate(packs, mllm.tokenizer.pad_token_id or 0, mllm.dtype, mllm.sight)
    device = mllm.device
    embeddings = _embed(mllm, batch, features)
    return mllm.hidden(embeddings, batch.positions.to(device), batch.mask.to(device), batch.layout.to(device)), batch


def read_answers(mllm: Mllm, packs: Sequence[Pack], features: Mapping[int, Tensor]) -> Tensor:
    """Last hidden states (candidates, d) where all candidates' answers start. What prompts start with alike is computed
    once, in one pack or in many, unless the model cannot (`Mllm.packs`)."""
    if not mllm.packs:
        hidden, batch = read_packs(mllm, packs, features)
        rows, columns = (place.to(hidden.device) for place in batch.answers)
        return hidden[rows, columns]
    tree, device = grow(packs, mllm.sight), mllm.device
    branches = [part.to(device) for part in tree.branches]
    nothing = torch.zeros((1, 1, 1, 1), dtype=mllm.dtype, device=device)  # or transformers would build a mask
    hidden = mllm.hidden(_embed(mllm, tree, features), tree.positions.to(device), nothing, branches)
    return hidden[0, tree.ends.to(device)]


def _embed(mllm: Mllm, batch: Batch | Tree, features: Mapping[int, Tensor]) -> Tensor:
    seen = torch.stack([features[code] for code in batch.pictures]).to(mllm.device) if batch.pictures else None
    return mllm.embed(batch.ids.to(mllm.device), seen)
