"""How much is held at once, and that memory goes back to the system."""

import gc

import numpy as np
import psutil
import pytest

from mmsrarec.core import memory
from mmsrarec.core.memory import (
    MAX_SCORES_HELD,
    collect_again,
    collect_everything,
    release_memory,
    rows_at_once,
    stop_collecting,
)


@pytest.mark.parametrize(
    ("columns", "rows"), [(0, 1024), (20, 1024), (20_000, 1024), (40_000, 512), (1_000_000, 20), (10**9, 1)]
)
def test_rows_are_as_many_as_fit(columns: int, rows: int) -> None:
    assert rows_at_once(columns, 1024) == rows
    assert rows == 1 or rows * columns <= MAX_SCORES_HELD


def test_garbage_is_looked_for_again_after_a_start() -> None:
    collect_again()  # where nothing was stopped, nothing happens
    assert gc.isenabled()
    before = gc.get_freeze_count()
    stop_collecting()
    assert not gc.isenabled()
    collect_again()
    assert gc.isenabled()
    assert gc.get_freeze_count() > before
    collect_everything()
    assert gc.get_freeze_count() == 0
    gc.unfreeze()


def test_releasing_memory_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = np.arange(100_000)
    blocks = [np.ones(4096) for _ in range(2000)]
    del blocks
    before = psutil.Process().memory_info().rss
    release_memory()
    assert psutil.Process().memory_info().rss <= before + 2**20
    assert kept.sum() == 99_999 * 50_000
    monkeypatch.setattr(memory.sys, "platform", "elsewhere")
    release_memory()
