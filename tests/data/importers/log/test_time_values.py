"""Times of every spelling, vectorised, give what Python's own reader gives."""

from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmsrarec.data.importers.log.time_values import DATE, FAULTY, FRACTION, MISSING, WHOLE, TimeColumn

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def one(text: object) -> tuple[int, int]:
    """The number of a time, and how it is written."""
    column = TimeColumn()
    column.add(pl.Series([text]))
    return int(column.raw[0][0]), int(column.spellings[0][0])


@settings(deadline=None)
@given(
    st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1)),
    st.sampled_from([None, UTC, timezone(timedelta(hours=5, minutes=30)), timezone(timedelta(hours=-8))]),
    st.sampled_from(["T", " "]),
    st.sampled_from(["auto", "seconds", "microseconds", "minutes"]),
)
def test_iso_8601(when: datetime, zone: timezone | None, separator: str, precision: str) -> None:
    when = when.replace(tzinfo=zone)
    text = when.isoformat(sep=separator, timespec=precision)
    again = datetime.fromisoformat(text)
    again = again if again.tzinfo else again.replace(tzinfo=UTC)
    assert one(text) == ((again - EPOCH) // timedelta(microseconds=1), DATE)


@settings(deadline=None)
@given(st.integers(-(2**63), 2**63 - 1))
def test_whole_numbers_stay_as_they_are(number: int) -> None:
    assert one(str(number)) == (number, WHOLE)
    assert one(number) == (number, WHOLE if number != -(2**63) else MISSING)


@pytest.mark.parametrize(
    ("text", "number", "spelling"),
    [
        ("1700000000.0", 1_700_000_000, WHOLE),
        ("1700000000.25", 1_700_000_000_250_000, FRACTION),
        ("1700000000123.9", 1_700_000_000_123, WHOLE),
        ("8.81250949e+08", 881_250_949, WHOLE),
        ("Tue Oct 17 09:40:11 -0700 2017", 1_508_258_411_000_000, DATE),
        ("Tue, 17 Oct 2017 09:40:11 -0700", 1_508_258_411_000_000, DATE),
        ("2017/10/17", 1_508_198_400_000_000, DATE),
        ("2017-10-17T16:40:11Z", 1_508_258_411_000_000, DATE),
        (1_700_000_000.5, 1_700_000_000_500_000, FRACTION),
        (1_700_000_000.0, 1_700_000_000, WHOLE),
    ],
)
def test_other_spellings(text: object, number: int, spelling: int) -> None:
    assert one(text) == (number, spelling)


@pytest.mark.parametrize("text", ["", "  ", "NULL", "nan", r"\N", "\u200b", None])
def test_missing_times(text: str | None) -> None:
    assert one(text)[1] == MISSING


@pytest.mark.parametrize(
    "text",
    ["soon", "1e9", "1.3e+09", "2023-02-30", "2023-11-14T24:00:00", "14.11.2023", "+5", "9" * 20, "2023-11-14T1:2:3:4"],
)
def test_what_is_no_time(text: str) -> None:
    assert one(text)[1] == FAULTY


def test_dates_among_numbers_are_faults_and_numbers_among_dates() -> None:
    column = TimeColumn()
    column.add(pl.Series(["1700000000", "1700000001", "2023-11-14"]))
    _, spelling, _, _ = column.joined("auto")
    assert spelling.tolist() == [WHOLE, WHOLE, FAULTY]
    column = TimeColumn()
    column.add(pl.Series(["2023-11-14", "2023-11-15"]))
    column.add(pl.Series(["1700000000"]))
    raw, spelling, unit, written = column.joined("auto")
    assert (spelling.tolist(), unit, written) == ([DATE, DATE, FAULTY], "microseconds", "dates")
    assert "is a number where most are dates" in column.texts(np.array([2]))[2]
    assert raw[1] - raw[0] == 86_400_000_000


def test_whole_seconds_among_fractions_are_seconds_too() -> None:
    column = TimeColumn()
    column.add(pl.Series(["1700000000.5", "1700000001", "1700000002000"]))
    raw, spelling, unit, written = column.joined("auto")
    assert (raw[:2].tolist(), unit, written) == (
        [1_700_000_000_500_000, 1_700_000_001_000_000],
        "microseconds",
        "seconds with a fraction",
    )
    assert spelling.tolist() == [FRACTION, WHOLE, FAULTY]


def test_zones_and_days_are_counted() -> None:
    column = TimeColumn()
    column.add(pl.Series(["2023-11-14", "2023-11-14 10:00", "2023-11-14T10:00Z", "2023-11-14T10:00+01:00"]))
    column.add(pl.Series([datetime(2023, 1, 1), None]))
    assert (column.days, column.without_zone) == (1, 2)
