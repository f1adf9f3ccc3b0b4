"""Knows which items name their picture by an address in the web, and gives items the files that were fetched.

Everything that depends on where a data folder keeps these addresses stands here.
"""

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from mmsrarec.core.artefacts import MANIFEST, key, link_or_copy, read_manifest
from mmsrarec.data.dataset import Dataset, Item, item_record
from mmsrarec.data.folder import IMAGES, ITEMS, writing_data
from mmsrarec.data.reading.files import find
from mmsrarec.errors import DataError

SCHEMES = ("http://", "https://")


def address_of(item: Item) -> str | None:
    """The address that an item names as its picture; None for an item with a file, or without any picture."""
    name = (item.image or "").strip()
    return name if name.lower().startswith(SCHEMES) else None


def missing_pictures(dataset: Dataset) -> dict[int, str]:
    """Item code -> address, for items that name an address and have no file."""
    addresses = {code: address_of(item) for code, item in enumerate(dataset.items)}
    return {code: address for code, address in addresses.items() if address is not None}


def has_pictures(dataset: Dataset) -> bool:
    """Whether any item names a file."""
    return any(item.image and address_of(item) is None for item in dataset.items)


def add_pictures(dataset: Dataset, folder: Path, files: Mapping[int, str], source: Path) -> None:
    """Give items their files, and write the data folder anew: all or nothing.

    All other files of the folder stay as they are.

    Args:
        dataset: The data set in the folder.
        folder: The data folder, which mmsrarec made.
        files: Item code -> name of its file, below `source` and then below images/.
        source: The folder that holds the files. They are linked where the disk can do so, else copied.

    Raises:
        DataError: The folder was not made by mmsrarec, or cannot be written.
    """
    settings = dict(read_manifest(folder)["settings"])
    made_by = settings.pop("made_by", "images")
    settings.pop("times", None)
    settings["images"] = key(files=sorted(files.items()))
    old_items = find(folder, ITEMS)
    with writing_data(folder, made_by, dataset.times, **settings) as new:
        shutil.copytree(
            folder,
            new,
            ignore=lambda place, names: [name for name in names if Path(place, name) in (old_items, folder / MANIFEST)],
            copy_function=link_or_copy,
            dirs_exist_ok=True,
        )
        for name in set(files.values()):
            target = new / IMAGES / name
            target.parent.mkdir(parents=True, exist_ok=True)
            if not target.exists():
                link_or_copy(str(source / name), str(target))
        items = (replace(item, image=files[code]) if code in files else item for code, item in enumerate(dataset.items))
        (new / ITEMS).write_text("".join(item_record(item) + "\n" for item in items), encoding="utf-8")


def check_writable(folder: Path) -> None:
    """Check, before anything is fetched, that pictures can be added to a data folder. Raises DataError."""
    if not (folder / MANIFEST).is_file():
        raise DataError(
            f"{folder} was not made by mmsrarec: bring it in first (mmsrarec import tables {folder} --out DATA)"
        )
    read_manifest(folder)
