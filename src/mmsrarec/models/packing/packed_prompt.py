"""A packed prompt is one shared prompt and its candidates in one sequence, computed as one prompt for each candidate.

A candidate attends to the shared part and to itself (`attention`); its positions start after the shared part. In
float32 the result equals that of one prompt for each candidate to 1e-4.
Shapes: b packs, t tokens, s of them shared, c candidates.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from mmsrarec.models.packing.attention import Layout
from mmsrarec.models.vision.vision_layout import VisionLayout

WORDS_ONLY = VisionLayout()
"""The layout of a model without pictures."""
ALIGNED_TOKENS = 32
"""The shared part is padded to a multiple of this many tokens, which a processor adds up at once.

The sums over a candidate's tokens then use the same lanes whatever the length of the other packs, so that a score does
not depend on the rest of the batch. In bfloat16 on a CPU scores are then equal to the last bit; without the padding
one score in five changes.
"""


@dataclass(frozen=True, slots=True)
class TokenSpan:
    """A part of a prompt.

    Attributes:
        ids: Token ids, image placeholders included.
        pictures: Codes of the items whose pictures stand at the placeholders, in reading order.
    """

    ids: list[int]
    pictures: list[int] = field(default_factory=list[int])


@dataclass(frozen=True, slots=True)
class PackedPrompt:
    """A shared prompt and its candidates.

    Attributes:
        shared: The part that all candidates share.
        candidates: The candidates, each with the tokens after which its answer is read.
    """

    shared: TokenSpan
    candidates: list[TokenSpan]

    def __len__(self) -> int:
        return len(self.shared.ids) + sum(len(c.ids) for c in self.candidates)

    def unpacked(self) -> "list[PackedPrompt]":
        """One prompt for each candidate: the slow way, whose results packing must equal."""
        return [PackedPrompt(self.shared, [candidate]) for candidate in self.candidates]

    def chunks(self, size: int) -> "list[PackedPrompt]":
        """The same candidates in packs of at most `size` candidates, which need less memory."""
        return [PackedPrompt(self.shared, self.candidates[i : i + size]) for i in range(0, len(self.candidates), size)]


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
    """

    ids: Tensor
    positions: Tensor
    mask: Tensor
    layout: Layout
    answers: tuple[Tensor, Tensor]
    pictures: list[int]


def collate(
    packs: Sequence[PackedPrompt], pad: int, dtype: torch.dtype, vision_layout: VisionLayout = WORDS_ONLY
) -> Batch:
    """Lay packs out for one forward pass. Padding follows real tokens, which never look ahead.

    Args:
        packs: b packed prompts.
        pad: The padding token id.
        dtype: The number format of the mask.
        vision_layout: The positions of pictures; by default their tokens are placed like words.

    Returns:
        The batch.
    """
    longest = max(len(pack.shared.ids) for pack in packs)
    layout = Layout(
        shared=-(-longest // ALIGNED_TOKENS) * ALIGNED_TOKENS,
        candidates=max(len(pack.candidates) for pack in packs),
        length=max(len(candidate.ids) for pack in packs for candidate in pack.candidates),
    )
    width = layout.shared + layout.candidates * layout.length
    ids = torch.full((len(packs), width), pad)
    positions = torch.zeros((vision_layout.axes, len(packs), width), dtype=torch.long)
    blocks = torch.full_like(ids, -1)
    mask = torch.full((len(packs), 1, 1, layout.shared), torch.finfo(dtype).min, dtype=dtype)
    answer_rows: list[int] = []
    answer_columns: list[int] = []
    pictures: list[int] = []
    for row, pack in enumerate(packs):
        mask[row, ..., : len(pack.shared.ids)] = 0
        first = 0
        for number, part in enumerate([pack.shared, *pack.candidates]):
            start = layout.shared + (number - 1) * layout.length if number else 0
            stop = start + len(part.ids)
            ids[row, start:stop] = torch.tensor(part.ids)
            part_positions = vision_layout.positions(part.ids, len(part.pictures), first)
            positions[:, row, start:stop] = part_positions
            if vision_layout.mutual:
                blocks[row, start:stop] = vision_layout.blocks(part.ids, len(part.pictures))
            pictures += part.pictures
            if number:
                answer_rows.append(row)
                answer_columns.append(stop - 1)
            elif part.ids:
                first = int(part_positions.max()) + 1
    if vision_layout.mutual:
        layout = replace(layout, blocks=blocks)
    answers = (torch.tensor(answer_rows), torch.tensor(answer_columns))
    return Batch(ids, positions if vision_layout.axes > 1 else positions[0], mask, layout, answers, pictures)
