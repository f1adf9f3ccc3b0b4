"""Runs the model on packed prompts: from token ids and pictures to hidden states, the same way for every model."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from mmsrarec.data.dataset import IntArray
from mmsrarec.models.backbone.mllm import Mllm
from mmsrarec.models.packing.pack_table import PackTable
from mmsrarec.models.packing.packed_batch import Batch, collate, collate_rows
from mmsrarec.models.packing.packed_prompt import PackedPrompt
from mmsrarec.models.packing.prefix_tree import PrefixTree, TreeLayout
from mmsrarec.models.packing.token_index import TokenIndex


def batch_of(mllm: Mllm, packs: Sequence[PackedPrompt]) -> Batch:
    """Lay out b packed prompts as one batch for this model."""
    return collate(packs, mllm.tokenizer.pad_token_id or 0, mllm.dtype, mllm.vision_layout)


def batch_of_rows(mllm: Mllm, table: PackTable, rows: IntArray) -> Batch:
    """Lay out the packs of some rows of a table as one batch for this model."""
    return collate_rows(table, rows, mllm.tokenizer.pad_token_id or 0, mllm.dtype, mllm.vision_layout)


def read(mllm: Mllm, batch: Batch, features: Mapping[int, Tensor], places: TokenIndex | None = None) -> Tensor:
    """Compute the last hidden states of a batch. Pictures have the positions that the model gives them.

    Args:
        mllm: The model.
        batch: The batch.
        features: Item code -> (v, d) features of its picture.
        places: Rows and columns of the n tokens whose states are needed; fewer states cost less. None is all.

    Returns:
        (b, t, d) states, or (n, d) at the places.
    """
    device = mllm.device
    embeddings, positions = _embed(mllm, batch, features), batch.positions.to(device)
    return mllm.hidden(embeddings, positions, batch.mask.to(device), batch.layout.to(device), places)


def read_tree(mllm: Mllm, packs: Sequence[PackedPrompt], features: Mapping[int, Tensor], tree: PrefixTree) -> Tensor:
    """Compute the last hidden states at the end of every candidate; only tokens that are new to the tree are computed.

    Args:
        mllm: A model that can compute packs (`Mllm.packs`).
        packs: The packed prompts.
        features: Item code -> (v, d) features of its picture.
        tree: The prefix tree.

    Returns:
        (candidates of all packs, d) states that predict the answers.
    """
    new, device = tree.grow(packs, mllm.vision_layout), mllm.device
    empty_mask = torch.zeros((1, 1, 1, 1), dtype=mllm.dtype, device=device)  # a tree has no padding
    embeddings, positions = _embed(mllm, new, features), new.positions.to(device)
    ends = torch.zeros_like(new.ends), new.ends
    return mllm.hidden(embeddings, positions, empty_mask, new.branches.to(device), ends)


def _embed(mllm: Mllm, batch: Batch | TreeLayout, features: Mapping[int, Tensor]) -> Tensor:
    """(b, t, d) input embeddings of words, pictures and soft tokens."""
    pictures = torch.stack([features[code] for code in batch.pictures]).to(mllm.device) if batch.pictures else None
    states = None if batch.states is None else batch.states.to(mllm.device)
    return mllm.embed(batch.ids.to(mllm.device), pictures, states)
