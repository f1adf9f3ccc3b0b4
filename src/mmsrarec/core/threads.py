"""Sets thread variables that must be set before Python starts: the process executes itself once more with them.

On few cores, OpenMP's waiting threads spin and take time from the working threads; a run is then up to 10 to 100
times slower. The allocator is not changed: jemalloc gained 5 % at the price of unbounded memory (docs/log).
"""

import contextlib
import os
import sys
from collections.abc import Mapping

FEW_CORES = 4
"""Up to this many cores the variables are set."""
GUARD_VARIABLE = "MMSRAREC_THREADS"
"""The variable of the second execution. Set by hand, it keeps everything as it is."""


def cores() -> int:
    """The number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def wanted(environment: Mapping[str, str], cores: int) -> dict[str, str]:
    """The environment variables to add; those that the user has set are left alone.

    Args:
        environment: The variables that are set.
        cores: The number of cores that the process may use.

    Returns:
        The values of the missing variables by name.
    """
    settings = {"OMP_WAIT_POLICY": "PASSIVE", "OMP_NUM_THREADS": str(cores)} if cores <= FEW_CORES else {}
    return {name: value for name, value in settings.items() if name not in environment}


def with_fast_threads() -> None:
    """Execute this process once more with the `wanted` variables; return at once where nothing is to be changed.

    Only an entry point may call this, before heavy imports: the same command line is executed again.
    """
    if GUARD_VARIABLE in os.environ or not sys.platform.startswith("linux") or not sys.executable:
        return
    added_variables = wanted(os.environ, cores())
    if not added_variables:
        return
    for stream in filter(None, (sys.stdout, sys.stderr)):
        stream.flush()
    environment = {**os.environ, **added_variables, GUARD_VARIABLE: "set"}
    with contextlib.suppress(OSError):  # without the second execution the work is only slower
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], environment)


def in_force() -> dict[str, str | int | None]:
    """The number of cores and the thread variables of this process, for a bug report."""
    return {"cores": cores()} | {name: os.environ.get(name) for name in ("OMP_WAIT_POLICY", "OMP_NUM_THREADS")}
