"""Locks that end with the process that holds them, on every system that `filelock` supports.

A lock is a file that is removed when the lock is released. The file that a killed process leaves behind locks nothing.
"""

import os
import warnings
from collections.abc import Generator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from mmsrarec.errors import MmsrarecError

with warnings.catch_warnings():  # filelock warns on systems without locks, where a plain file has to do
    warnings.simplefilter("ignore")
    from filelock import FileLock, Timeout

FOLDER_LOCK = ".lock"
"""The name of the file that locks the folder in which it lies."""

_ENTRIES: dict[tuple[int, str], int] = {}
"""How often each process (a fork has another id) entered each folder that it holds."""


@contextmanager
def holding(file: Path, refusal: str) -> Generator[None]:
    """Hold a lock file alone while the block runs.

    Args:
        file: The lock file, made where it is missing.
        refusal: The message of the error if another process holds the lock.

    Raises:
        MmsrarecError: Another process holds the lock.
        OSError: The file cannot be made.
    """
    lock = FileLock(file, blocking=False, thread_local=False)
    try:
        lock.acquire()
    except Timeout as error:
        raise MmsrarecError(refusal) from error
    try:
        yield
    finally:
        # The file is removed while the lock is held: a process that opened it before sees that it has no name any
        # more, and does not lock it. Windows refuses to remove it, and there filelock removes it itself.
        with suppress(OSError):
            file.unlink()
        lock.release()


@contextmanager
def holding_folder(folder: Path, what: str) -> Generator[bool]:
    """Hold a folder alone while the block runs; a process that holds it already may enter again.

    Args:
        folder: The folder. A missing folder is made.
        what: What the other process does with it, such as "working in", for the error message.

    Yields:
        Whether this is the first entry.

    Raises:
        MmsrarecError: Another process holds the folder, or it cannot be written.
    """
    place = (os.getpid(), os.path.realpath(folder))
    if place in _ENTRIES:
        _ENTRIES[place] += 1
        try:
            yield False
        finally:
            _ENTRIES[place] -= 1
        return
    refusal = f"another process is {what} {folder}: wait for it, or name another place with --out"
    with ExitStack() as locks:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            locks.enter_context(holding(folder / FOLDER_LOCK, refusal))
        except OSError as error:
            raise MmsrarecError(f"cannot write {folder}: {error.strerror or error}; name another place") from error
        _ENTRIES[place] = 1
        locks.callback(_ENTRIES.pop, place)
        yield True
