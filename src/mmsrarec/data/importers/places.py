"""Finds the files of a published data set in a folder, packed or plain, by the names that they are published with."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from mmsrarec.errors import DataError

PACKED_ENDINGS = (".gz", ".zst", ".zip", ".bz2", ".xz")
PICTURE_ENDINGS = (".jpg", ".jpeg", ".png", ".webp", ".avif", ".gif")
MAX_LISTED = 1000
"""So many entries of a folder are looked at: a folder of pictures may hold a million."""


def files_near(place: str, depth: int = 1) -> list[Path]:
    """The files of a place by path: a folder's own and those of its sub-folders, or a file, then those beside it.

    Args:
        place: A path. One that cannot be read has no files.
        depth: How many levels of sub-folders count.
    """
    path = Path(place)
    try:
        if path.is_file():
            return [path, *(other for other in _files(path.parent, 0) if other != path)]
        return list(_files(path, depth))
    except (OSError, ValueError):  # no such place, no right to read it, or a text that is no path
        return []


def is_file(place: str) -> bool:
    """Whether a place is a file; a text that can be no path is none."""
    try:
        return Path(place).is_file()
    except (OSError, ValueError):
        return False


def plain_name(path: Path) -> str:
    """The name of a file without the ending that says how it is packed."""
    return path.name[: -len(path.suffix)] if path.suffix.lower() in PACKED_ENDINGS else path.name


def find_file(files: Iterable[Path], pattern: str) -> Path | None:
    """The file whose whole name, without the ending of its packing, matches a pattern in any case.

    Of a packed and a plain file of the same name in one folder, the first of `files` counts.

    Raises:
        DataError: Files of different names match.
    """
    matches = list(find_files(files, pattern))
    others = [
        path for path in matches if (path.parent, plain_name(path)) != (matches[0].parent, plain_name(matches[0]))
    ]
    if others:
        raise DataError(f"{matches[0]} and {others[0]} could both be meant: name the one to import as SOURCE")
    return matches[0] if matches else None


def find_files(files: Iterable[Path], pattern: str) -> Iterator[Path]:
    """The files whose whole name, without the ending of its packing, matches a pattern in any case."""
    expression = re.compile(pattern, re.IGNORECASE)
    return (path for path in files if expression.fullmatch(plain_name(path)))


def has_file(files: Iterable[Path], pattern: str) -> bool:
    """Whether a file's whole name, without the ending of its packing, matches a pattern in any case."""
    return any(find_files(files, pattern))


def pictures_by_stem(folder: Path | None) -> dict[str, str]:
    """The pictures of a folder and of its sub-folders: name without ending -> path relative to the folder."""
    if folder is None:
        return {}
    if not folder.is_dir():
        raise DataError(f"{folder} is not a folder: name one that holds pictures, such as ITEM.jpg")
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in PICTURE_ENDINGS)
    return {path.stem: path.relative_to(folder).as_posix() for path in reversed(paths)}


def sub_folder(files: Iterable[Path], names: str) -> Path | None:
    """The folder beside the files whose whole name matches a pattern in any case."""
    expression = re.compile(names, re.IGNORECASE)
    parents = dict.fromkeys(path.parent for path in files)
    folders = (folder for parent in parents for folder in sorted(parent.iterdir()) if folder.is_dir())
    return next((folder for folder in folders if expression.fullmatch(folder.name)), None)


def not_read(files: Iterable[Path], reasons: dict[str, str]) -> tuple[str, ...]:
    """A sentence for each file that a format leaves out.

    Args:
        files: The files of the place.
        reasons: Pattern of a file's name -> why it is not read.
    """
    return tuple(
        f"{path.name} is not read: {reason}."
        for pattern, reason in reasons.items()
        for path in find_files(files, pattern)
    )


def _files(folder: Path, depth: int) -> Iterator[Path]:
    """The files of a folder, then those of its sub-folders; hidden ones do not count."""
    entries: list[Path] = []
    for number, path in enumerate(folder.iterdir()):
        if number >= MAX_LISTED:
            break
        if not path.name.startswith(".") and path.suffix.lower() not in PICTURE_ENDINGS:
            entries.append(path)
    entries.sort()
    yield from (path for path in entries if path.is_file())
    if depth:
        for path in entries:
            if path.is_dir():
                yield from _files(path, depth - 1)
