"""Tells which of two columns without a name holds users, and which items: by the form of Amazon's ids, or by counts."""

import re
from typing import NamedTuple

import polars as pl

from mmsrarec.data.importers.source import Batches

MAX_ROWS = 200_000
"""So many rows are looked at."""
USER_ID = re.compile(r"A[0-9A-Z]*")
"""Amazon's users: A and 12 to 27 letters or digits. Its items have ten, and begin with B or a digit."""
SURE, RARE = 0.9, 0.1


class IdColumns(NamedTuple):
    """The columns of users and items.

    Attributes:
        user: The column of users.
        item: The column of items.
        reason: How that was found out, as a sentence.
    """

    user: str
    item: str
    reason: str


def guess_id_columns(table: Batches, first: str, second: str) -> IdColumns:
    """Guess which of two columns holds the users.

    Args:
        table: The table.
        first: A column of ids.
        second: Another one.

    Returns:
        The columns. The reason names the way to say otherwise.
    """
    batch = next(table.read([first, second]), None)
    rows = pl.DataFrame({first: [], second: []}) if batch is None else batch.rows.head(MAX_ROWS)
    shares = [_share_of_users(rows[name]) for name in (first, second)]
    otherwise = "; if it is the other way round, say so by --map user_id={},item_id={}"
    if max(shares) >= SURE and min(shares) <= RARE:
        user, item = (first, second) if shares[0] > shares[1] else (second, first)
        reason = f"The {_place(user == first)} column holds users: its ids begin with A, as Amazon's users do"
        return IdColumns(user, item, reason + otherwise.format(item, user) + ".")
    counts = [rows[name].n_unique() for name in (first, second)]
    user, item = (first, second) if counts[0] >= counts[1] else (second, first)
    reason = (
        f"The {_place(user == first)} column was taken for users: of {len(rows)} rows it has {max(counts)} different "
        f"ids, the {_place(user != first)} {min(counts)}"
    )
    return IdColumns(user, item, reason + otherwise.format(item, user) + ".")


def _share_of_users(ids: pl.Series) -> float:
    """The share of ids that look like Amazon's users."""
    return sum(USER_ID.fullmatch(name) is not None for name in ids.head(2000).to_list()) / max(len(ids.head(2000)), 1)


def _place(is_first: bool) -> str:
    """The number of a column in words."""
    return "first" if is_first else "second"
