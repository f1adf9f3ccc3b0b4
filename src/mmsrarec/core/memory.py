"""Memory that was freed goes back to the system."""

import ctypes
import sys


def release_memory() -> None:
    """Every batch has a width of its own; what glibc keeps of the earlier ones, in pieces, comes to gigabytes."""
    prune_keywords = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
    if prune_keywords is not None:
        prune_keywords(0)
