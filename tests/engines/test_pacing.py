"""When requests start: rates, pauses that a server asks for, and pauses between attempts, by a clock of the test."""

import random
from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmsrarec.engines import pacing
from mmsrarec.engines.pacing import LONGEST_PAUSE, Pacing, asked_pause
from mmsrarec.errors import EngineError


class Clock:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now, self.slept = 100.0, list[float]()

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    def pacing(self, per_minute: float | None = None) -> Pacing:
        return Pacing(per_minute, 0.5, random.Random(0), self.sleep, lambda: self.now)


def test_without_a_rate_nobody_waits() -> None:
    clock = Clock()
    own = clock.pacing()
    for _ in range(100):
        own.wait_for_turn()
    assert clock.slept == []


@given(st.floats(0.5, 10_000), st.integers(2, 30))
def test_a_rate_is_kept_however_fast_answers_come(per_minute: float, requests: int) -> None:
    clock = Clock()
    own, began = clock.pacing(per_minute), clock.now
    for _ in range(requests):
        own.wait_for_turn()
    assert clock.now - began == pytest.approx((requests - 1) * 60 / per_minute)


def test_nothing_starts_before_a_pause_is_over_and_a_shorter_one_shortens_nothing() -> None:
    clock = Clock()
    own = clock.pacing()
    own.leave_alone(20)
    own.leave_alone(3)
    own.wait_for_turn()
    assert clock.now == pytest.approx(120)
    own.wait_for_turn()
    assert clock.now == pytest.approx(120)


def test_a_pause_that_is_asked_for_while_a_request_waits_counts_for_it() -> None:
    clock = Clock()
    own = clock.pacing(per_minute=60)
    own.wait_for_turn()
    sleep = clock.sleep

    def asked_meanwhile(seconds: float) -> None:
        sleep(seconds)
        if len(clock.slept) == 1:
            own.leave_alone(5)

    own._sleep = asked_meanwhile
    own.wait_for_turn()
    assert clock.slept == pytest.approx([1, 5])


def test_too_long_a_pause_is_an_error() -> None:
    with pytest.raises(EngineError, match="901 s"):
        Clock().pacing().leave_alone(901)


def test_pauses_double_to_a_limit_and_are_scattered() -> None:
    clock = Clock()
    own = clock.pacing()
    for attempt in range(1, 12):
        own.pause(attempt)
    for attempt, slept in enumerate(clock.slept):
        longest = min(0.5 * 2**attempt, LONGEST_PAUSE)
        assert longest / 2 <= slept <= longest
    assert len(set(clock.slept)) == len(clock.slept)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7),
        ({"retry-after": " 2.5 "}, 2.5),
        ({"retry-after": "0"}, 0),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"retry-after-ms": "soon", "retry-after": "9"}, 9),
        ({}, 0),
        ({"retry-after": ""}, 0),
        ({"retry-after": "-5"}, 0),
        ({"retry-after": "soon"}, 0),
        ({"retry-after": "nan"}, 0),
        ({"retry-after": "1e9"}, 0),
        ({"retry-after": "²"}, 0),
        ({"retry-after": "9" * 400}, 999_999_999_999),
    ],
)
def test_what_a_server_asks_for(headers: dict[str, str], seconds: float) -> None:
    assert asked_pause(headers) == seconds


def test_a_pause_may_be_a_date(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pacing.time, "time", lambda: 1_000_000.0)
    assert asked_pause({"retry-after": formatdate(1_000_030, usegmt=True)}) == 30
    assert asked_pause({"retry-after": formatdate(999_000, usegmt=True)}) == 0
