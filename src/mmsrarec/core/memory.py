"""Says how much fits in memory, asks for large pages, returns freed memory, and when Python looks for garbage."""

import ctypes
import gc
import sys

MAX_SCORES_HELD = 20_480_000
"""Scores of a ranker held at once: 164 MB in float64."""
LARGE_PAGE = 2 << 20
"""Bytes of a large page, which the processor looks up once where it looks up 512 small ones."""
MADV_HUGEPAGE, MADV_COLLAPSE = 14, 25
"""What Linux is asked for: large pages from now on, and large pages at once in the place of small ones (6.1)."""


def rows_at_once(n_columns: int, most: int) -> int:
    """How many rows of a matrix are worked on together.

    Args:
        n_columns: Width of the matrix: for scores, the size of the catalogue.
        most: How many rows suffice, however narrow they are.

    Returns:
        At least 1, and else as many as hold MAX_SCORES_HELD numbers.
    """
    return max(1, min(most, MAX_SCORES_HELD // max(n_columns, 1)))


def release_memory() -> None:
    """Let glibc return freed memory to the system; elsewhere do nothing.

    Every batch has another width, and the pieces that glibc keeps of earlier batches add up to gigabytes.
    """
    malloc_trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
    if malloc_trim is not None:
        malloc_trim(0)


def use_large_pages(address: int, size: int) -> None:
    """Have Linux hold memory that is there in large pages, where it can; elsewhere do nothing.

    A loop over tens of megabytes is up to twice as fast then. numpy asks for its own arrays, and other libraries do
    not. What the memory holds stays as it is.

    Args:
        address: Where the memory begins.
        size: Its bytes; only whole large pages are changed.
    """
    begin = -(-address // LARGE_PAGE) * LARGE_PAGE
    end = (address + size) // LARGE_PAGE * LARGE_PAGE
    madvise = getattr(ctypes.CDLL(None), "madvise", None) if sys.platform == "linux" else None
    if madvise is not None and begin < end:
        for advice in (MADV_HUGEPAGE, MADV_COLLAPSE):  # an advice that this kernel does not know changes nothing
            madvise(ctypes.c_void_p(begin), ctypes.c_size_t(end - begin), advice)


def stop_collecting() -> None:
    """Look for no unreachable cycles until `collect_again`.

    A start makes some 500,000 objects that stay: a fifth of its processor time goes into looking at them again and
    again.
    """
    gc.disable()


def collect_again() -> None:
    """Look for cycles again where that was stopped, but never among what is there by now."""
    if not gc.isenabled():
        gc.freeze()
        gc.enable()


def collect_everything() -> None:
    """Look for cycles among all objects again, as those of a run that another one replaces."""
    gc.unfreeze()
