"""Thread and allocator settings that must stand before Python starts: the process executes itself once more with them.

On few cores, OpenMP's waiting threads spin and starve the working ones (at times 10 to 100 times slower); glibc's
allocator gives the large blocks of training back and asks for them again (1.2 to 2 times slower than jemalloc).
"""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

FEW_CORES = 4
ALREADY = "MMSRAREC_THREADS"  # set in the second execution; set by hand, it keeps everything as it is
# ten seconds: blocks are at hand for the next step, and what odd sizes leave behind is given back (-1, never: 24 GB)
MALLOC = "thp:always,dirty_decay_ms:10000,muzzy_decay_ms:10000"
PLACES = ("/usr/lib/*-linux-gnu", "/usr/lib64", "/usr/lib", "/usr/local/lib")


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def find_jemalloc() -> Path | None:
    """The jemalloc library of the system (Debian: libjemalloc2), or None."""
    for place in PLACES:
        for path in sorted(Path("/").glob(f"{place[1:]}/libjemalloc.so.2")):
            return path
    return None


def wanted(environment: Mapping[str, str], cores: int, jemalloc: Path | None) -> dict[str, str]:
    """The variables to add. Whatever the user has set is left alone."""
    settings = {}
    if cores <= FEW_CORES:
        settings |= {"OMP_WAIT_POLICY": "PASSIVE", "OMP_NUM_THREADS": str(cores)}
    if jemalloc is not None and "LD_PRELOAD" not in environment:
        settings |= {"LD_PRELOAD": str(jemalloc), "MALLOC_CONF": MALLOC}
    return {name: value for name, value in settings.items() if name not in environment}


def with_fast_threads() -> None:
    """Execute this process once more with the wanted settings; returns at once where nothing is to be changed.

    Only for a process whose command line is our own: call it from an entry point, before heavy imports.
    """
    if ALREADY in os.environ or not sys.platform.startswith("linux") or not sys.executable:
        return
    added = wanted(os.environ, cores(), find_jemalloc())
    if not added:
        return
    sys.stdout.flush()
    sys.stderr.flush()
    os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], {**os.environ, **added, ALREADY: "set"})


def in_force() -> dict[str, str | int | None]:
    """What a bug report needs to know: the settings this process runs with."""
    names = ("OMP_WAIT_POLICY", "OMP_NUM_THREADS", "MALLOC_CONF")
    maps = Path("/proc/self/maps")
    allocator = "jemalloc" if maps.is_file() and "libjemalloc" in maps.read_text(errors="replace") else "the system's"
    return {"cores": cores(), "allocator": allocator} | {name: os.environ.get(name) for name in names}
