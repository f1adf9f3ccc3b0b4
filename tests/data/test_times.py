"""What timestamps mean: units, steps, unknown times, and what is refused."""

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmsrarec.data.times import read_times
from mmsrarec.data.units import TICKS_PER_SECOND
from mmsrarec.errors import MmsrarecError

NOW = 1_700_000_000


def array(*values: int) -> np.ndarray:
    return np.array(values, dtype=np.int64)


@pytest.mark.parametrize(("unit", "per"), TICKS_PER_SECOND.items())
def test_units_are_told_apart(unit: str, per: int) -> None:
    seconds = array(946_684_800, NOW)
    read = read_times(seconds * per + per // 2, "x")
    assert (read.unit, read.times) == (unit, "seconds")
    assert read.seconds().tolist() == seconds.tolist()
    assert read.plausible.all()


@pytest.mark.parametrize(("unit", "per"), TICKS_PER_SECOND.items())
@pytest.mark.parametrize("marker", [0, -1, -(2**63), "year 1", "year 9999"])
def test_what_stands_for_no_time_is_no_fault(unit: str, per: int, marker: int | str) -> None:
    year = {"year 1": -62_135_596_800, "year 9999": 253_402_300_799}.get(str(marker))
    value = int(marker) if year is None else year * per
    if abs(value) > 2**63:
        return  # nanoseconds do not reach so far
    read = read_times(np.append(np.full(3, NOW * per), array(value)), "x")
    assert read.unit == unit
    assert read.unknown.tolist() == [False, False, False, True]
    assert not read.wrong.any()
    assert "stands for no time" in read.reason(3)


def test_a_few_wrong_times_are_named_and_many_are_refused() -> None:
    raw = np.append(np.full(200, NOW), array(5, NOW * 1000, int(time.time()) + 400 * 86_400))
    read = read_times(raw, "x", share=0.02)
    assert np.flatnonzero(read.wrong).tolist() == [200, 201, 202]
    assert "1970-01-01" in read.reason(200)
    with pytest.raises(
        MmsrarecError, match=r"200 look like seconds, 1 look like milliseconds, 1 look like steps.*neither"
    ):
        read_times(raw, "x", share=0.01)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ((-299_973_121, -298_710_763), "1960-06-30 to 1960-07-14"),
        ((-62_135_596_800_000,) * 2, "0001-01-01 to 0001-01-01"),
        ((300_000_000, 300_000_001), "1979-07-05"),
        ((NOW * 3, NOW * 3), "2131-"),
        ((20_231_114, 20_240_229), r"20231114 look like dates \(YYYYMMDD\)"),
        ((20_231_114_120_000, 20_240_229_235_959), "look like dates"),
        ((202_311, 202_402), r"look like months \(YYYYMM\)"),
        ((2019, 2023), "look like years"),
        ((45_244, 45_245), r"a spreadsheet's days \(2023-11-14\)"),
        ((0, 0, -1), "stand for no time"),
        ((NOW, NOW * 1000), "1 look like seconds, 1 look like milliseconds"),
        ((2**63 - 1, 2**63 - 1), "2262-"),
    ],
)
def test_what_is_no_time_is_refused_with_what_it_would_mean(values: tuple[int, ...], words: str) -> None:
    with pytest.raises(MmsrarecError, match=f"^x: .*{words}") as error:
        read_times(array(*values), "x", share=0.01)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("values", [(1, 2, 3), (0, 0), (0, 1, 771), (5,), (9_999_999, 12)])
def test_steps_are_recognised(values: tuple[int, ...]) -> None:
    if not any(values):
        assert read_times(array(*values), "x", "steps").times == "steps"
        return
    read = read_times(array(*values), "x")
    assert read.times == "steps"
    assert read.plausible.all()
    assert read.seconds().tolist() == list(values)


@given(st.lists(st.integers(0, 2**62), min_size=1))
def test_declared_steps_are_never_refused(values: list[int]) -> None:
    read = read_times(np.array(values, dtype=np.int64), "x", "steps")
    assert read.plausible.all()
    assert read.seconds().tolist() == values


def test_what_is_declared_counts_and_is_checked() -> None:
    assert read_times(array(NOW * 1000), "x", "milliseconds").seconds().tolist() == [NOW]
    with pytest.raises(MmsrarecError, match="as seconds, 5 to 9 would be 1970-01-01"):
        read_times(array(5, 9), "x", "seconds")
    with pytest.raises(MmsrarecError, match=r"as seconds, 17.* would be 5\d{4}-"):
        read_times(array(NOW * 1000), "x", "seconds")
    with pytest.raises(MmsrarecError, match="steps are whole numbers from 0 on"):
        read_times(array(-5, -9), "x", "steps")
    with pytest.raises(MmsrarecError, match="unknown unit of time days"):
        read_times(array(5), "x", "days")  # type: ignore[arg-type]


@given(
    st.lists(
        st.integers(-(2**63), 2**63 - 1) | st.integers(-5, 30) | st.integers(NOW, NOW + 99), min_size=1, max_size=9
    )
)
def test_any_numbers_are_taken_or_refused_in_words(values: list[int]) -> None:
    try:
        read = read_times(np.array(values, dtype=np.int64), "x", share=0.5)
    except MmsrarecError:
        return
    assert (read.seconds()[read.plausible] >= 0).all()
    for row in np.flatnonzero(~read.plausible).tolist():
        assert str(values[row]) in read.reason(row)


def test_a_declared_unit_is_not_told_from_steps() -> None:
    raw = np.array([1_700_000_000] * 9 + [1_900_000_000])
    with pytest.raises(MmsrarecError) as error:
        read_times(raw, "log.csv", "seconds")
    assert "9 look like seconds, 1 like neither (1900000000 to 1900000000: 2030-03-17" in str(error.value)
    assert "steps" not in str(error.value)
