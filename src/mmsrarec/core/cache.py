"""The user's cache folder, for what can be made again: the converted model, measured choices, crash reports.

A cache folder that cannot be written is noticed before the work starts, and a temporary folder is used instead.
"""

import contextlib
import os
import stat
import tempfile
from functools import cache
from pathlib import Path

import platformdirs

from mmsrarec.core.terminal import remark
from mmsrarec.errors import MmsrarecError

WAYS_OUT = "name another folder by MMSRAREC_CACHE, or bring one that is filled already"


def cache_folder() -> Path:
    """The configured cache folder: $MMSRAREC_CACHE, or mmsrarec in the user's cache folder. It may not exist yet.

    Raises:
        MmsrarecError: The variable is not set, and the user has no home folder.
    """
    if configured := os.environ.get("MMSRAREC_CACHE", "").strip():
        return Path(os.path.expanduser(configured))
    try:
        folder = Path(platformdirs.user_cache_path("mmsrarec", appauthor=False))
    except RuntimeError:
        folder = Path("~")
    if not folder.is_absolute():  # older versions of platformdirs leave "~" where there is no home
        raise MmsrarecError(f"this user has no home folder to keep converted models in: {WAYS_OUT}")
    return folder


def find_cached(name: str) -> Path | None:
    """The path of a cached file or folder, in the configured cache or in the temporary one; None where it is absent."""
    for folder in known_places():
        with contextlib.suppress(OSError):  # not ours to read
            if (folder / name).exists():
                return folder / name
    return None


def known_places() -> list[Path]:
    """The folders in which a cached file may be: the configured one, and this user's temporary one if it exists."""
    places: list[Path] = []
    with contextlib.suppress(MmsrarecError):
        places.append(cache_folder())
    with contextlib.suppress(OSError):
        if _is_own(temporary := _temporary()):
            places.append(temporary)
    return places


def can_write(folder: Path) -> bool:
    """Whether a file can be made in the folder. A missing folder is made."""
    try:
        return bool(_written(folder))
    except OSError:
        return False


def cache_to_write() -> Path:
    """A cache folder that can be written: the configured one, else a temporary one of this user, with a log message.

    Raises:
        MmsrarecError: Neither can be written.
    """
    try:
        return _written(cache_folder())
    except (OSError, MmsrarecError) as error:
        reason = str(error) if isinstance(error, MmsrarecError) else _reason(cache_folder(), error)
    try:
        folder = temporary_folder()
    except OSError as error:
        raise MmsrarecError(f"{reason}, and no temporary folder either ({error}): {WAYS_OUT}") from error
    remark(f"{reason}; {folder} is used instead, until it is cleared. To keep what is made, {WAYS_OUT}")
    return folder


def temporary_folder() -> Path:
    """This user's temporary cache folder, the same one in every process.

    Raises:
        OSError: The folder cannot be written.
    """
    place = _temporary()
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not _is_own(place):
        return _of_this_process()
    return _written(place)


@cache
def _of_this_process() -> Path:
    """A temporary folder that only this process uses."""
    return Path(tempfile.mkdtemp(prefix="mmsrarec-"))


def _temporary() -> Path:
    """The path of this user's temporary cache folder, which may not exist."""
    user = os.getuid() if hasattr(os, "getuid") else "cache"  # on Windows the temporary folder is the user's anyway
    return Path(tempfile.gettempdir()) / f"mmsrarec-{user}"


def _is_own(folder: Path) -> bool:
    """Whether the folder belongs to this user and nobody else may write to it: models are loaded from there."""
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode):
        return False
    return not hasattr(os, "getuid") or (status.st_uid == os.getuid() and not status.st_mode & 0o022)


def _written(folder: Path) -> Path:
    """The folder after a file was made in it; a missing folder is made. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder):
        return folder


def _reason(folder: Path, error: OSError) -> str:
    """Why a folder cannot be written, as a part of a message."""
    return f"{folder} cannot be written ({error.strerror or error})"
