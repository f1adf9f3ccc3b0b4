"""Times as sources write them: whole numbers, numbers with a fraction, ISO 8601, dates; all in UTC.

A time without a zone is in UTC. The zone of the machine never enters.
"""

from dataclasses import dataclass, field

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mmsrarec.data.reading.line_faults import NULLS
from mmsrarec.data.times import NOT_A_TIME
from mmsrarec.data.units import Unit

WHOLE, FRACTION, DATE, MISSING, FAULTY = range(5)
"""How a time is written: a whole number, a number of seconds with a fraction, a date, not at all, as something else."""
MICROSECONDS = 10**6
DAY_MICROSECONDS = 86_400 * MICROSECONDS
SMALLEST_MILLISECONDS = 10**11
"""Numbers below count seconds (until the year 5138), numbers above a part of a second."""
READ = "seconds, milliseconds, microseconds or nanoseconds since 1970, ISO 8601 and dates (2023-11-14) are read"
_NUMBER = r"^(-?)([0-9]{1,19})(?:\.([0-9]{0,15}))?$"
_DATE = (
    r"^([0-9]{4})[-/]([0-9]{1,2})[-/]([0-9]{1,2})"
    r"(?:[T ]([0-9]{1,2}):([0-9]{2})(?::([0-9]{2})(?:[.,]([0-9]{1,9})[0-9]*)?)?"
    r" ?(?i:(Z|UTC|GMT)|([+-])([0-9]{2}):?([0-9]{2})?)?)?$"
)
_ENGLISH = (
    r"^(?:[A-Z][a-z]{2},? )?([A-Z][a-z]{2}) ([0-9]{1,2}),? ([0-9]{2}:[0-9]{2}:[0-9]{2}) ([+-][0-9]{4}) ([0-9]{4})$",
    r"^(?:[A-Z][a-z]{2}, )?([0-9]{1,2}) ([A-Z][a-z]{2}) ([0-9]{4}) ([0-9]{2}:[0-9]{2}:[0-9]{2}) ([+-][0-9]{4})$",
)
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@dataclass
class TimeColumn:
    """The times of a log, while it is read in parts.

    Attributes:
        raw: For each part, (n,) int64: whole numbers as they stand, the others in microseconds.
        spellings: For each part, (n,) int8, one of WHOLE to FAULTY.
        odd: For each part, the texts that are no time and their places in the log.
        without_zone: The number of dates with a time of day and without a zone, which were taken as UTC.
        days: The number of dates without a time of day.
    """

    raw: list[NDArray[np.int64]] = field(default_factory=list[NDArray[np.int64]])
    spellings: list[NDArray[np.int8]] = field(default_factory=list[NDArray[np.int8]])
    odd: list[pl.DataFrame] = field(default_factory=list[pl.DataFrame])
    without_zone: int = 0
    days: int = 0
    count: int = 0

    def add(self, values: pl.Series) -> None:
        """Add the times of a part."""
        raw, spelling = self._read(values)
        self.raw.append(raw)
        self.spellings.append(spelling)
        places = np.flatnonzero(spelling >= MISSING)
        if len(places):
            texts = values.gather(places).cast(pl.String, strict=False).fill_null("")
            self.odd.append(pl.DataFrame({"place": places + self.count, "text": texts.str.slice(0, 30)}))
        self.count += len(values)

    def texts(self, places: NDArray[np.int64]) -> dict[int, str]:
        """What is wrong with the times at (n,) places of the log, as a part of a message."""
        odd = pl.concat(self.odd) if self.odd else pl.DataFrame(schema={"place": pl.Int64, "text": pl.String})
        texts = dict(odd.filter(pl.col("place").is_in(places.tolist())).iter_rows())
        reasons: dict[int, str] = {}
        for place in places.tolist():
            text = texts.get(place)
            if text is None:
                reasons[place] = "is a number where most are dates, or a date where most are numbers"
            else:
                says = "it says no time" if not text.strip() or text.strip() in NULLS else "nor a date"
                reasons[place] = f"{text!r} is not a whole number, {says}"
        return reasons

    def joined(self, unit: Unit) -> tuple[NDArray[np.int64], NDArray[np.int8], Unit, str]:
        """All times in one unit.

        Args:
            unit: The declared unit of whole numbers.

        Returns:
            (n,) int64 times; (n,) int8 spellings, where FAULTY are also those that differ from the majority; the unit
            that they are to be read in; and how they were written, for the report.
        """
        raw = np.concatenate([np.empty(0, dtype=np.int64), *self.raw])
        spelling = np.concatenate([np.empty(0, dtype=np.int8), *self.spellings])
        counts = np.bincount(spelling, minlength=FAULTY + 1)
        if counts[DATE] > counts[WHOLE] + counts[FRACTION]:
            spelling[(spelling == WHOLE) | (spelling == FRACTION)] = FAULTY
            return raw, spelling, "microseconds", "dates"
        spelling[spelling == DATE] = FAULTY
        if not counts[FRACTION]:
            return raw, spelling, unit, ""
        whole = spelling == WHOLE
        spelling[whole & (np.abs(raw) >= SMALLEST_MILLISECONDS)] = FAULTY  # of another unit
        raw[spelling == WHOLE] *= MICROSECONDS
        return raw, spelling, "microseconds", "seconds with a fraction"

    def _read(self, values: pl.Series) -> tuple[NDArray[np.int64], NDArray[np.int8]]:
        """The times of a part and how each is written."""
        kind = values.dtype
        if kind == pl.Date:
            self.days += values.len() - values.null_count()
            return _typed(values.cast(pl.Int64) * DAY_MICROSECONDS, DATE)
        if isinstance(kind, pl.Datetime):
            self.without_zone += 0 if kind.time_zone else values.len() - values.null_count()
            return _typed(values.dt.epoch("us"), DATE)
        if kind.is_integer():
            return _typed(values.cast(pl.Int64, strict=False), WHOLE)
        if kind.is_float() or isinstance(kind, pl.Decimal):
            return _of_floats(values.cast(pl.Float64))
        if kind != pl.String:
            values = values.cast(pl.String, strict=False)
        return self._of_text(values.fill_null(""))

    def _of_text(self, values: pl.Series) -> tuple[NDArray[np.int64], NDArray[np.int8]]:
        """The times of texts."""
        text = values.str.strip_chars()
        numbers = text.cast(pl.Int64, strict=False)
        plain = text.str.contains(r"^-?[0-9]{1,19}$") & numbers.is_not_null()
        raw = numbers.fill_null(0).to_numpy().copy()
        spelling = np.where(plain.to_numpy(), WHOLE, FAULTY).astype(np.int8)
        if plain.all():
            return raw, spelling
        places = np.flatnonzero(~plain.to_numpy())
        other = text.gather(places)
        missing = other.is_in(list(NULLS)) | ~other.str.contains(r"[^\p{Z}\p{C}]")
        spelling[places[missing.to_numpy()]] = MISSING
        for read, spelled in ((self._fractions, FRACTION), (self._dates, DATE)):
            places = np.flatnonzero(spelling == FAULTY)
            if not len(places):
                break
            number, fits, whole = read(text.gather(places))
            raw[places[fits]] = number[fits]
            spelling[places[fits]] = np.where(whole[fits], WHOLE, spelled)
        return raw, spelling

    def _fractions(self, text: pl.Series) -> tuple[NDArray[np.int64], NDArray[np.bool_], NDArray[np.bool_]]:
        """Microseconds of numbers with a fraction, which fit, and which are whole in truth and stay as they are."""
        parts = _without_exponent(text).str.extract_groups(_NUMBER).struct.unnest()
        sign, digits, rest = (parts.to_series(number) for number in range(3))
        number = digits.cast(pl.Int64, strict=False)
        fits = (number.is_not_null() & rest.is_not_null()).to_numpy()
        number = number.fill_null(0).to_numpy()
        micro = rest.fill_null("").str.slice(0, 6).str.pad_end(6, "0").cast(pl.Int64, strict=False).fill_null(0)
        micro = micro.to_numpy()
        no_fraction = ~rest.fill_null("").str.contains("[1-9]").to_numpy()
        whole = no_fraction | (number >= SMALLEST_MILLISECONDS)
        value = np.where(whole, number, np.where(whole, 0, number) * MICROSECONDS + micro)
        return np.where((sign.fill_null("") == "-").to_numpy(), -value, value), fits, whole

    def _dates(self, text: pl.Series) -> tuple[NDArray[np.int64], NDArray[np.bool_], NDArray[np.bool_]]:
        """Microseconds since 1970 of dates, and which fit."""
        parts = _iso(text).str.extract_groups(_DATE).struct.unnest()
        texts = [parts.to_series(number) for number in range(11)]
        year, month, day, hour, minute, second = (one.cast(pl.Int64, strict=False) for one in texts[:6])
        days = (
            pl.DataFrame({"y": year, "m": month, "d": day})
            .select(
                pl.format(
                    "{}-{}-{}", "y", pl.col("m").cast(pl.String).str.zfill(2), pl.col("d").cast(pl.String).str.zfill(2)
                )
                .str.to_date("%Y-%m-%d", strict=False)
                .cast(pl.Int64)
            )
            .to_series()
        )
        no_time = hour.is_null()
        hour, minute, second = (one.fill_null(0) for one in (hour, minute, second))
        micro = texts[6].fill_null("").str.slice(0, 6).str.pad_end(6, "0").cast(pl.Int64, strict=False).fill_null(0)
        zone = (texts[9].cast(pl.Int64, strict=False).fill_null(0) * 60) + texts[10].cast(
            pl.Int64, strict=False
        ).fill_null(0)
        sign = (texts[8] == "-").fill_null(False).cast(pl.Int64) * -2 + 1
        fits = days.is_not_null() & (hour < 24) & (minute < 60) & (second < 61) & (zone < 24 * 60)
        seconds = hour * 3600 + minute * 60 + second - sign * zone * 60
        value = days.fill_null(0) * DAY_MICROSECONDS + seconds * MICROSECONDS + micro
        no_zone = texts[7].is_null() & texts[9].is_null() & ~no_time
        self.without_zone += int((no_zone & fits).sum())
        self.days += int((no_time & fits).sum())
        return value.to_numpy(), fits.to_numpy(), np.zeros(len(text), dtype=bool)


def _without_exponent(text: pl.Series) -> pl.Series:
    """Numbers such as 8.81250955e+08, as R, pandas and RecBole write them, in digits; all other texts as they are.

    1.3e+09 has lost its seconds: it stays as it is, and is no time.
    """
    parts = text.str.extract_groups(r"^-?([0-9]+)(?:\.([0-9]*))?[eE]\+?([0-9]{1,2})$").struct.unnest()
    whole_digits, fraction, exponent = (parts.to_series(place) for place in range(3))
    digits = whole_digits.str.len_bytes() + fraction.fill_null("").str.len_bytes()
    power = exponent.cast(pl.Int64, strict=False) + whole_digits.str.len_bytes().cast(pl.Int64)
    number = (digits >= power).fill_null(False)
    if not number.any():
        return text
    values = text.cast(pl.Float64, strict=False)
    whole = (values == values.floor()) & (values.abs() < 2.0**63)
    digits = values.set(~whole, None).cast(pl.Int64, strict=False).cast(pl.String) + "."
    return text.zip_with(~number, digits.fill_null(values.cast(pl.String)))


def _iso(text: pl.Series) -> pl.Series:
    """English dates, such as "Tue Oct 17 09:40:11 -0700 2017", as ISO 8601; all others as they are."""
    if not text.str.contains(_ENGLISH[0]).any() and not text.str.contains(_ENGLISH[1]).any():
        return text
    text = text.str.replace(_ENGLISH[0], "${5}-${1}-${2} ${3}${4}").str.replace(_ENGLISH[1], "${3}-${2}-${1} ${4}${5}")
    for number, month in enumerate(_MONTHS, start=1):
        text = text.str.replace(f"-{month}-", f"-{number:02}-", literal=True)
    return text


def _typed(numbers: pl.Series, spelled: int) -> tuple[NDArray[np.int64], NDArray[np.int8]]:
    """Whole numbers, of which null and NumPy's NaT are missing."""
    raw = numbers.fill_null(NOT_A_TIME).to_numpy().astype(np.int64)
    return raw, np.where(raw == NOT_A_TIME, MISSING, spelled).astype(np.int8)


def _of_floats(values: pl.Series) -> tuple[NDArray[np.int64], NDArray[np.int8]]:
    """The times of floats: whole ones are whole numbers."""
    numbers = values.fill_null(np.nan).to_numpy()
    missing = np.isnan(numbers)
    faulty = ~missing & ~(np.abs(numbers) < 2.0**63)
    numbers = np.where(missing | faulty, 0.0, numbers)
    whole = (numbers == np.floor(numbers)) | (np.abs(numbers) >= SMALLEST_MILLISECONDS)
    small = np.where(whole, 0.0, numbers)
    raw = np.where(whole, numbers.astype(np.int64), np.rint(small * MICROSECONDS).astype(np.int64))
    spelling = np.select([missing, faulty, whole], [MISSING, FAULTY, WHOLE], FRACTION)
    return raw, spelling.astype(np.int8)
