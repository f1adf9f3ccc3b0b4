"""Why a line is set aside, and names that stand for nobody."""

import unicodedata
from collections.abc import Sequence
from typing import Literal

import numpy as np

from mmsrarec.data.dataset import IntArray
from mmsrarec.data.reading.cleaning import one_line

Kind = Literal["fault", "null_users", "null_items", "unknown_times"]
"""A fault falls under the share of faulty lines that is accepted. What is missing is no fault, and counted by kind."""

NULLS = frozenset(
    {"NULL", "null", "Null", r"\N", "nan", "NaN", "NAN", "-nan", "-NaN", "NaT", "None", "none", "NONE", "undefined"}
    | {"NA", "<NA>", "N/A", "n/a", "#N/A", "#NA", "#N/A N/A", "(null)", "1.#IND", "-1.#IND", "1.#QNAN", "-1.#QNAN"}
)
"""How SQL, pandas, R, JavaScript and spreadsheets write a value that is missing."""

PLACEHOLDERS = ("0", "-1")
"""Ids that may be somebody's, and are what programs write for nobody."""
FAR_MORE = 3
"""Times the 99th percentile of the others' interactions that a placeholder needs to be named."""


class Fault(ValueError):
    """The reason why a line is not taken."""

    def __init__(self, reason: str, kind: Kind = "fault"):
        super().__init__(reason)
        self.kind: Kind = kind


def is_null(value: str) -> bool:
    """Whether a value is a missing one: empty, nothing but blanks and invisible characters, or one of NULLS."""
    return value.strip() in NULLS or not any(unicodedata.category(letter)[0] not in "ZC" for letter in value)


def check_id(name: str, column: Literal["user_id", "item_id"]) -> None:
    """Raise Fault where a user's or an item's id is missing or no id."""
    if name.isalnum() and name not in NULLS:  # most ids, and there may be millions
        return
    if is_null(name):
        said = f"is {name[:20]!r}, which names nothing" if name.strip() else "is empty"
        raise Fault(f"{column} {said}", "null_users" if column == "user_id" else "null_items")
    if not one_line(name):
        raise Fault(f"{column} is not of one line")


def placeholders(ids: Sequence[str], counts: IntArray) -> dict[str, int]:
    """Id -> interactions, of the PLACEHOLDERS that have far more than the others: they may be many under one name."""
    found = {}
    for code, name in enumerate(ids):
        if (
            name in PLACEHOLDERS
            and len(ids) > 1
            and counts[code] > FAR_MORE * np.quantile(np.delete(counts, code), 0.99)
        ):
            found[name] = int(counts[code])
    return found
