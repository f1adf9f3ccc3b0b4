"""A prefix tree computes each token once for all prompts that are equal up to it.

The state of a token depends only on earlier tokens, so in float32 the result equals that of one prompt for each
candidate to 1e-4. All tokens stand in one row without padding, and each prompt attends along its own path through them
(tree attention: SpecInfer, arXiv 2305.09781, section 4.2). Shapes are those of `attention.Rows`.
"""

import hashlib
from bisect import bisect, insort
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from mmsrarec.models.packing.attention import BranchLayout, Rows
from mmsrarec.models.packing.packed_prompt import PackedPrompt, TokenSpan
from mmsrarec.models.packing.soft_ids import LAST, is_stateful
from mmsrarec.models.untyped import to_list
from mmsrarec.models.vision.vision_layout import WORDS_ONLY, VisionLayout

MAX_PATH_TOKENS = 2**15
"""The number of path tokens whose keys and values are gathered at once, which bounds memory."""

_PREFIX_KEY = itemgetter(0)
"""The sort key of cached prompts: their tokens."""


@dataclass(frozen=True, slots=True)
class TreeLayout:
    """The t tokens that are new to a tree.

    Attributes:
        ids: (1, t) token ids.
        positions: (1, t) positions, or (3, 1, t) for a model with three axes.
        branches: Which tokens attend to which.
        ends: (candidates,) columns of the prompts' last tokens, in order.
        pictures: Codes of the items whose pictures stand at the image placeholders, in reading order.
        states: (soft tokens, k) the user's state of each new soft token, in reading order; None without soft tokens.
    """

    ids: Tensor
    positions: Tensor
    branches: BranchLayout
    ends: Tensor
    pictures: list[int]
    states: Tensor | None = None


class CachedPrefixes(NamedTuple):
    """A prompt in the tree.

    Attributes:
        tokens: Its tokens, as `_tree_tokens` writes them.
        path: The places of its tokens in the tree.
    """

    tokens: list[int]
    path: list[int]


class PrefixBranch(NamedTuple):
    """A prompt that joins the tree.

    Attributes:
        path: The places of its tokens in the tree.
        start: The number of tokens that the tree has already.
        blocks: Picture numbers of its tokens, as of `Layout`; empty where pictures do not see both directions.
    """

    path: list[int]
    start: int
    blocks: list[int]


class PrefixTree:
    """Keys and values of the first prompts that are read into it, of one model with unchanged weights.

    Later prompts continue from the token at which they differ from these, and are not kept, so that memory stays small.
    """

    def __init__(self) -> None:
        self._size = 0
        self._cached: list[CachedPrefixes] = []
        self._past: dict[int, tuple[Tensor, Tensor]] = {}

    def grow(self, packs: Sequence[PackedPrompt], vision_layout: VisionLayout = WORDS_ONLY) -> TreeLayout:
        """Find the tokens of prompts that the tree lacks.

        The last token of a prompt is always new, because the answer is read there.

        Args:
            packs: The packed prompts; each candidate is one prompt of the tree.
            vision_layout: The positions of pictures, as in `collate`.

        Returns:
            The new tokens.
        """
        keep, cached = not self._size, list(self._cached)
        ids: list[int] = []
        positions: list[Tensor] = []
        pictures: list[int] = []
        ends: list[int] = []
        branches: list[PrefixBranch] = []
        states: list[NDArray[np.float32]] = []
        prompts = [(_joined(pack.shared, candidate), pack.state) for pack in packs for candidate in pack.candidates]
        for prompt, state in prompts:
            blocks: list[int] = to_list(vision_layout.blocks(prompt.ids, len(prompt.pictures)))
            tokens = _tree_tokens(prompt, blocks, state)
            path = _cached_path(cached, tokens)[: len(tokens) - 1]
            start, column = len(path), self._size + len(ids)
            path += range(column, column + len(tokens) - start)
            insort(cached, CachedPrefixes(tokens, path), key=_PREFIX_KEY)
            ids += prompt.ids[start:]
            positions.append(vision_layout.positions(prompt.ids, len(prompt.pictures), 0)[:, start:])
            if state is not None:
                states += [state for token in prompt.ids[start:] if token <= LAST]
            pictures += prompt.pictures[max(blocks[:start], default=-1) + 1 :]
            ends.append(len(ids) - 1)
            branches.append(PrefixBranch(path, start, blocks if vision_layout.mutual else []))
        all_positions = torch.cat(positions, dim=1)[:, None]
        all_positions = all_positions if vision_layout.axes > 1 else all_positions[0]
        layout = BranchLayout(tuple(_grouped(branches, self._size)), self._past, keep)
        if keep:
            self._size, self._cached = len(ids), cached
        soft_states = torch.as_tensor(np.stack(states)) if states else None
        return TreeLayout(torch.tensor([ids]), all_positions, layout, torch.tensor(ends), pictures, soft_states)


def _cached_path(cached: Sequence[CachedPrefixes], tokens: Sequence[int]) -> list[int]:
    """The places of the longest cached prefix of a prompt; a neighbour in sorted order has it."""
    at = bisect(cached, tokens, key=_PREFIX_KEY)
    neighbours = cached[max(at - 1, 0) : at + 1]
    paths = [prompt.path[: _common_length(prompt.tokens, tokens)] for prompt in neighbours]
    return max(paths, key=len, default=list[int]())


def _joined(shared: TokenSpan, candidate: TokenSpan) -> TokenSpan:
    """The prompt of one candidate."""
    return TokenSpan([*shared.ids, *candidate.ids], [*shared.pictures, *candidate.pictures])


def _tree_tokens(prompt: TokenSpan, blocks: Sequence[int], state: NDArray[np.float32] | None) -> list[int]:
    """One number a token: equal numbers are equal inputs of the model.

    It is the token id, or -1 - item code for tokens of an item's picture, or further below zero for a soft token that
    reads the user's state.
    """
    tokens = [token if at < 0 else -1 - prompt.pictures[at] for token, at in zip(prompt.ids, blocks, strict=True)]
    if state is None:
        return tokens
    number = int.from_bytes(hashlib.sha256(state.tobytes()).digest()[:12])
    return [token * (1 + number) if is_stateful(token) else token for token in tokens]


def _common_length(tokens: Sequence[int], others: Sequence[int]) -> int:
    """The length of the common prefix of two prompts."""
    shorter = min(len(tokens), len(others))
    return next((place for place in range(shorter) if tokens[place] != others[place]), shorter)


def _grouped(branches: Sequence[PrefixBranch], past: int) -> Iterator[Rows]:
    """Prompts grouped by the number of their new tokens, so that there is little padding."""

    def size(branch: PrefixBranch) -> int:
        return (len(branch.path) - branch.start).bit_length()

    for _, group in groupby(sorted(branches, key=size), size):
        members = list(group)
        step = max(MAX_PATH_TOKENS // max(len(branch.path) for branch in members), 1)
        yield from (_rows(members[first : first + step], past) for first in range(0, len(members), step))


def _rows(branches: Sequence[PrefixBranch], past: int) -> Rows:
    """Some prompts as one table; `past`: the number of tokens that the tree has already."""
    path = pad_sequence([torch.tensor(branch.path) for branch in branches], batch_first=True)
    length = torch.tensor([len(branch.path) for branch in branches])[:, None]
    start = torch.tensor([branch.start for branch in branches])[:, None]
    index = start + torch.arange(int((length - start).max()))
    real, index = (index < length).flatten().nonzero()[:, 0], index.clamp(max=path.shape[1] - 1)
    sees = index[..., None] >= torch.arange(path.shape[1])
    if any(branch.blocks for branch in branches):
        blocks = pad_sequence([torch.tensor(branch.blocks) for branch in branches], batch_first=True, padding_value=-1)
        own = blocks.gather(1, index)[..., None]
        sees |= (own == blocks[:, None]) & (own >= 0)
    return Rows(path, (path.gather(1, index) - past).clamp(min=0), real, index, sees)
