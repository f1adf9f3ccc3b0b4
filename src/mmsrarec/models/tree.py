"""Prompts that start alike as one tree: a token is computed once for all prompts that are the same up to it.

What a token becomes depends on what stands before it alone, so nothing changes: in float32 this equals one prompt per
candidate to 1e-4. All tokens stand in one row without padding, and each prompt looks along its own path through them
(tree attention: SpecInfer, arXiv 2305.09781, section 4.2). Shapes as of `Branches`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from mmsrarec.models.attention import Branches
from mmsrarec.models.packing import WORDS_ONLY, Pack, Segment
from mmsrarec.models.positions import Sight

PATHS = 2**15
"""Tokens along which prompts look at once: their keys are gathered, so this bounds memory."""


@dataclass(frozen=True, slots=True)
class Tree:
    """Prompts with every token once. ids: (1, t). positions: (1, t), or (3, 1, t) of a model with three axes. branches:
    who looks where. ends: (candidates,) columns of the prompts' last tokens, in order. pictures: as of `Batch`.
    """

    ids: Tensor
    positions: Tensor
    branches: tuple[Branches, ...]
    ends: Tensor
    pictures: list[int]


class Branch(NamedTuple):
    """A prompt in the tree. path: places of its tokens, of which `start` were there before; blocks: as of `Layout`."""

    path: list[int]
    start: int
    blocks: list[int]


def grow(packs: Sequence[Pack], sight: Sight = WORDS_ONLY) -> Tree:
    """The prompts of all candidates as one tree. sight: how the model reads pictures, as in `collate`.

    In sorted order a prompt shares with the one before it all that it shares with any earlier one.
    """
    prompts = [_joined(pack.shared, candidate) for pack in packs for candidate in pack.candidates]
    blocks = [sight.blocks(prompt.ids, len(prompt.pictures)).tolist() for prompt in prompts]
    signs = [_signs(prompt, shown) for prompt, shown in zip(prompts, blocks, strict=True)]
    ids, positions, pictures, ends = [], [], [], [0] * len(prompts)
    branches: list[Branch] = []
    before: list[int] = []
    path: list[int] = []
    for row in sorted(range(len(prompts)), key=signs.__getitem__):
        prompt, start = prompts[row], _alike(before, signs[row])
        path = [*path[:start], *range(len(ids), len(ids) + len(prompt.ids) - start)]
        ids += prompt.ids[start:]
        positions.append(sight.positions(prompt.ids, len(prompt.pictures), 0)[:, start:])
        pictures += prompt.pictures[max(blocks[row][:start], default=-1) + 1 :]
        if start < len(path):
            branches.append(Branch(path, start, blocks[row] if sight.mutual else []))
        ends[row], before = path[-1], signs[row]
    placed = torch.cat(positions, dim=1)[:, None]
    placed = placed if sight.axes > 1 else placed[0]
    return Tree(torch.tensor([ids]), placed, tuple(_together(branches)), torch.tensor(ends), pictures)


def _joined(shared: Segment, candidate: Segment) -> Segment:
    return Segment([*shared.ids, *candidate.ids], [*shared.pictures, *candidate.pictures])


def _signs(prompt: Segment, blocks: Sequence[int]) -> list[int]:
    """Token ids, and below 0 the item whose picture a token is of: what is equal here is equal to the model."""
    return [token if at < 0 else -1 - prompt.pictures[at] for token, at in zip(prompt.ids, blocks, strict=True)]


def _alike(one: Sequence[int], other: Sequence[int]) -> int:
    """How many tokens two prompts start with alike."""
    shorter = min(len(one), len(other))
    return next((place for place in range(shorter) if one[place] != other[place]), shorter)


def _together(branches: Sequence[Branch]) -> Iterator[Branches]:
    """Prompts that add about as many tokens attend together, so that little is padded."""

    def size(branch: Branch) -> int:
        return (len(branch.path) - branch.start).bit_length()

    for _, alike in groupby(sorted(branches, key=size), size):
        chosen = list(alike)
        step = max(PATHS // max(len(branch.path) for branch in chosen), 1)
        yield from (_branches(chosen[first : first + step]) for first in range(0, len(chosen), step))


def _branches(chosen: Sequence[Branch]) -> Branches:
    path = pad_sequence([torch.tensor(branch.path) for branch in chosen], batch_first=True)
    length, start = (torch.tensor(sizes)[:, None] for sizes in zip(*((len(b.path), b.start) for b in chosen)))
    index = start + torch.arange(int((length - start).max()))
    real, index = index < length, index.clamp(max=path.shape[1] - 1)
    sees = index[..., None] >= torch.arange(path.shape[1])
    if any(branch.blocks for branch in chosen):
        blocks = pad_sequence([torch.tensor(branch.blocks) for branch in chosen], batch_first=True, padding_value=-1)
        own = blocks.gather(1, index)[..., None]
        sees |= (own == blocks[:, None]) & (own >= 0)
    return Branches(path, path.gather(1, index), real.flatten().nonzero()[:, 0], index, sees)
