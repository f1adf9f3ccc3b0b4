"""Returns freed memory to the system."""

import ctypes
import sys


def release_memory() -> None:
    """Let glibc return freed memory to the system; elsewhere do nothing.

    Every batch has another width, and the pieces that glibc keeps of earlier batches add up to gigabytes.
    """
    malloc_trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
    if malloc_trim is not None:
        malloc_trim(0)
