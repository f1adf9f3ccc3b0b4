"""Where this user's copies are kept that can be made again: the converted model, measured choices, logs of faults.

A place that cannot be written is found out before the work, and a temporary folder takes its part.
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
    """The folder that is wanted: $MMSRAREC_CACHE, or mmsrarec in the user's cache folder. It may not be there.

    Raises:
        MmsrarecError: nothing is named, and this user has no home.
    """
    if named := os.environ.get("MMSRAREC_CACHE", "").strip():
        return Path(os.path.expanduser(named))
    try:
        folder = Path(platformdirs.user_cache_path("mmsrarec", appauthor=False))
    except RuntimeError:
        folder = Path("~")
    if not folder.is_absolute():  # older versions of platformdirs leave "~" where there is no home
        raise MmsrarecError(f"this user has no home folder to keep converted models in: {WAYS_OUT}")
    return folder


def kept(name: str) -> Path | None:
    """What is kept under a name, in the folder that is wanted or in the temporary one; None where nothing is."""
    for folder in known_places():
        with contextlib.suppress(OSError):  # not ours to read
            if (folder / name).exists():
                return folder / name
    return None


def known_places() -> list[Path]:
    """The wanted folder, and this user's temporary one where it is there."""
    places: list[Path] = []
    with contextlib.suppress(MmsrarecError):
        places.append(cache_folder())
    with contextlib.suppress(OSError):
        if _is_own(temporary := _temporary()):
            places.append(temporary)
    return places


def can_write(folder: Path) -> bool:
    """Whether a file can be made in it; it is made where it is missing."""
    try:
        return bool(_written(folder))
    except OSError:
        return False


def cache_to_write() -> Path:
    """A folder that can be written: the wanted one, else a temporary one of this user, with a remark.

    Raises:
        MmsrarecError: neither can be written.
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
    """This user's own folder among the temporary ones, the same one in each process. Raises OSError."""
    place = _temporary()
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not _is_own(place):
        return _of_this_process()
    return _written(place)


@cache
def _of_this_process() -> Path:
    return Path(tempfile.mkdtemp(prefix="mmsrarec-"))


def _temporary() -> Path:
    user = os.getuid() if hasattr(os, "getuid") else "cache"  # on Windows the temporary folder is the user's anyway
    return Path(tempfile.gettempdir()) / f"mmsrarec-{user}"


def _is_own(folder: Path) -> bool:
    """Whether nobody else made the folder, or may put anything into it: models are loaded from there."""
    facts = folder.lstat()
    if not stat.S_ISDIR(facts.st_mode):
        return False
    return not hasattr(os, "getuid") or (facts.st_uid == os.getuid() and not facts.st_mode & 0o022)


def _written(folder: Path) -> Path:
    """The folder, made where it was missing, after a file could be made in it. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder):
        return folder


def _reason(folder: Path, error: OSError) -> str:
    return f"{folder} cannot be written ({error.strerror or error})"
