"""Packing: one shared prompt and all its candidates in one sequence, as if each candidate had a prompt of its own.

A mask lets a candidate see the shared part and itself; positions restart after the shared part for every candidate. In
float32 this equals one prompt per candidate to 1e-4. Shapes: b packs, t tokens, c candidates.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Segment:
    """Token ids, and the item codes whose pictures take the image placeholders among them, in reading order."""

    ids: list[int]
    pictures: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Pack:
    """What all candidates share, and the candidates."""

    shared: Segment
    candidates: list[Segment]

    def __len__(self) -> int:
        return len(self.shared.ids) + sum(len(c.ids) for c in self.candidates)

    def unpacked(self) -> "list[Pack]":
        """One prompt per candidate: the slow way, which packing must equal."""
        return [Pack(self.shared, [candidate]) for candidate in self.candidates]

    def chunks(self, size: int) -> "list[Pack]":
        """The same candidates in packs of at most `size`, so that the mask stays small."""
        return [Pack(self.shared, self.candidates[i : i + size]) for i in range(0, len(self.candidates), size)]


@dataclass(frozen=True, slots=True)
class Batch:
    """Packs, padded on the right to one length.

    ids, positions: (b, t). mask: (b, 1, t, t), 0 where a token may look and a very negative number elsewhere.
    answers: rows and columns of each candidate's last token, whose next token is the answer; candidates in order.
    pictures: item codes in reading order of the image placeholders.
    """

    ids: Tensor
    positions: Tensor
    mask: Tensor
    answers: tuple[Tensor, Tensor]
    pictures: list[int]


def collate(packs: Sequence[Pack], pad: int, dtype: torch.dtype) -> Batch:
    """Lay packs out for one forward pass."""
    width = max(map(len, packs))
    ids = torch.full((len(packs), width), pad)
    positions = torch.zeros((len(packs), width), dtype=torch.long)
    segment = torch.full((len(packs), width), -1)  # 0 the shared part, 1.. the candidates, -1 padding
    answer_rows, answer_columns, pictures = [], [], []
    for row, pack in enumerate(packs):
        start, n_shared = 0, len(pack.shared.ids)
        for number, part in enumerate([pack.shared, *pack.candidates]):
            stop = start + len(part.ids)
            ids[row, start:stop] = torch.tensor(part.ids)
            first = n_shared if number else 0
            positions[row, start:stop] = torch.arange(first, first + len(part.ids))
            segment[row, start:stop] = number
            pictures += part.pictures
            if number:
                answer_rows.append(row)
                answer_columns.append(stop - 1)
            start = stop
    mask = additive_mask(segment, dtype)
    return Batch(ids, positions, mask, (torch.tensor(answer_rows), torch.tensor(answer_columns)), pictures)


def additive_mask(segment: Tensor, dtype: torch.dtype) -> Tensor:
    """(b, t) segment numbers to the (b, 1, t, t) mask that is added to attention scores."""
    width = segment.shape[1]
    looking, seen = segment[:, :, None], segment[:, None, :]
    earlier = torch.ones(width, width, dtype=torch.bool).tril()
    # padding looks at itself, for a row that may look nowhere would be all NaN
    allowed = earlier & ((seen == 0) | (seen == looking))
    return torch.zeros(allowed.shape, dtype=dtype).masked_fill_(~allowed, torch.finfo(dtype).min)[:, None]
