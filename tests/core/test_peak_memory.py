"""A row's memory is its own: neither what was there before, nor what was freed before, counts."""

import time

import numpy as np
import pytest

from mmsrarec.core.peak_memory import PeakMemory


def rise(megabytes: int) -> float:
    """What watching an array of that size reads."""
    with PeakMemory() as memory:
        held = np.ones(megabytes * 2**17)
        time.sleep(0.1)  # as long as a batch of a language model
        assert held[-1] == 1
        del held
    return memory.mb


def test_what_is_held_in_between_is_seen_though_it_is_freed() -> None:
    assert rise(200) == pytest.approx(200, abs=40)


def test_a_large_row_before_does_not_count_for_a_small_one_after() -> None:
    large, small = rise(300), rise(20)
    assert large > 250
    assert small < 60  # the process's own high-water mark would say 300


def test_an_error_ends_the_watch() -> None:
    memory = PeakMemory()
    with pytest.raises(KeyError), memory:
        raise KeyError
    assert not memory._watcher.is_alive()
