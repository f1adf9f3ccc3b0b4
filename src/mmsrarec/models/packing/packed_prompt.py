"""Packing: one shared prompt and all its candidates in one sequence, as if each candidate had a prompt of its own.

A candidate sees the shared part and itself (`attention`); positions restart after the shared part for every candidate.
In float32 this equals one prompt per candidate to 1e-4. Shapes: b packs, t tokens, s of them shared, c candidates.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from mmsrarec.models.backbone.vision_layout import VisionLayout
from mmsrarec.models.packing.attention import Layout

WORDS_ONLY = VisionLayout()
ALIGNED = 32
"""The shared part is padded to a multiple of so many tokens: numbers that a processor adds up at once.

Sums over a candidate's tokens then fall into the same lanes however long other packs of the batch are, so that a score
does not depend on company: in bfloat16 on a CPU to the last bit, where without it one score in five moves.
"""


@dataclass(frozen=True, slots=True)
class TokenSpan:
    """Token ids, and the item codes whose pictures take the image placeholders among them, in reading order."""

    ids: list[int]
    pictures: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class PackedPrompt:
    """What all candidates share, and the candidates."""

    shared: TokenSpan
    candidates: list[TokenSpan]

    def __len__(self) -> int:
        return len(self.shared.ids) + sum(len(c.ids) for c in self.candidates)

    def unpacked(self) -> "list[PackedPrompt]":
        """One prompt per candidate: the slow way, which packing must equal."""
        return [PackedPrompt(self.shared, [candidate]) for candidate in self.candidates]

    def chunks(self, size: int) -> "list[PackedPrompt]":
        """The same candidates in packs of at most `size`, so that memory stays small."""
        return [PackedPrompt(self.shared, self.candidates[i : i + size]) for i in range(0, len(self.candidates), size)]


@dataclass(frozen=True, slots=True)
class Batch:
    """Packs side by side: the shared parts padded to one length, then a slot of one length for every candidate.

    ids: (b, t). positions: (b, t), or (3, b, t) of a model with three axes. mask: (b, 1, 1, s), 0 on shared tokens and
    a very negative number on their padding. layout: what is where. answers: rows and columns of each candidate's last
    token, whose next token is the answer; candidates in order. pictures: item codes in reading order of the image
    placeholders.
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
    """Lay packs out for one forward pass. Padding stands behind real tokens, which never look ahead.

    sight: how the model reads pictures; by default their tokens are words like others.
    """
    longest = max(len(pack.shared.ids) for pack in packs)
    layout = Layout(
        shared=-(-longest // ALIGNED) * ALIGNED,
        candidates=max(len(pack.candidates) for pack in packs),
        length=max(len(candidate.ids) for pack in packs for candidate in pack.candidates),
    )
    width = layout.shared + layout.candidates * layout.length
    ids = torch.full((len(packs), width), pad)
    positions = torch.zeros((vision_layout.axes, len(packs), width), dtype=torch.long)
    blocks = torch.full_like(ids, -1)
    mask = torch.full((len(packs), 1, 1, layout.shared), torch.finfo(dtype).min, dtype=dtype)
    answer_rows, answer_columns, pictures = [], [], []
    for row, pack in enumerate(packs):
        mask[row, ..., : len(pack.shared.ids)] = 0
        first = 0
        for number, part in enumerate([pack.shared, *pack.candidates]):
            start = layout.shared + (number - 1) * layout.length if number else 0
            stop = start + len(part.ids)
            ids[row, start:stop] = torch.tensor(part.ids)
            placed = vision_layout.positions(part.ids, len(part.pictures), first)
            positions[:, row, start:stop] = placed
            if vision_layout.mutual:
                blocks[row, start:stop] = vision_layout.blocks(part.ids, len(part.pictures))
            pictures += part.pictures
            if number:
                answer_rows.append(row)
                answer_columns.append(stop - 1)
            elif part.ids:
                first = int(placed.max()) + 1
    if vision_layout.mutual:
        layout = replace(layout, blocks=blocks)
    answers = (torch.tensor(answer_rows), torch.tensor(answer_columns))
    return Batch(ids, positions if vision_layout.axes > 1 else positions[0], mask, layout, answers, pictures)
