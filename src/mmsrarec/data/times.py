"""Recognizes the unit of timestamps: seconds since 1970 or a part of a second, by their magnitude, or steps.

A plausible time lies between 1990 and a year from now. The ranges of the units are far apart, so the majority of the
rows shows the unit, and the few rows outside its range are set aside. Steps are small whole numbers that order
interactions without dates.
"""

import time
from dataclasses import dataclass
from typing import TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from mmsrarec.data.units import TICKS_PER_SECOND, Times, Unit
from mmsrarec.errors import DataError

Array: TypeAlias = NDArray[np.int64]
DAY_SECONDS = 86_400
EARLIEST_SECOND = 631_152_000
"""The first second of 1990."""
MIN_NOW_SECOND = 1_767_225_600
"""The first second of 2026. A system clock that shows an earlier time is wrong."""
MAX_STEPS = 10**7
"""Numbers from here on are no steps unless they are declared to be; days written as 19900101 lie above."""
NULL_SECONDS = (-62_135_596_800, -2_208_988_800, 253_402_214_400, 253_402_300_799, 2**31 - 1, -(2**31))
"""Seconds that stand for no time, as 0 and -1 do: the years 1, 1900 and 9999, and the limits of 32-bit numbers."""
NOT_A_TIME = -(2**63)
"""NumPy's and pandas' NaT as an integer."""


@dataclass(frozen=True, eq=False)
class Reading:
    """What n timestamps mean.

    Attributes:
        raw: (n,) int64, the timestamps as they stand in the source.
        unit: Their unit, a key of `TICKS_PER_SECOND` or "steps".
        unknown: (n,) bool, whether a timestamp stands for no time.
        wrong: (n,) bool, whether it is neither plausible nor a null value.
    """

    raw: Array
    unit: str
    unknown: NDArray[np.bool_]
    wrong: NDArray[np.bool_]

    @property
    def times(self) -> Times:
        """The unit of `seconds`."""
        return "steps" if self.unit == "steps" else "seconds"

    @property
    def plausible(self) -> NDArray[np.bool_]:
        """(n,) bool, whether a timestamp is a plausible time."""
        return ~(self.unknown | self.wrong)

    def seconds(self) -> Array:
        """(n,) int64 seconds since 1970, or steps unchanged."""
        return self.raw // TICKS_PER_SECOND.get(self.unit, 1)

    def reason(self, row: int) -> str:
        """Why a row's time is not plausible, as a part of a message."""
        value = int(self.raw[row])
        if self.unknown[row]:
            return f"timestamp {value} stands for no time"
        if self.unit == "steps":
            return f"timestamp {value} is no step"
        return f"timestamp {value} would be {date(value, self.unit)}, which is not between 1990 and a year from now"


def looks_like_steps(raw: Array) -> bool:
    """Whether there are (n,) timestamps and all of them are small whole numbers."""
    return bool(len(raw)) and int(raw.min()) >= 0 and int(raw.max()) < MAX_STEPS


def read_times(raw: Array, where: str, unit: Unit = "auto", share: float = 0.0) -> Reading:
    """Find out what the timestamps of a log mean.

    Args:
        raw: (n,) int64 timestamps.
        where: The name of the source, for messages.
        unit: Their declared unit; "auto" takes the unit in which most of them are plausible.
        share: The share of the rows, in [0, 1], that may be wrong.

    Returns:
        The unit, and which rows are plausible.

    Raises:
        DataError: No timestamp is plausible, or more than `share` of them are wrong; the message names the dates
            that they would mean.
    """
    if unit not in get_args(Unit):
        raise DataError(f"unknown unit of time {unit}: choose from {', '.join(get_args(Unit))}")
    plausible = _plausible(raw)
    if unit == "auto":
        null = np.isin(raw, (0, -1, NOT_A_TIME))
        counts = {name: int((inside & ~null).sum()) for name, inside in plausible.items()}
        best = max(counts, key=lambda name: counts[name])
        hint = "" if counts[best] and best != "steps" else _dates(raw[~null & (plausible[best] | (counts[best] == 0))])
        if not counts[best] or hint:
            raise DataError(_refusal(raw, where, hint=hint))
    else:
        best = unit
        if unit == "steps":
            plausible["steps"] = raw >= 0
        if len(raw) and not plausible[best].any():
            raise DataError(_refusal(raw, where, declared=unit))
    inside = plausible[best]
    unknown = ~inside & _stands_for_nothing(raw, best)
    wrong = ~inside & ~unknown
    if wrong.sum() > share * len(raw):
        raise DataError(_mixture(raw, where, best, plausible, unknown))
    return Reading(raw, best, unknown, wrong)


def _plausible(raw: Array) -> dict[str, NDArray[np.bool_]]:
    """Unit -> (n,) bool, whether a timestamp is plausible in it; each is plausible in one unit at most."""
    latest = int(max(time.time(), MIN_NOW_SECOND)) + 366 * DAY_SECONDS
    inside = {name: (raw >= EARLIEST_SECOND * per) & (raw // per <= latest) for name, per in TICKS_PER_SECOND.items()}
    return inside | {"steps": (raw >= 0) & (raw < MAX_STEPS)}


def _stands_for_nothing(raw: Array, unit: str) -> NDArray[np.bool_]:
    """(n,) bool, whether a timestamp is a null value in this unit."""
    per = TICKS_PER_SECOND.get(unit, 1)
    return np.isin(raw, [0, -1, NOT_A_TIME, *(value * per for value in NULL_SECONDS if abs(value * per) < 2**63)])


def _refusal(raw: Array, where: str, declared: str | None = None, hint: str = "") -> str:
    """The message for timestamps none of which is plausible."""
    first, last = int(raw.min()), int(raw.max())
    count = f"{where}: none of {len(raw)} timestamps is"
    if declared == "steps":
        return f"{count} a step: they are {first} to {last}, and steps are whole numbers from 0 on"
    unit = declared or _nearest(raw)
    what = f"{count} a time between 1990 and a year from now: as {unit}, {first} to {last} would be"
    span = f"{date(first, unit)} to {date(last, unit)}"
    hint = hint or (
        "bring them to seconds since 1970, or, where whole numbers from 0 on only tell the order, declare --time steps"
    )
    return f"{what} {span}; {hint}"


def _mixture(
    raw: Array, where: str, best: str, plausible: dict[str, NDArray[np.bool_]], unknown: NDArray[np.bool_]
) -> str:
    """The message for timestamps of several units."""
    groups = {name: inside & ~unknown for name, inside in plausible.items()}
    parts = [f"{int(plausible[best].sum())} look like {best}"]
    parts += [f"{int(rows.sum())} look like {name}" for name, rows in groups.items() if name != best and rows.any()]
    rest = ~unknown & ~np.any(list(plausible.values()), axis=0)
    if rest.any():
        first, last = int(raw[rest].min()), int(raw[rest].max())
        unit = best if best in TICKS_PER_SECOND else "seconds"
        parts.append(f"{int(rest.sum())} like neither ({first} to {last}: {date(first, unit)} to {date(last, unit)})")
    return f"{where}: of the timestamps {', '.join(parts)}; bring all of them to seconds, or declare what they count"


def _nearest(raw: Array) -> str:
    """The unit that a person would guess from the number of digits."""
    median = abs(int(np.median(raw)))
    return next((name for name, per in TICKS_PER_SECOND.items() if median < 10**11 * per), "nanoseconds")


def _dates(raw: Array) -> str:
    """A hint about numbers that are written like dates or days; empty where they are not."""
    if not len(raw):
        return "all of them stand for no time: leave the column out, or declare --time steps to keep the file's order"
    raw = np.sort(raw)[len(raw) // 100 : -(len(raw) // 100) or None]  # one in a hundred at each end may be anything
    example, last = int(raw[0]), int(raw[-1])
    first = example
    for scale, form in ((1, "YYYYMMDD"), (10**6, "YYYYMMDDhhmmss")):
        days = raw // scale
        month, day = days // 100 % 100, days % 100
        if first // scale >= 19000101 and last // scale <= 21001231 and _all_in(month, 1, 12) and _all_in(day, 1, 31):
            return f"numbers like {example} look like dates ({form}): write them as seconds since 1970"
    if first >= 199001 and last <= 210012 and _all_in(raw % 100, 1, 12):
        return f"numbers like {example} look like months (YYYYMM): write them as seconds since 1970"
    if first >= 1990 and last <= 2100:
        return f"numbers like {example} look like years: write times as seconds since 1970, or declare --time steps"
    if first >= 32_874 and last <= 54_789:  # 1990 to 2050
        day = date((example - 25_569) * DAY_SECONDS, "seconds")
        return (
            f"numbers like {example} look like a spreadsheet's days ({day}): write them as seconds since 1970, or "
            "declare --time steps"
        )
    return ""


def _all_in(values: Array, low: int, high: int) -> bool:
    """Whether all values lie in [low, high]."""
    return bool(((values >= low) & (values <= high)).all())


def date(value: int, unit: str) -> str:
    """The day of a timestamp, such as 2023-11-14; years may have more digits and lie before the year 1."""
    return str(np.datetime64(value // TICKS_PER_SECOND.get(unit, 1) // DAY_SECONDS, "D"))
