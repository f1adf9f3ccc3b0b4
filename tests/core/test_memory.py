"""How much is held at once, and that memory goes back to the system."""

import gc
import mmap
import os
import sys
from pathlib import Path

import numpy as np
import psutil
import pytest

from mmsrarec.core import memory
from mmsrarec.core.memory import (
    LARGE_PAGE,
    MAX_SCORES_HELD,
    collect_again,
    collect_everything,
    release_memory,
    rows_at_once,
    stop_collecting,
    use_large_pages,
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


def _kb_in_large_pages() -> int:
    """What of this process lies in large pages, by the kernel's count."""
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("AnonHugePages:"))


def test_memory_in_large_pages_holds_what_it_held(monkeypatch: pytest.MonkeyPatch) -> None:
    size = 8 * LARGE_PAGE
    with mmap.mmap(-1, size) as block:  # nobody asked for large pages yet
        held = np.frombuffer(block, dtype=np.uint8)
        held[:] = np.arange(size, dtype=np.uint8)
        address, expected = held.ctypes.data, held.copy()
        for begin, n in ((address + 1, LARGE_PAGE), (address, 0), (address, size)):  # the first two hold no whole page
            use_large_pages(begin, n)
        np.testing.assert_array_equal(held, expected)
        monkeypatch.setattr(memory.sys, "platform", "elsewhere")
        use_large_pages(address, size)
        del held


@pytest.mark.skipif(sys.platform != "linux", reason="other systems choose the size of pages themselves")
def test_linux_puts_memory_into_large_pages_where_it_can() -> None:
    setting = Path("/sys/kernel/mm/transparent_hugepage/enabled")
    release = tuple(int(part) for part in os.uname().release.split(".")[:2])
    if not setting.exists() or "[never]" in setting.read_text() or release < (6, 1):
        pytest.skip("this kernel has no large pages to ask for at once")
    with mmap.mmap(-1, 8 * LARGE_PAGE) as block:
        held = np.frombuffer(block, dtype=np.uint8)
        held[:] = 1
        before = _kb_in_large_pages()
        use_large_pages(held.ctypes.data, len(held))
        after = _kb_in_large_pages()
        del held
    assert after - before >= 6 * LARGE_PAGE // 1024 or before >= 6 * LARGE_PAGE // 1024
