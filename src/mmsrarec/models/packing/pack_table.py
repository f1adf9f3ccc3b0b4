"""Many packed prompts in a few flat arrays: quick to lay out as a batch, to write to a file and to read back.

Shapes: n packs, p parts of all packs (a shared part, then its candidates), t tokens of all parts.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from mmsrarec.data.dataset import IntArray
from mmsrarec.models.packing.packed_prompt import PackedPrompt, TokenSpan
from mmsrarec.models.untyped import load_tensors, save_tensors

Int32Array = NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class PackTable:
    """n packs.

    Attributes:
        ids: (t,) token ids, part after part.
        part_lengths: (p,) tokens of each part.
        part_counts: (n,) parts of each pack, the shared one included.
        pictures: (q,) codes of the items whose pictures are shown, part after part.
        picture_counts: (p,) pictures of each part.
        states: (n, k) users' states of the packs; None where soft tokens read none.
    """

    ids: Int32Array
    part_lengths: Int32Array
    part_counts: Int32Array
    pictures: Int32Array
    picture_counts: Int32Array
    states: NDArray[np.float32] | None = None

    def __len__(self) -> int:
        return len(self.part_counts)

    @classmethod
    def of(cls, packs: Sequence[PackedPrompt]) -> "PackTable":
        """The table of some packs, which all have a state or all have none."""
        parts = [part for pack in packs for part in (pack.shared, *pack.candidates)]
        states = [pack.state for pack in packs if pack.state is not None]
        return cls(
            np.fromiter(chain.from_iterable(part.ids for part in parts), np.int32),
            np.array([len(part.ids) for part in parts], dtype=np.int32),
            np.array([1 + len(pack.candidates) for pack in packs], dtype=np.int32),
            np.fromiter(chain.from_iterable(part.pictures for part in parts), np.int32),
            np.array([len(part.pictures) for part in parts], dtype=np.int32),
            np.stack(states) if states else None,
        )

    @classmethod
    def joined(cls, tables: Sequence["PackTable"]) -> "PackTable":
        """The packs of several tables, one after the other."""

        def all_of(name: str) -> Int32Array:
            return np.concatenate([getattr(table, name) for table in tables])

        states = [table.states for table in tables if table.states is not None]
        return cls(
            all_of("ids"),
            all_of("part_lengths"),
            all_of("part_counts"),
            all_of("pictures"),
            all_of("picture_counts"),
            np.concatenate(states) if states else None,
        )

    @cached_property
    def part_starts(self) -> IntArray:
        """(p,) the place of each part's first token."""
        return before(self.part_lengths)

    @cached_property
    def first_parts(self) -> IntArray:
        """(n,) the number of each pack's shared part."""
        return before(self.part_counts)

    @cached_property
    def lengths(self) -> IntArray:
        """(n,) tokens of each pack."""
        return np.add.reduceat(self.part_lengths, self.first_parts, dtype=np.int64) if len(self) else before([])

    def parts_of(self, rows: IntArray) -> tuple[IntArray, IntArray, IntArray]:
        """The parts of some packs.

        Args:
            rows: (b,) numbers of packs.

        Returns:
            The number of each part, the place of its pack in `rows`, and its place in its pack, 0 for the shared one.
        """
        counts = self.part_counts[rows]
        place = ranges(counts)
        return np.repeat(self.first_parts[rows], counts) + place, np.repeat(np.arange(len(rows)), counts), place

    def part_ids(self, part: int) -> Int32Array:
        """The token ids of one part."""
        start = int(self.part_starts[part])
        return self.ids[start : start + int(self.part_lengths[part])]

    def pictures_of(self, parts: IntArray) -> list[int]:
        """The pictures of some parts, in their order."""
        if not len(self.pictures):
            return []
        counts = self.picture_counts[parts]
        return self.pictures[np.repeat(before(self.picture_counts)[parts], counts) + ranges(counts)].tolist()

    def __getitem__(self, row: int) -> PackedPrompt:
        """One pack."""
        first = int(self.first_parts[row])
        parts = range(first, first + int(self.part_counts[row]))
        spans = [TokenSpan(self.part_ids(part).tolist(), self.pictures_of(np.array([part]))) for part in parts]
        return PackedPrompt(spans[0], spans[1:], None if self.states is None else self.states[row])

    def save(self, file: Path) -> None:
        """Write the table to a safetensors file."""
        names = ("ids", "part_lengths", "part_counts", "pictures", "picture_counts", "states")
        arrays = {name: getattr(self, name) for name in names}
        save_tensors({name: torch.as_tensor(array) for name, array in arrays.items() if array is not None}, file)

    @classmethod
    def load(cls, file: Path) -> "PackTable":
        """Read what `save` wrote."""
        return cls(**{name: tensor.numpy() for name, tensor in load_tensors(file).items()})


def before(counts: NDArray[np.integer] | Sequence[int]) -> IntArray:
    """(n,) the sum of all earlier counts."""
    total = np.cumsum(counts, dtype=np.int64)
    return np.concatenate([np.zeros(1, dtype=np.int64), total[:-1]])[: len(total)]


def ranges(counts: NDArray[np.integer]) -> IntArray:
    """0, 1, ... up to each count, one range after the other."""
    return np.arange(int(counts.sum())) - np.repeat(before(counts), counts)
