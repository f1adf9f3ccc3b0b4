"""Thread settings that must stand before Python starts: the process executes itself once more with them.

On few cores, OpenMP's waiting threads spin and starve the working ones: at times 10 to 100 times slower. The allocator
is left alone: jemalloc was measured and gained 5 % at the price of unbounded memory (docs/log.md).
"""

import contextlib
import os
import sys
from collections.abc import Mapping

FEW_CORES = 4
ALREADY = "MMSRAREC_THREADS"  # set in the second execution; set by hand, it keeps everything as it is


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def wanted(environment: Mapping[str, str], cores: int) -> dict[str, str]:
    """The variables to add. Whatever the user has set is left alone."""
    settings = {"OMP_WAIT_POLICY": "PASSIVE", "OMP_NUM_THREADS": str(cores)} if cores <= FEW_CORES else {}
    return {name: value for name, value in settings.items() if name not in environment}


def with_fast_threads() -> None:
    """Execute this process once more with the wanted settings; returns at once where nothing is to be changed.

    Only for a process whose command line is our own: call it from an entry point, before heavy imports.
    """
    if ALREADY in os.environ or not sys.platform.startswith("linux") or not sys.executable:
        return
    added = wanted(os.environ, cores())
    if not added:
        return
    for stream in filter(None, (sys.stdout, sys.stderr)):
        stream.flush()
    with contextlib.suppress(OSError):  # slower, and no reason to do nothing
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], {**os.environ, **added, ALREADY: "set"})


def in_force() -> dict[str, str | int | None]:
    """What a bug report needs to know: the settings this process runs with."""
    return {"cores": cores()} | {name: os.environ.get(name) for name in ("OMP_WAIT_POLICY", "OMP_NUM_THREADS")}
