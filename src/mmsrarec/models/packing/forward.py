"""Runs the model on packed prompts: from token ids and pictures to hidden states, the same way for every model.

Whatever a batch needs goes to the model's device in one transfer.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor

from mmsrarec.data.dataset import IntArray
from mmsrarec.models.backbone.mllm import Mllm
from mmsrarec.models.packing.attention import BranchLayout, Layout
from mmsrarec.models.packing.pack_table import PackTable
from mmsrarec.models.packing.packed_batch import Batch, collate, collate_rows
from mmsrarec.models.packing.packed_prompt import PackedPrompt
from mmsrarec.models.packing.prefix_tree import PrefixTree, TreeLayout
from mmsrarec.models.packing.single_transfer import SingleTransfer
from mmsrarec.models.packing.token_index import TokenIndex


def batch_of(mllm: Mllm, packs: Sequence[PackedPrompt]) -> Batch:
    """Lay out b packed prompts as one batch for this model."""
    return collate(packs, mllm.tokenizer.pad_token_id or 0, mllm.dtype, mllm.vision_layout)


def batch_of_rows(mllm: Mllm, table: PackTable, rows: IntArray) -> Batch:
    """Lay out the packs of some rows of a table as one batch for this model."""
    return collate_rows(table, rows, mllm.tokenizer.pad_token_id or 0, mllm.dtype, mllm.vision_layout)


@dataclass(frozen=True, slots=True, eq=False)
class PreparedBatch:
    """A batch on its way to the model's device.

    Attributes:
        transfer: Token ids, positions, mask, pictures, states, rows and columns of the places, then the tensors of the
            layout, then the labels.
        layout: How the prompts are laid out.
        n_labels: Labels that go along.
        has_soft_tokens: Whether any token is a soft one.
    """

    transfer: SingleTransfer
    layout: Layout | BranchLayout
    n_labels: int
    has_soft_tokens: bool


def prepare(
    mllm: Mllm,
    batch: Batch | TreeLayout,
    features: Mapping[int, Tensor],
    places: TokenIndex | None = None,
    labels: Sequence[Tensor] = (),
) -> PreparedBatch:
    """Lay out whatever the model needs of a batch for one transfer; this may be done ahead.

    Args:
        mllm: The model.
        batch: The batch, or the new tokens of a prefix tree.
        features: Item code -> (v, d) features of its picture.
        places: Rows and columns of the n tokens whose states are needed, on the CPU. None is all.
        labels: What is wanted on the device besides, on the CPU.
    """
    pictures = torch.stack([features[code] for code in batch.pictures]) if batch.pictures else None
    layout = batch.branches if isinstance(batch, TreeLayout) else batch.layout
    # a tree has no padding
    mask = torch.zeros((1, 1, 1, 1), dtype=mllm.dtype) if isinstance(batch, TreeLayout) else batch.mask
    rows, columns = places or (None, None)
    tensors = [batch.ids, batch.positions, mask, pictures, batch.states, rows, columns, *layout.tensors, *labels]
    transfer = SingleTransfer.of(tensors, mllm.device)
    return PreparedBatch(transfer, layout, len(labels), bool((batch.ids < 0).any()))


def read_prepared(mllm: Mllm, prepared: PreparedBatch) -> tuple[Tensor, list[Tensor]]:
    """Send a batch to the model's device, and compute its last hidden states there.

    Args:
        mllm: The model.
        prepared: The batch.

    Returns:
        (b, t, d) states, or (n, d) at the places; and the labels on the device.
    """
    ids, positions, mask, pictures, states, rows, columns, *more = prepared.transfer.arrived()
    assert ids is not None
    assert positions is not None
    assert mask is not None
    stop = len(more) - prepared.n_labels
    layout, labels = prepared.layout.placed(more[:stop]), cast(list[Tensor], more[stop:])
    embeddings = mllm.embed(ids, pictures, states, prepared.has_soft_tokens)
    places = None if rows is None or columns is None else (rows, columns)
    return mllm.hidden(embeddings, positions, mask, layout, places), labels


def read(mllm: Mllm, batch: Batch, features: Mapping[int, Tensor], places: TokenIndex | None = None) -> Tensor:
    """Compute the last hidden states of a batch. Pictures have the positions that the model gives them.

    Args:
        mllm: The model.
        batch: The batch.
        features: Item code -> (v, d) features of its picture.
        places: Rows and columns of the n tokens whose states are needed, on the CPU; fewer states cost less. None is
            all.

    Returns:
        (b, t, d) states, or (n, d) at the places.
    """
    return read_prepared(mllm, prepare(mllm, batch, features, places))[0]


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
    new = tree.grow(packs, mllm.vision_layout)
    ends = torch.zeros_like(new.ends), new.ends
    return read_prepared(mllm, prepare(mllm, new, features, ends))[0]
