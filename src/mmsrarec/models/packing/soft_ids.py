"""Soft tokens: vectors that stand in a prompt in the place of words, one token an item (CoLLM, arXiv 2310.19488).

In a list of token ids a soft token is a number far below zero, which no tokenizer yields, so that no text can forge it.
The number says what stands there: an item of the history, a candidate, or the user's state.
"""

from enum import IntEnum

from torch import Tensor

LAST = -(2**30)
"""The largest number of a soft token."""
NUMBERS = 2**26
"""Numbers of one kind: more than any catalogue has items."""


class SoftKind(IntEnum):
    """What a soft token stands for.

    Attributes:
        HISTORY: An item of the history.
        CANDIDATE: A candidate, as the user's state meets it.
        COLD_CANDIDATE: A candidate of which only the content is known.
        USER: The user's state.
    """

    HISTORY = 0
    CANDIDATE = 1
    COLD_CANDIDATE = 2
    USER = 3


def soft_id(kind: SoftKind, code: int = 0) -> int:
    """The number of a soft token in a list of token ids.

    Args:
        kind: What it stands for.
        code: Code of its item.
    """
    return LAST - (int(kind) * NUMBERS + code)


def is_stateful(token: int) -> bool:
    """Whether a token's vector depends on the user's state."""
    return token <= LAST - NUMBERS


def kinds_and_codes(ids: Tensor) -> tuple[Tensor, Tensor]:
    """The kinds and the item codes of (m,) soft tokens."""
    numbers = LAST - ids
    return numbers // NUMBERS, numbers % NUMBERS
