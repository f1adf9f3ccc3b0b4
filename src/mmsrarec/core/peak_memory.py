"""Measures how much memory a block of code needs, apart from what the process held before."""

import gc
import threading
from types import TracebackType

import psutil

from mmsrarec.core.memory import release_memory

POLL_SECONDS = 0.005
"""Seconds between two readings. A batch of a language model takes longer; one reading takes a hundredth of this."""
MEGABYTE = 2**20
"""Bytes of a megabyte, as memory is reported here."""


class PeakMemory:
    """A `with` block that measures how far the memory of the process rises above its value at the start.

    Freed memory is returned to the system first, so that the block cannot reuse it unnoticed. The measure is the
    resident set of the process, read every 5 ms. On a GPU it is the exact count of PyTorch's allocator if that is
    more.

    Attributes:
        mb: The rise in megabytes (2**20 bytes), never below 0; set when the block ends.
    """

    def __init__(self) -> None:
        self.mb = 0.0
        self._process, self._done = psutil.Process(), threading.Event()

    def __enter__(self) -> "PeakMemory":
        gc.collect()
        release_memory()
        self._gpu = _Gpu()
        self._start = self._peak = self._process.memory_info().rss
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._watcher.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        self._watcher.join()
        self._read_memory()
        self.mb = max(self._peak - self._start, self._gpu.rise()) / MEGABYTE

    def _watch(self) -> None:
        """Read the memory again and again until the block ends."""
        while not self._done.wait(POLL_SECONDS):
            self._read_memory()

    def _read_memory(self) -> None:
        """Raise the peak to the resident set as it is now."""
        self._peak = max(self._peak, self._process.memory_info().rss)


class _Gpu:
    """The allocator's count on CUDA; it stays 0 elsewhere, or without torch."""

    def __init__(self) -> None:
        try:
            import torch
        except ImportError:
            self.cuda = None
            return
        self.cuda = torch.cuda if torch.cuda.is_available() else None
        if self.cuda is not None:
            self.cuda.reset_peak_memory_stats()
            self.start = self.cuda.memory_allocated()

    def rise(self) -> int:
        """Bytes by which the peak lies above the start."""
        return 0 if self.cuda is None else self.cuda.max_memory_allocated() - self.start
