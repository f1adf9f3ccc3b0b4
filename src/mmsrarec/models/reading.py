"""Read packs: from token ids and pictures to hidden states, the same way for every use of a pack and every model."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from mmsrarec.models.mllm import Mllm
from mmsrarec.models.packing import Batch, Pack, collate


def read_packs(mllm: Mllm, packs: Sequence[Pack], features: Mapping[int, Tensor]) -> tuple[Tensor, Batch]:
    """Last hidden states (b, t, d) of b packs, and what stands where. features: item code -> (v, d) of its picture.

    The model's own way with pictures holds: see `positions`.
    """
    batch = collate(packs, mllm.tokenizer.pad_token_id or 0, mllm.dtype, mllm.sight)
    device, layout = mllm.device, batch.layout
    if layout.blocks is not None:
        layout = replace(layout, blocks=layout.blocks.to(device))
    seen = torch.stack([features[code] for code in batch.pictures]).to(device) if batch.pictures else None
    embeddings = mllm.embed(batch.ids.to(device), seen)
    return mllm.hidden(embeddings, batch.positions.to(device), batch.mask.to(device), layout), batch
