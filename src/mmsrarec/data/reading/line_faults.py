"""Says why a line is set aside, and which ids stand for no user or item."""

import unicodedata
from collections.abc import Sequence
from typing import Literal

import numpy as np

from mmsrarec.data.dataset import IntArray
from mmsrarec.data.reading.cleaning import one_line

Kind = Literal["fault", "null_users", "null_items", "unknown_times"]
"""The kind of a line that is set aside. Only "fault" counts against the accepted share of faulty lines."""

NULLS = frozenset(
    {"NULL", "null", "Null", r"\N", "nan", "NaN", "NAN", "-nan", "-NaN", "NaT", "None", "none", "NONE", "undefined"}
    | {"NA", "<NA>", "N/A", "n/a", "#N/A", "#NA", "#N/A N/A", "(null)", "1.#IND", "-1.#IND", "1.#QNAN", "-1.#QNAN"}
)
"""The ways in which SQL, pandas, R, JavaScript and spreadsheets write a missing value."""

PLACEHOLDERS = ("0", "-1")
"""Ids that programs write for a missing user or item, but that may also be real."""
PLACEHOLDER_RATIO = 3
"""A placeholder is reported if it has this many times the interactions of the 99th percentile of the other ids."""


class Fault(ValueError):
    """The error for a line that is set aside; the message is the reason.

    Attributes:
        kind: Whether the line is faulty, or which of its values is missing.
        line: The start of the line, where its reader keeps it.
    """

    def __init__(self, reason: str, kind: Kind = "fault", line: str = ""):
        super().__init__(reason)
        self.kind: Kind = kind
        self.line = line


def is_null(value: str) -> bool:
    """Whether a value is missing: empty, only blanks and invisible characters, or one of NULLS."""
    return value.strip() in NULLS or not any(unicodedata.category(letter)[0] not in "ZC" for letter in value)


def check_id(name: str, column: Literal["user_id", "item_id"]) -> None:
    """Check the id of a user or an item.

    Args:
        name: The id.
        column: Which of the two it is.

    Raises:
        Fault: The id is missing, or it is not one line of text.
    """
    if name.isalnum() and name not in NULLS:  # most ids, and there may be millions
        return
    if is_null(name):
        reason = f"is {name[:20]!r}, which names nothing" if name.strip() else "is empty"
        raise Fault(f"{column} {reason}", "null_users" if column == "user_id" else "null_items")
    if not one_line(name):
        raise Fault(f"{column} is not of one line")


def placeholders(ids: Sequence[str], counts: IntArray) -> dict[str, int]:
    """Find PLACEHOLDERS that have far more interactions than the other ids: they may be many users or items.

    Args:
        ids: n ids.
        counts: (n,) numbers of their interactions.

    Returns:
        Id -> number of interactions.
    """
    suspects: dict[str, int] = {}
    for code, name in enumerate(ids):
        if (
            name in PLACEHOLDERS
            and len(ids) > 1
            and counts[code] > PLACEHOLDER_RATIO * np.quantile(np.delete(counts, code), 0.99)
        ):
            suspects[name] = int(counts[code])
    return suspects
