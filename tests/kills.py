"""Kills processes at random queries. Children fork from a server that has the heavy modules loaded: they start fast."""

import multiprocessing
import os
import random
import signal
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

CONTEXT = multiprocessing.get_context("forkserver")
# one server serves all tests of a session, so it loads what any of them needs
CONTEXT.set_forkserver_preload(["mmsrarec.summarize.summarizer", "mmsrarec.summarize.tuning.policy", "teach", "kills"])
# the server and its children see one thread: matrix libraries do not survive a fork with more
_ENVIRONMENT = {"PYTHONPATH": str(Path(__file__).parent), "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}


def start(target: Callable[..., None], args: Sequence[Any]):
    """A running child. target: a function of a module's top level."""
    before = {name: os.environ.get(name) for name in _ENVIRONMENT}
    os.environ.update(_ENVIRONMENT)  # the server inherits it when it starts
    try:
        child = CONTEXT.Process(target=target, args=args)
        child.start()
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})
    return child


def run_to_the_end(target: Callable[..., None], args: Sequence[Any], timeout: float = 300) -> None:
    """Run in a child, and see that it ends well."""
    child = start(target, args)
    child.join(timeout)
    if child.is_alive():
        child.kill()
    assert child.exitcode == 0, f"the child ended with {child.exitcode}"


def kill_at_random(
    target: Callable[..., None], args: Sequence[Any], rng: random.Random, low: float, high: float
) -> bool:
    """Start a child and SIGKILL it `low` to `high` seconds later, evenly drawn; whether it was still at work.

    A child that failed by itself is an AssertionError: whatever an earlier kill left, a restart has to work.
    """
    child = start(target, args)
    child.join(rng.uniform(low, high))
    child.kill()
    child.join()
    assert child.exitcode in (0, -signal.SIGKILL), f"the child failed by itself with {child.exitcode}"
    return child.exitcode == -signal.SIGKILL
