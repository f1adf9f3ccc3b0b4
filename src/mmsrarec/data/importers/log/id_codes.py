"""Ids of a log as codes, checked once for each different id."""

from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mmsrarec.data.reading.line_faults import Fault, Kind, check_id

UNKNOWN = np.int32(-(2**31))
"""Stands for the code of an id that was not met yet."""
IdColumn = Literal["user_id", "item_id"]


class IdCodes:
    """The codes of ids, in the order in which they appear.

    Attributes:
        column: Which ids they are.
        names: The ids by code.
        faults: The reasons why values are no ids; the value with the code -1 - n has the n-th.
    """

    def __init__(self, column: IdColumn):
        self.column: IdColumn = column
        self.names: list[str] = []
        self.faults: list[Fault] = []
        self._code_of = np.empty(0, dtype=np.int32)
        self._hash_of = np.empty(0, dtype=np.uint64)
        self._alive: pl.Series | None = None

    def of(self, values: pl.Series) -> NDArray[np.int32]:
        """The codes of (n,) values; negative ones say which fault it is."""
        text, wrong = id_text(values, self.column)
        if not len(text):
            return np.empty(0, dtype=np.int32)
        # Polars keeps one number for each text as long as a column with them is alive; an array turns it into our code
        categories = text.cast(pl.Categorical)
        if self._alive is None:
            self._alive = categories.head(0)
        places, hashes = categories.to_physical().to_numpy(), text.hash().to_numpy()
        if (more := int(places.max()) + 1 - len(self._code_of)) > 0:
            more += len(self._code_of)
            self._code_of = np.append(self._code_of, np.full(more, UNKNOWN, dtype=np.int32))
            self._hash_of = np.append(self._hash_of, np.zeros(more, dtype=np.uint64))
        answer = self._code_of[places]
        new = np.flatnonzero(answer == UNKNOWN)
        if len(new):
            different, first = np.unique(places[new], return_index=True)
            order = np.argsort(first)
            names = text.gather(new[first[order]]).to_list()
            self._code_of[different[order]] = [self._code(name) for name in names]
            self._hash_of[different] = hashes[new[first]]
            answer = self._code_of[places]
        if (self._hash_of[places] != hashes).any():
            raise AssertionError(f"the numbers that Polars {pl.__version__} gives to {self.column} do not last")
        if wrong is not None:
            self.faults.append(Fault(f"{self.column} is a {wrong[1]}, neither text nor a whole number"))
            answer = np.where(wrong[0].to_numpy(), np.int32(-len(self.faults)), answer)
        return answer

    def _code(self, name: str) -> int:
        """The code of a new value."""
        try:
            check_id(name, self.column)
        except Fault as fault:
            self.faults.append(fault)
            return -len(self.faults)
        self.names.append(name)
        return len(self.names) - 1

    def reasons(self, codes: NDArray[np.int32]) -> tuple[pl.Series, pl.Series]:
        """The reason and the kind of each of (n,) negative codes."""
        places = pl.Series(-1 - codes.astype(np.int64))
        kinds: list[Kind] = [fault.kind for fault in self.faults]
        return pl.Series([str(fault) for fault in self.faults]).gather(places), pl.Series(kinds).gather(places)


def id_text(values: pl.Series, column: IdColumn) -> tuple[pl.Series, tuple[pl.Series, str] | None]:
    """Ids as text; whole numbers in decimal form, also where missing ones made floats of them.

    Args:
        values: (n,) ids of any type.
        column: Which ids they are.

    Returns:
        (n,) texts, "" for a missing one; and, where some are no ids, (n,) which, and what they are.
    """
    kind = values.dtype
    if kind == pl.String:
        return values.fill_null(""), None
    if kind.is_integer():
        return values.cast(pl.String).fill_null(""), None
    if isinstance(kind, (pl.Categorical, pl.Enum)):
        return values.cast(pl.String).fill_null(""), None
    if kind == pl.Null:
        return values.cast(pl.String).fill_null(""), None
    if kind.is_float() or isinstance(kind, pl.Decimal):
        numbers = values.cast(pl.Float64).fill_nan(None)
        whole = (numbers == numbers.floor()) & (numbers.abs() < 2.0**53)
        if whole.all():
            return numbers.cast(pl.Int64, strict=False).cast(pl.String).fill_null(""), None
        return pl.Series([""] * len(values), dtype=pl.String), (numbers.is_not_null(), "float")
    return pl.Series([""] * len(values), dtype=pl.String), (values.is_not_null(), str(kind).lower())
