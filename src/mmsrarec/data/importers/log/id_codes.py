"""Ids of a log as codes, checked once for each different id."""

from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mmsrarec.data.reading.line_faults import Fault, Kind, check_id

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
        self._codes: dict[str, int] = {}

    def of(self, values: pl.Series) -> NDArray[np.int32]:
        """The codes of (n,) values; negative ones say which fault it is."""
        text, wrong = id_text(values, self.column)
        if not len(text):
            return np.empty(0, dtype=np.int32)
        different = text.unique(maintain_order=True)
        codes = [self._code(name) for name in different.to_list()]
        new = text.replace_strict(different, codes, return_dtype=pl.Int32).to_numpy()
        if wrong is not None:
            self.faults.append(Fault(f"{self.column} is a {wrong[1]}, neither text nor a whole number"))
            new = np.where(wrong[0].to_numpy(), np.int32(-len(self.faults)), new)
        return new

    def _code(self, name: str) -> int:
        code = self._codes.get(name)
        if code is None:
            try:
                check_id(name, self.column)
                code = len(self.names)
                self.names.append(name)
            except Fault as fault:
                self.faults.append(fault)
                code = -len(self.faults)
            self._codes[name] = code
        return code

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
