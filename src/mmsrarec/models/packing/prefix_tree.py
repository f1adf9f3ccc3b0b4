"""Prompts that start alike as one tree: a token is computed once for all prompts that are the same up to it.

What a token becomes depends only on what stands before it, so nothing changes: in float32 this equals one prompt per
candidate to 1e-4. All tokens stand in one row without padding, and each prompt looks along its own path through them
(tree attention: SpecInfer, arXiv 2305.09781, section 4.2). Shapes as of `Rows`.
"""

from bisect import bisect, insort
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from mmsrarec.models.backbone.vision_layout import VisionLayout
from mmsrarec.models.packing.attention import BranchLayout, Rows
from mmsrarec.models.packing.packed_prompt import WORDS_ONLY, PackedPrompt, TokenSpan

PATHS = 2**15
"""Tokens along which prompts look at once: their keys are gathered, so this bounds memory."""

SIGN = itemgetter(0)


@dataclass(frozen=True, slots=True)
class TreeLayout:
    """The t tokens that join a tree. ids: (1, t). positions: (1, t), or (3, 1, t) of a model with three axes. branches:
    who looks where. ends: (candidates,) columns of the prompts' last tokens, in order. pictures: as of `Batch`.
    """

    ids: Tensor
    positions: Tensor
    branches: BranchLayout
    ends: Tensor
    pictures: list[int]


class CachedPrefixes(NamedTuple):
    """A prompt in the tree: what it says, and the places of its tokens."""

    sign: list[int]
    path: list[int]


class PrefixBranch(NamedTuple):
    """A prompt that joins. start: how many tokens of its path are known; blocks: as of `Layout`, where that matters."""

    path: list[int]
    start: int
    blocks: list[int]


class PrefixTree:
    """Keeps the keys and values of the first prompts that are read into it. Later ones go on from where they part with
    them, and leave nothing, so that memory stays small. Of one model, for as long as its weights stay the same."""

    def __init__(self):
        self._size = 0
        self._known: list[CachedPrefixes] = []
        self._past: dict[int, tuple[Tensor, Tensor]] = {}

    def grow(self, packs: Sequence[PackedPrompt], vision_layout: VisionLayout = WORDS_ONLY) -> TreeLayout:
        """The prompts of all candidates. sight: how the model reads pictures, as in `collate`.

        A prompt's last token is always its own, for the answer is read there.
        """
        keep, known = not self._size, list(self._known)
        ids, positions, pictures, ends, branches = [], [], [], [], []
        for prompt in (_joined(pack.shared, candidate) for pack in packs for candidate in pack.candidates):
            blocks = vision_layout.blocks(prompt.ids, len(prompt.pictures)).tolist()
            sign = _sign(prompt, blocks)
            path = _start(known, sign)[: len(sign) - 1]
            start, column = len(path), self._size + len(ids)
            path += range(column, column + len(sign) - start)
            insort(known, CachedPrefixes(sign, path), key=SIGN)
            ids += prompt.ids[start:]
            positions.append(vision_layout.positions(prompt.ids, len(prompt.pictures), 0)[:, start:])
            pictures += prompt.pictures[max(blocks[:start], default=-1) + 1 :]
            ends.append(len(ids) - 1)
            branches.append(PrefixBranch(path, start, blocks if vision_layout.mutual else []))
        placed = torch.cat(positions, dim=1)[:, None]
        placed = placed if vision_layout.axes > 1 else placed[0]
        joining = BranchLayout(tuple(_together(branches, self._size)), self._past, keep)
        if keep:
            self._size, self._known = len(ids), known
        return TreeLayout(torch.tensor([ids]), placed, joining, torch.tensor(ends), pictures)


def _start(known: Sequence[CachedPrefixes], sign: Sequence[int]) -> list[int]:
    """Places of the tokens that a prompt starts with as a known one does: as a neighbour in sorted order does."""
    at = bisect(known, sign, key=SIGN)
    beside = known[max(at - 1, 0) : at + 1]
    return max((one.path[: _alike(one.sign, sign)] for one in beside), key=len, default=[])


def _joined(shared: TokenSpan, candidate: TokenSpan) -> TokenSpan:
    return TokenSpan([*shared.ids, *candidate.ids], [*shared.pictures, *candidate.pictures])


def _sign(prompt: TokenSpan, blocks: Sequence[int]) -> list[int]:
    """Token ids, and below 0 the item whose picture a token is of: what is equal here is equal to the model."""
    return [token if at < 0 else -1 - prompt.pictures[at] for token, at in zip(prompt.ids, blocks, strict=True)]


def _alike(one: Sequence[int], other: Sequence[int]) -> int:
    """How many tokens two prompts start with alike."""
    shorter = min(len(one), len(other))
    return next((place for place in range(shorter) if one[place] != other[place]), shorter)


def _together(branches: Sequence[PrefixBranch], past: int) -> Iterator[Rows]:
    """Prompts that add about as many tokens attend together, so that little is padded."""

    def size(branch: PrefixBranch) -> int:
        return (len(branch.path) - branch.start).bit_length()

    for _, alike in groupby(sorted(branches, key=size), size):
        chosen = list(alike)
        step = max(PATHS // max(len(branch.path) for branch in chosen), 1)
        yield from (_rows(chosen[first : first + step], past) for first in range(0, len(chosen), step))


def _rows(chosen: Sequence[PrefixBranch], past: int) -> Rows:
    path = pad_sequence([torch.tensor(branch.path) for branch in chosen], batch_first=True)
    length, start = (
        torch.tensor(sizes)[:, None] for sizes in zip(*((len(b.path), b.start) for b in chosen), strict=True)
    )
    index = start + torch.arange(int((length - start).max()))
    real, index = (index < length).flatten().nonzero()[:, 0], index.clamp(max=path.shape[1] - 1)
    sees = index[..., None] >= torch.arange(path.shape[1])
    if any(branch.blocks for branch in chosen):
        blocks = pad_sequence([torch.tensor(branch.blocks) for branch in chosen], batch_first=True, padding_value=-1)
        own = blocks.gather(1, index)[..., None]
        sees |= (own == blocks[:, None]) & (own >= 0)
    return Rows(path, (path.gather(1, index) - past).clamp(min=0), real, index, sees)
