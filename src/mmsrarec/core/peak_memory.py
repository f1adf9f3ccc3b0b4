"""The memory that one row of a table takes, apart from whatever else the process holds."""

import gc
import threading
from types import TracebackType

import psutil

from mmsrarec.core.memory import release_memory

SECONDS = 0.005
"""Between two looks at the process: a batch of a language model takes longer, and a look a hundredth of it."""
MEGABYTE = 2**20


class PeakMemory:
    """Watches how far the memory of the process rises above where it stood at the start of a `with` block.

    What was freed before is given back to the system first, so that the block cannot live on it unseen. It is the
    resident set of the process, looked at every 5 ms, and on a GPU the exact count of PyTorch's allocator in its
    place where that is more. `mb`: the rise in megabytes (2**20 bytes), never below 0.
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
        self._look()
        self.mb = max(self._peak - self._start, self._gpu.rise()) / MEGABYTE

    def _watch(self) -> None:
        while not self._done.wait(SECONDS):
            self._look()

    def _look(self) -> None:
        self._peak = max(self._peak, self._process.memory_info().rss)


class _Gpu:
    """The allocator's count on CUDA; nothing elsewhere, or without torch."""

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
        return 0 if self.cuda is None else self.cuda.max_memory_allocated() - self.start
