"""A batch of packed prompts: how they are laid out for one forward pass.

Shapes: b packs, t tokens, s of them shared, c candidates.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from mmsrarec.data.dataset import IntArray
from mmsrarec.models.packing.attention import Layout
from mmsrarec.models.packing.pack_table import PackTable, ranges
from mmsrarec.models.packing.packed_prompt import PackedPrompt
from mmsrarec.models.packing.soft_ids import LAST
from mmsrarec.models.vision.vision_layout import WORDS_ONLY, VisionLayout

ALIGNED_TOKENS = 32
"""The shared part is padded to a multiple of this many tokens, which a processor adds up at once.

The sums over a candidate's tokens then use the same lanes whatever the length of the other packs, so that a score does
not depend on the rest of the batch. In bfloat16 on a CPU scores are then equal to the last bit; without the padding
one score in five changes.
"""


@dataclass(frozen=True, slots=True)
class Batch:
    """b packs in one table: the shared parts padded to one length, then a slot of one length for every candidate.

    Attributes:
        ids: (b, t) token ids.
        positions: (b, t) positions, or (3, b, t) for a model with three axes.
        mask: (b, 1, 1, s), 0 on shared tokens and a very negative number on their padding.
        layout: The lengths of the parts.
        answers: Rows and columns of the last token of each candidate, in order; its next token is the answer.
        pictures: Codes of the items whose pictures stand at the image placeholders, in reading order.
        states: (soft tokens, k) the user's state of each soft token, in reading order; None without soft tokens.
    """

    ids: Tensor
    positions: Tensor
    mask: Tensor
    layout: Layout
    answers: tuple[Tensor, Tensor]
    pictures: list[int]
    states: Tensor | None = None


def collate(
    packs: Sequence[PackedPrompt], pad: int, dtype: torch.dtype, vision_layout: VisionLayout = WORDS_ONLY
) -> Batch:
    """Lay packs out for one forward pass (`collate_rows`)."""
    return collate_rows(PackTable.of(packs), np.arange(len(packs)), pad, dtype, vision_layout)


def collate_rows(
    table: PackTable, rows: IntArray, pad: int, dtype: torch.dtype, vision_layout: VisionLayout = WORDS_ONLY
) -> Batch:
    """Lay packs out for one forward pass. Padding follows real tokens, which never look ahead.

    Args:
        table: The packs.
        rows: (b,) numbers of the packs of the batch.
        pad: The padding token id.
        dtype: The number format of the mask.
        vision_layout: The positions of pictures; by default their tokens are placed like words.

    Returns:
        The batch.
    """
    parts, row_of_part, number = table.parts_of(rows)  # the parts of all packs; number 0 is the shared part
    lengths = table.part_lengths[parts]
    shared_lengths = lengths[number == 0]
    candidate_lengths = lengths[number > 0]
    layout = Layout(
        shared=-(-int(shared_lengths.max()) // ALIGNED_TOKENS) * ALIGNED_TOKENS,
        candidates=int(np.bincount(row_of_part).max()) - 1,
        length=int(candidate_lengths.max(initial=0)),
    )
    width = layout.shared + layout.candidates * layout.length
    starts = np.where(number > 0, layout.shared + (number - 1) * layout.length, 0)
    within = ranges(lengths)
    places = np.repeat(row_of_part * width + starts, lengths) + within
    ids: IntArray = np.full(len(rows) * width, pad, dtype=np.int64)
    ids[places] = table.ids[np.repeat(table.part_starts[parts], lengths) + within]
    positions = np.zeros((vision_layout.axes, len(rows) * width), dtype=np.int64)
    first_positions = np.where(number > 0, shared_lengths[row_of_part], 0)
    positions[:, places] = np.repeat(first_positions, lengths) + within
    blocks: IntArray = np.full(len(ids), -1, dtype=np.int64)
    pictures = table.pictures_of(parts)
    if vision_layout.axes > 1 or vision_layout.mutual:
        _place_pictures(table, parts, row_of_part * width + starts, number, positions, blocks, vision_layout)
    if vision_layout.mutual:
        layout = replace(layout, blocks=torch.as_tensor(blocks).view(len(rows), width))
    mask = torch.zeros((len(rows), 1, 1, layout.shared), dtype=dtype)
    is_padding = np.arange(layout.shared) >= shared_lengths[:, None]
    mask[:, 0, 0].masked_fill_(torch.as_tensor(is_padding), torch.finfo(dtype).min)
    candidate_rows = row_of_part[number > 0]
    answers = torch.as_tensor(candidate_rows), torch.as_tensor(starts[number > 0] + candidate_lengths - 1)
    placed_positions = torch.as_tensor(positions).view(vision_layout.axes, len(rows), width)
    states = None
    if table.states is not None:
        soft_rows = np.nonzero(ids.reshape(len(rows), width) <= LAST)[0]
        states = torch.as_tensor(table.states[rows[soft_rows]])
    return Batch(
        torch.as_tensor(ids).view(len(rows), width),
        placed_positions if vision_layout.axes > 1 else placed_positions[0],
        mask,
        layout,
        answers,
        pictures,
        states,
    )


def _place_pictures(
    table: PackTable,
    parts: IntArray,
    starts: IntArray,
    number: IntArray,
    positions: IntArray,
    blocks: IntArray,
    vision_layout: VisionLayout,
) -> None:
    """Write the positions and the picture numbers of packs with pictures, for models that place pictures apart."""
    first = 0
    for part, start, place in zip(parts.tolist(), starts.tolist(), number.tolist(), strict=True):
        ids, n_pictures = table.part_ids(part).tolist(), int(table.picture_counts[part])
        span = slice(start, start + len(ids))
        part_positions = vision_layout.positions(ids, n_pictures, first if place else 0).numpy()
        positions[:, span] = part_positions
        blocks[span] = vision_layout.blocks(ids, n_pictures).numpy()
        if not place:
            first = int(part_positions.max(initial=-1)) + 1
