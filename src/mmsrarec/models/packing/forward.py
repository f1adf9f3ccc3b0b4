"""Read packs: from token ids and pictures to hidden states, the same way for every use of a pack and every model."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from mmsrarec.models.backbone.mllm import Mllm
from mmsrarec.models.packing.packed_prompt import Batch, PackedPrompt, collate
from mmsrarec.models.packing.prefix_tree import PrefixTree, TreeLayout
from mmsrarec.models.packing.token_index import TokenIndex


def batch_of(mllm: Mllm, packs: Sequence[PackedPrompt]) -> Batch:
    """Packs laid out as the model reads them."""
    return collate(packs, mllm.tokenizer.pad_token_id or 0, mllm.dtype, mllm.vision_layout)


def read(mllm: Mllm, batch: Batch, features: Mapping[int, Tensor], places: TokenIndex | None = None) -> Tensor:
    """Last hidden states of a batch, (b, t, d); (n, d) at n `places`, rows and columns, which costs less.

    features: item code -> (v, d) of its picture. The model's own way with pictures holds: see `positions`.
    """
    device = mllm.device
    embeddings, positions = _embed(mllm, batch, features), batch.positions.to(device)
    return mllm.hidden(embeddings, positions, batch.mask.to(device), batch.layout.to(device), places)


def read_tree(mllm: Mllm, packs: Sequence[PackedPrompt], features: Mapping[int, Tensor], tree: PrefixTree) -> Tensor:
    """Last hidden states (candidates, d) where the answers of all packs' candidates start. Only what is new to the tree
    is computed. For models that can be packed (`Mllm.packs`)."""
    new, device = tree.grow(packs, mllm.vision_layout), mllm.device
    nothing_padded = torch.zeros((1, 1, 1, 1), dtype=mllm.dtype, device=device)
    embeddings, positions = _embed(mllm, new, features), new.positions.to(device)
    ends = torch.zeros_like(new.ends), new.ends
    return mllm.hidden(embeddings, positions, nothing_padded, new.branches.to(device), ends)


def _embed(mllm: Mllm, batch: Batch | TreeLayout, features: Mapping[int, Tensor]) -> Tensor:
    seen = torch.stack([features[code] for code in batch.pictures]).to(mllm.device) if batch.pictures else None
    return mllm.embed(batch.ids.to(mllm.device), seen)
