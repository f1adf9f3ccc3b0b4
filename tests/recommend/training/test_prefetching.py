"""Values come in their order, made ahead but not without bound; errors reach the reader; nothing is left running."""

import threading
import time
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmsrarec.recommend.training.prefetching import ahead


def others() -> set[threading.Thread]:
    return set(threading.enumerate()) - {threading.main_thread()}


@settings(deadline=None)
@given(st.lists(st.none() | st.integers()), st.integers(1, 5))
def test_values_come_in_their_order(values: list[int | None], depth: int) -> None:
    assert list(ahead(values, depth)) == values


def test_values_are_made_in_another_thread_while_one_is_used() -> None:
    made: list[str] = []

    def values() -> Iterator[int]:
        for number in range(6):
            made.append(threading.current_thread().name)
            yield number

    reader = ahead(values(), depth=2)
    assert next(reader) == 0
    end = time.monotonic() + 30
    while len(made) < 4 and time.monotonic() < end:  # two wait, and a third is in the hand of its maker
        time.sleep(0.01)
    time.sleep(0.2)
    assert len(made) == 4
    assert list(reader) == [1, 2, 3, 4, 5]
    assert threading.current_thread().name not in made


@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt()])
def test_an_error_is_raised_where_its_value_is_read(error: BaseException) -> None:
    def values() -> Iterator[int]:
        yield 1
        yield 2
        raise error

    reader, before = ahead(values()), others()
    assert [next(reader), next(reader)] == [1, 2]
    with pytest.raises(type(error)) as raised:
        next(reader)
    assert raised.value is error
    assert others() == before


def test_an_error_that_is_a_value_is_only_a_value() -> None:
    (value,) = ahead([ValueError("kept")])
    assert str(value) == "kept"


@pytest.mark.parametrize("read", [1, 3])
def test_a_reader_that_stops_early_leaves_nothing_running(read: int) -> None:
    def values() -> Iterator[int]:
        number = 0
        while True:
            yield (number := number + 1)

    before, reader = others(), ahead(values(), depth=1)
    assert [next(reader) for _ in range(read)] == list(range(1, read + 1))
    started = time.monotonic()
    reader.close()
    assert time.monotonic() - started < 10
    assert others() == before


def test_a_reader_that_fails_leaves_nothing_running() -> None:
    before = others()

    def fail() -> None:
        for value in ahead(range(1000), depth=2):
            if value == 3:
                raise RuntimeError("stopped")

    with pytest.raises(RuntimeError, match="stopped"):
        fail()
    assert others() == before
