"""A packed prompt is one shared prompt and its candidates in one sequence, computed as one prompt for each candidate.

A candidate attends to the shared part and to itself (`attention`); its positions start after the shared part. In
float32 the result equals that of one prompt for each candidate to 1e-4.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from numpy import float32
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class TokenSpan:
    """A part of a prompt.

    Attributes:
        ids: Token ids, image placeholders and soft tokens (`soft_ids`) included.
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
        state: (k,) the user's state, which the soft tokens of the pack read; None where they read none.
    """

    shared: TokenSpan
    candidates: list[TokenSpan]
    state: NDArray[float32] | None = None

    def __len__(self) -> int:
        return len(self.shared.ids) + sum(len(c.ids) for c in self.candidates)

    def unpacked(self) -> "list[PackedPrompt]":
        """One prompt for each candidate: the slow way, whose results packing must equal."""
        return [PackedPrompt(self.shared, [candidate], self.state) for candidate in self.candidates]

    def pick(self, places: Sequence[int]) -> "PackedPrompt":
        """The candidates at some places, in their order."""
        return PackedPrompt(self.shared, [self.candidates[place] for place in places], self.state)

    def chunks(self, size: int) -> "list[PackedPrompt]":
        """The same candidates in packs of at most `size` candidates, which need less memory."""
        starts = range(0, len(self.candidates), size)
        return [PackedPrompt(self.shared, self.candidates[i : i + size], self.state) for i in starts]
