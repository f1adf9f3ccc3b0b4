"""A late value is made once, by the first who needs it, and for all who wait."""

import threading
import time

import pytest

from mmsrarec.core.late import Late


def test_it_is_made_when_it_is_first_needed() -> None:
    made: list[int] = []
    late = Late(lambda: made.append(1) or object())
    assert not late.is_made
    assert made == []
    assert late.get() is late.get()
    assert made == [1]
    assert late.is_made


def test_all_who_wait_are_given_the_same_one() -> None:
    made: list[object] = []

    def slow() -> object:
        time.sleep(0.05)
        made.append(object())
        return made[-1]

    late, given = Late(slow), list[object]()
    threads = [threading.Thread(target=lambda: given.append(late.get())) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1
    assert given == made * 5


def test_a_failure_is_told_and_the_next_one_tries_again() -> None:
    tries: list[int] = []

    def make() -> str:
        tries.append(1)
        if len(tries) == 1:
            raise OSError("the file is not there")
        return "made"

    late = Late(make)
    with pytest.raises(OSError, match="not there"):
        late.get()
    assert not late.is_made
    assert late.get() == "made"
