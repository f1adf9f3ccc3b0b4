"""Locks that end with the process that holds them, on every system that `filelock` knows.

A lock is a file, which is gone once it was given back; what a killed process left of it hinders nobody.
"""

import os
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from mmsrarec.errors import MmsrarecError

with warnings.catch_warnings():  # where a system has no locks of its own, a file alone has to do
    warnings.simplefilter("ignore")
    from filelock import FileLock, Timeout

NAME = ".lock"
"""The file by which a whole folder is held."""

_HELD: dict[tuple[int, str], int] = {}
"""How often this process (a fork is another one) entered each folder that it holds."""


@contextmanager
def holding(file: Path, taken: str) -> Iterator[None]:
    """Hold a lock file alone while the block runs.

    Raises:
        MmsrarecError: somebody else holds it, and `taken` is the message.
        OSError: the file cannot be made.
    """
    lock = FileLock(file, blocking=False, thread_local=False)
    try:
        lock.acquire()
    except Timeout as error:
        raise MmsrarecError(taken) from error
    try:
        yield
    finally:
        # Removed while it is held: whoever opened it before sees that it has no name any more, and does not take it.
        # Windows refuses this, and there filelock removes it itself.
        with suppress(OSError):
            file.unlink()
        lock.release()


@contextmanager
def holding_folder(folder: Path, what: str) -> Iterator[bool]:
    """Hold a folder alone while the block runs; a process that holds it already may enter again.

    Args:
        folder: It is made where it is missing.
        what: What the other process does with it, such as "working in".

    Yields:
        Whether this is the first entry.

    Raises:
        MmsrarecError: another process holds it, or it cannot be written.
    """
    place = (os.getpid(), os.path.realpath(folder))
    if place in _HELD:
        _HELD[place] += 1
        try:
            yield False
        finally:
            _HELD[place] -= 1
        return
    taken = f"another process is {what} {folder}: wait for it, or name another place with --out"
    with ExitStack() as held:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            held.enter_context(holding(folder / NAME, taken))
        except OSError as error:
            raise MmsrarecError(f"cannot write {folder}: {error.strerror or error}; name another place") from error
        _HELD[place] = 1
        held.callback(_HELD.pop, place)
        yield True
