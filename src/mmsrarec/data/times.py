"""What timestamps count: seconds since 1970 or a part of them, told apart by their magnitude, or steps.

A plausible time lies between 1990 and a year from now; the ranges of the units are far apart, so most rows tell the
unit and the few that lie elsewhere are set aside. Steps are small whole numbers that order interactions and say nothing
of when they happened.
"""

import time
from dataclasses import dataclass
from typing import TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from mmsrarec.data.units import PER_SECOND, Times, Unit
from mmsrarec.errors import DataError

Array: TypeAlias = NDArray[np.int64]
DAY = 86_400
EARLIEST = 631_152_000
"""The first second of 1990."""
MADE = 1_767_225_600
"""The first second of 2026: a clock that says less is wrong."""
MOST_STEPS = 10**7
"""From here on a number is no step unless it is declared to be one; days written as 19900101 lie above."""
UNKNOWN = (-62_135_596_800, -2_208_988_800, 253_402_214_400, 253_402_300_799, 2**31 - 1, -(2**31))
"""Seconds that stand for no time, beside 0 and -1: the years 1, 1900 and 9999, and the ends of what a number holds."""
NOT_A_TIME = -(2**63)


@dataclass(frozen=True, eq=False)
class Reading:
    """What n timestamps mean. unknown: (n,) bool, stands for no time. wrong: (n,) bool, is not a plausible one."""

    raw: Array
    unit: str
    unknown: NDArray[np.bool_]
    wrong: NDArray[np.bool_]

    @property
    def times(self) -> Times:
        return "steps" if self.unit == "steps" else "seconds"

    @property
    def taken(self) -> NDArray[np.bool_]:
        return ~(self.unknown | self.wrong)

    def seconds(self) -> Array:
        """(n,) in seconds, or steps as they are."""
        return self.raw // PER_SECOND.get(self.unit, 1)

    def reason(self, row: int) -> str:
        """Why a row is not taken."""
        value = int(self.raw[row])
        if self.unknown[row]:
            return f"timestamp {value} stands for no time"
        if self.unit == "steps":
            return f"timestamp {value} is no step"
        return f"timestamp {value} would be {date(value, self.unit)}, which is not between 1990 and a year from now"


def looks_like_steps(raw: Array) -> bool:
    """Whether all of some timestamps are small whole numbers."""
    return bool(len(raw)) and int(raw.min()) >= 0 and int(raw.max()) < MOST_STEPS


def read_times(raw: Array, where: str, unit: Unit = "auto", share: float = 0.0) -> Reading:
    """What the timestamps (n,) of a log mean.

    unit: what they are declared to count; "auto": what most of them look like. share: of the rows, those that may be
    wrong. Raises MmsrarecError, naming `where` and the dates the rows would mean, where none is plausible or more are
    wrong.
    """
    if unit not in get_args(Unit):
        raise DataError(f"unknown unit of time {unit}: choose from {', '.join(get_args(Unit))}")
    found = _plausible(raw)
    if unit == "auto":
        nothing = np.isin(raw, (0, -1, NOT_A_TIME))
        counts = {name: int((inside & ~nothing).sum()) for name, inside in found.items()}
        best = max(counts, key=lambda name: counts[name])
        hint = "" if counts[best] and best != "steps" else _dates(raw[~nothing & (found[best] | (counts[best] == 0))])
        if not counts[best] or hint:
            raise DataError(_refusal(raw, where, hint=hint))
    else:
        best = unit
        if unit == "steps":
            found["steps"] = raw >= 0
        if len(raw) and not found[best].any():
            raise DataError(_refusal(raw, where, declared=unit))
    inside = found[best]
    unknown = ~inside & _stands_for_nothing(raw, best)
    wrong = ~inside & ~unknown
    if wrong.sum() > share * len(raw):
        raise DataError(_mix(raw, where, best, found, unknown))
    return Reading(raw, best, unknown, wrong)


def _plausible(raw: Array) -> dict[str, NDArray[np.bool_]]:
    """Unit -> (n,) whether a timestamp is plausible in it; at most one says yes to any."""
    latest = int(max(time.time(), MADE)) + 366 * DAY
    inside = {name: (raw >= EARLIEST * per) & (raw // per <= latest) for name, per in PER_SECOND.items()}
    return inside | {"steps": (raw >= 0) & (raw < MOST_STEPS)}


def _stands_for_nothing(raw: Array, unit: str) -> NDArray[np.bool_]:
    per = PER_SECOND.get(unit, 1)
    return np.isin(raw, [0, -1, NOT_A_TIME, *(value * per for value in UNKNOWN if abs(value * per) < 2**63)])


def _refusal(raw: Array, where: str, declared: str | None = None, hint: str = "") -> str:
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


def _mix(raw: Array, where: str, best: str, found: dict[str, NDArray[np.bool_]], unknown: NDArray[np.bool_]) -> str:
    groups = {name: inside & ~unknown for name, inside in found.items()}
    parts = [f"{int(found[best].sum())} look like {best}"]
    parts += [f"{int(rows.sum())} look like {name}" for name, rows in groups.items() if name != best and rows.any()]
    rest = ~unknown & ~np.any(list(found.values()), axis=0)
    if rest.any():
        first, last = int(raw[rest].min()), int(raw[rest].max())
        unit = best if best in PER_SECOND else "seconds"
        parts.append(f"{int(rest.sum())} like neither ({first} to {last}: {date(first, unit)} to {date(last, unit)})")
    return f"{where}: of the timestamps {', '.join(parts)}; bring all of them to seconds, or declare what they count"


def _nearest(raw: Array) -> str:
    """The unit that a person would guess from the number of digits."""
    middle = abs(int(np.median(raw)))
    return next((name for name, per in PER_SECOND.items() if middle < 10**11 * per), "nanoseconds")


def _dates(raw: Array) -> str:
    """What to say of numbers that are written like dates or days; empty where they are not."""
    if not len(raw):
        return "all of them stand for no time: leave the column out, or declare --time steps to keep the file's order"
    raw = np.sort(raw)[len(raw) // 100 : -(len(raw) // 100) or None]  # a few may be anything
    example, last = int(raw[0]), int(raw[-1])
    first = example
    for scale, form in ((1, "YYYYMMDD"), (10**6, "YYYYMMDDhhmmss")):
        days = raw // scale
        month, day = days // 100 % 100, days % 100
        if first // scale >= 19000101 and last // scale <= 21001231 and _all(month, 1, 12) and _all(day, 1, 31):
            return f"numbers like {example} look like dates ({form}): write them as seconds since 1970"
    if first >= 199001 and last <= 210012 and _all(raw % 100, 1, 12):
        return f"numbers like {example} look like months (YYYYMM): write them as seconds since 1970"
    if first >= 1990 and last <= 2100:
        return f"numbers like {example} look like years: write times as seconds since 1970, or declare --time steps"
    if first >= 32_874 and last <= 54_789:  # 1990 to 2050
        day = date((example - 25_569) * DAY, "seconds")
        return (
            f"numbers like {example} look like a spreadsheet's days ({day}): write them as seconds since 1970, or "
            "declare --time steps"
        )
    return ""


def _all(values: Array, low: int, high: int) -> bool:
    return bool(((values >= low) & (values <= high)).all())


def date(value: int, unit: str) -> str:
    """The day that a timestamp means, 2023-11-14; also years of more digits, and before the year 1."""
    return str(np.datetime64(value // PER_SECOND.get(unit, 1) // DAY, "D"))
