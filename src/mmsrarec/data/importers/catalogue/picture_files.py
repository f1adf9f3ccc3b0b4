"""Finds the file that an item's picture means, though it is named a little differently, and copies it."""

import os
import shutil
import unicodedata
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from mmsrarec.core.artefacts import file_hash
from mmsrarec.core.terminal import one_line
from mmsrarec.data.dataset import Item
from mmsrarec.data.images import BadPicture, open_picture

ENDINGS = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".avif")
ADDRESS = "an address, not a file: fetch it first (mmsrarec images)"
MISSING = "no such file"
LOST_SHARE = 0.1
"""Where more of the named pictures than this share are not found, the import says so."""


def is_address(name: str) -> bool:
    """Whether the name of a picture is an address in the web."""
    start = name.strip().lower()
    return start.startswith(("http://", "https://", "//", "ftp://", "data:", "s3://", "gs://"))


class PictureFiles:
    """The files of a picture folder, found by names that are nearly theirs.

    Attributes:
        root: The folder.
    """

    def __init__(self, root: Path):
        self.root = root
        self._by_name: dict[str, list[str]] = {}
        self._by_stem: dict[str, list[str]] = {}
        self._by_id: dict[str, list[str]] = {}
        for folder, _, names in os.walk(root):
            for name in names:
                path = Path(folder, name).relative_to(root).as_posix()
                self._by_name.setdefault(_folded(path), []).append(path)
                stem, ending = os.path.splitext(_folded(path))
                if ending in ENDINGS:
                    self._by_id.setdefault(Path(path).stem, []).append(path)
                    self._by_stem.setdefault(stem, []).append(path)

    def find(self, name: str) -> str:
        """The path below the folder of the only file that fits a name.

        The name may have the folder's own name in front, backslashes, a query, an ending in another case or none, and
        blanks at its ends.

        Raises:
            BadPicture: No file fits, or several do.
        """
        if is_address(name):
            raise BadPicture(ADDRESS)
        if "\0" in name:
            raise BadPicture(MISSING)
        if os.path.isabs(name) and Path(name).is_file():  # it may lie outside, which `open_picture` refuses
            return Path(name).as_posix()
        plain = name.strip().replace("\\", "/")
        if ".." in plain.split("/") and (self.root / plain).exists():
            return plain
        for form in dict.fromkeys([plain, plain.partition("?")[0].partition("#")[0]]):
            form = "/".join(part for part in form.split("/") if part not in ("", "."))
            parts = form.split("/")
            tails = [form, *(["/".join(parts[1:])] if len(parts) > 1 and parts[0] == self.root.name else [])]
            for tail in tails:
                fits = self._by_name.get(_folded(tail)) or self._by_stem.get(_folded(tail)) or []
                exact = [path for path in fits if path == tail]
                if len(exact) == 1 or len(fits) == 1:
                    return (exact or fits)[0]
                if fits:
                    raise BadPicture(f"{len(fits)} files fit: {', '.join(sorted(map(one_line, fits))[:3])}")
        raise BadPicture(MISSING)

    def of_item(self, item_id: str) -> str | None:
        """The path of the only picture that is named exactly by an item's id, in any sub-folder."""
        fits = self._by_id.get(item_id, [])
        return fits[0] if len(fits) == 1 else None


def _folded(name: str) -> str:
    """A name without case and in one Unicode form."""
    return unicodedata.normalize("NFC", name).casefold()


def take_pictures(
    items: tuple[Item, ...], names: Mapping[str, str], root: Path | None, images: Path, broken: dict[str, str]
) -> tuple[Item, ...]:
    """Copy the pictures of items that open, named by the hash of their content.

    An item that names no picture has the only file that is named by its id, if there is one.

    Args:
        items: The items, without pictures.
        names: Item id -> what the source names as its picture.
        root: The folder of pictures; None where the source has none.
        images: The images folder of the data folder that is being written.
        broken: Item id -> reason, to which pictures that are not used are added.

    Returns:
        The items with their pictures.
    """
    files = None if root is None else PictureFiles(root)
    copied: dict[str, str] = {}

    def taken_in(item: Item) -> Item:
        name = names.get(item.item_id)
        if name is None and files is not None:
            name = files.of_item(item.item_id)
        if name is None:
            return item
        try:
            if files is None or root is None:
                raise BadPicture(ADDRESS if is_address(name) else "the source has no folder of pictures")
            path = files.find(name)
            if path not in copied:
                open_picture(root / path, root)
                copied[path] = _copy(root / path, images)
            return replace(item, image=copied[path])
        except BadPicture as reason:
            broken[item.item_id] = str(reason)
            return item

    return tuple(map(taken_in, items))


def _copy(source: Path, images: Path) -> str:
    """Copy a picture and return its name below images/: two digits, then the whole hash."""
    digest = file_hash(source)
    ending = source.suffix.lower() if source.suffix.lower() in ENDINGS else ""
    name = f"{digest[:2]}/{digest}{ending}"
    target = images / name
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
    return name
