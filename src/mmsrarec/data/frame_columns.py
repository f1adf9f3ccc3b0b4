"""Columns of a DataFrame as plain Python values: ids as text, times as whole numbers. Neither pandas nor pyarrow."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from datetime import time as midnight
from typing import Any, Literal, cast

import numpy as np

from mmsrarec.data.reading.line_faults import Fault, is_null
from mmsrarec.data.units import Unit
from mmsrarec.errors import DataError

MICROSECONDS = 10**6
DATES: tuple[type, ...] = (date, np.datetime64)
FLOATS: tuple[type, ...] = (float, np.floating)
INTEGERS: tuple[type, ...] = (int, np.integer)
NUMBERS: tuple[type, ...] = (int, float, np.number)
"""The kinds of values that pandas, Polars and plain lists hold."""
SMALLEST_MILLISECONDS = 10**11
"""A number of seconds lies below, one of milliseconds above: 10**11 seconds are the year 5138."""


def columns_of(frame: Any, table: str) -> list[str]:
    """The names of a frame's columns. Raises DataError for what has no columns."""
    source: Any = cast("dict[str, Any]", frame).keys() if isinstance(frame, Mapping) else frame
    columns: Any = source if isinstance(frame, Mapping) else getattr(source, "columns", None)
    if columns is None:
        kind = type(source).__name__
        raise DataError(f"{table}: give a pandas or Polars DataFrame, or a dict of columns, not {kind}")
    return [str(name) for name in columns]


def plain_list(frame: Any, column: str) -> list[Any]:
    """The values of a column, through the frame's own list conversion."""
    values = frame[column]
    for method in ("to_list", "tolist"):
        if hasattr(values, method):
            return getattr(values, method)()
    return list(values)


def is_missing(value: Any) -> bool:
    """None, NaN, NaT and pandas' NA."""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    if isinstance(value, np.datetime64):
        return bool(np.isnat(cast(Any, value)))
    return isinstance(value, FLOATS) and bool(value != value)


def decimal(values: list[Any]) -> list[Any]:
    """The ids, whole numbers for floats where all are whole: pandas makes floats of integers with missing ones."""
    if not any(isinstance(value, FLOATS) for value in values):
        return values
    whole = [float(value).is_integer() for value in values if isinstance(value, FLOATS) and value == value]
    if not all(whole):
        return values
    return [int(value) if isinstance(value, float) and value == value else value for value in values]


def id_text(value: Any, column: Literal["user_id", "item_id"]) -> str:
    """An id as text; integers in decimal form. Raises Fault for what is missing or no id."""
    if isinstance(value, str):
        return str(value)
    if is_missing(value):
        raise Fault(f"{column} is missing", "null_users" if column == "user_id" else "null_items")
    if isinstance(value, INTEGERS) and not isinstance(value, bool):
        return str(int(value))
    raise Fault(f"{column} is a {type(value).__name__}, neither text nor a whole number")


def time_numbers(values: Sequence[Any], unit: Unit) -> tuple[list[int | Fault], Unit]:
    """Times as whole numbers, and the unit that these count.

    Dates, datetimes and ISO 8601 texts become microseconds since 1970; one without a zone is in UTC. Numbers count what
    `unit` says; seconds with a fraction become milliseconds. A value that is no time becomes the Fault that says why.
    """
    if any(isinstance(value, DATES) or _is_iso(value) for value in values):
        return [_each(value, _microseconds) for value in values], "microseconds"
    fractions = any(isinstance(value, FLOATS) and not float(value).is_integer() for value in values)
    numbers = [float(value) for value in values if isinstance(value, NUMBERS) and not is_missing(value)]
    if fractions and unit in ("auto", "seconds") and numbers and abs(float(np.median(numbers))) < SMALLEST_MILLISECONDS:
        return [_each(value, lambda number: round(float(number) * 1000)) for value in values], "milliseconds"
    return [_each(value, _whole) for value in values], unit


def _each(value: Any, convert: Callable[[Any], int]) -> int | Fault:
    if is_missing(value) or (isinstance(value, str) and is_null(value)):
        return Fault("timestamp is missing", "unknown_times")
    try:
        number = convert(value)
    except (ValueError, TypeError, OverflowError):
        return Fault(f"timestamp {ascii(value)[:30]} is no time")
    return number if -(2**63) <= number < 2**63 else Fault(f"timestamp {number} is out of range")


def _whole(value: Any) -> int:
    return int(value) if isinstance(value, str) else int(float(value)) if isinstance(value, float) else int(value)


def _is_iso(value: Any) -> bool:
    return isinstance(value, str) and "-" in value[1:] and len(value) >= 8


def _microseconds(value: Any) -> int:
    if isinstance(value, np.datetime64):
        return int(value.astype("datetime64[us]").astype(np.int64))
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    if not isinstance(value, date):
        raise TypeError(value)
    when = value if isinstance(value, datetime) else datetime.combine(value, midnight())
    when = when if when.tzinfo is not None else when.replace(tzinfo=UTC)
    since = when - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * MICROSECONDS + since.microseconds
