"""Writes single files safely: whole or not at all, hashed, synced to the disk, linked or copied."""

import errno
import hashlib
import os
import shutil
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mmsrarec.errors import MmsrarecError

FOLDERS_SYNC = hasattr(os, "O_DIRECTORY")
"""Whether the system can sync a folder: Windows cannot open one."""
SYNC_UNSUPPORTED = (errno.EINVAL, errno.ENOTSUP)
"""Error numbers with which some network disks refuse to sync a folder."""


def atomic_write(path: str | Path, data: bytes) -> None:
    """Write a file so that at any time the old content or the new content is there, never a part of it.

    Raises:
        OSError: The file cannot be written.
    """
    with replacing(Path(path)) as draft:
        draft.write_bytes(data)


@contextmanager
def replacing(path: Path) -> Generator[Path]:
    """A place beside a file to write its new content to, which takes the file's place where the block succeeds.

    At any time the old content or the new content is there, never a part of it.

    Args:
        path: The file.

    Raises:
        OSError: The file cannot be written.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield draft
        sync(draft)
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    sync(path.parent)


def write_parquet(table: Any, path: Path) -> None:
    """Write a Polars DataFrame as a Parquet file.

    Raises:
        MmsrarecError: The disk is full, or the file cannot be written for another reason that the system has.
    """
    try:
        table.write_parquet(path)
    except Exception as error:  # Polars wraps what the system says in errors of its own
        why = " ".join(str(error).split())[-100:]
        raise MmsrarecError(f"{path.name} cannot be written ({why}): is there room on the disk?") from error


def file_hash(path: Path) -> str:
    """The sha256 of a file's bytes, in hex digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def link_or_copy(source: str, target: str) -> str:
    """Make a hard link to a file, or a copy of it where the system or the disk has no hard links.

    The signature fits `shutil.copytree(..., copy_function=link_or_copy)`.

    Args:
        source: The file that is there.
        target: The second name.

    Returns:
        The target.
    """
    try:
        os.link(source, target)
    except (OSError, AttributeError, NotImplementedError):
        shutil.copy2(source, target)
    return target


def sync(path: Path) -> None:
    """Force a file, or the names in a folder, onto the disk. Windows syncs only files that are open for writing."""
    is_folder = path.is_dir()
    if is_folder and not FOLDERS_SYNC:
        return
    handle = os.open(path, os.O_RDWR if os.name == "nt" else os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if not (is_folder and error.errno in SYNC_UNSUPPORTED):
            raise
    finally:
        os.close(handle)


def absolute(path: Path) -> Path:
    """An absolute path, with "~" as the home of the user.

    Raises:
        ValueError: There is no such user, or the name is not UTF-8.
    """
    try:
        place = path.expanduser().absolute()
        str(place).encode()
    except RuntimeError as error:
        raise ValueError("no such user, or a user without a home") from error
    except UnicodeEncodeError as error:
        raise ValueError("the name is not UTF-8, and no TOML file can hold it: rename the folder") from error
    return place
