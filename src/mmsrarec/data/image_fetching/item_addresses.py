"""Knows which items name their picture by an address in the web, and gives items the files that were fetched.

Everything that depends on where a data folder keeps these addresses stands here.
"""

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from mmsrarec.core.artefacts import MANIFEST, key, link_or_copy, read_manifest
from mmsrarec.core.terminal import one_line
from mmsrarec.data.dataset import Dataset
from mmsrarec.data.folder import IMAGES, ITEMS, image_sources, table_path, write_items, writing_data
from mmsrarec.data.text_folder import TEXT_ITEMS
from mmsrarec.errors import DataError

SCHEMES = ("http://", "https://", "//")


def is_address(name: str) -> bool:
    """Whether the name of a picture is an address in the web."""
    return name.strip().lower().startswith(SCHEMES)


def missing_pictures(dataset: Dataset) -> dict[int, str]:
    """Item code -> address, for items that name an address and have no file.

    The address stands in the column image_source of items.parquet; in folders of text, and in data sets that were
    made in Python, it is the item's image.
    """
    sources = {} if dataset.folder is None else image_sources(dataset.folder)
    names = {code: item.image or sources.get(item.item_id, "") for code, item in enumerate(dataset.items)}
    return {code: _with_scheme(name) for code, name in names.items() if is_address(name)}


def has_pictures(dataset: Dataset) -> bool:
    """Whether any item names a file."""
    return any(item.image and not is_address(item.image) for item in dataset.items)


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
    left_out = (table_path(folder, ITEMS, TEXT_ITEMS), folder / MANIFEST)
    try:
        with writing_data(folder, made_by, dataset.times, **settings) as new:
            shutil.copytree(
                folder,
                new,
                ignore=lambda place, names: [name for name in names if Path(place, name) in left_out],
                copy_function=link_or_copy,
                dirs_exist_ok=True,
            )
            for name in set(files.values()):
                target = new / IMAGES / name
                target.parent.mkdir(parents=True, exist_ok=True)
                if not target.exists():
                    link_or_copy(str(source / name), str(target))
            _write_items(dataset, folder, files, new)
    except OSError as error:
        raise DataError(
            f"cannot write {folder}: {error.strerror or one_line(error)[:200]}; what was fetched is kept"
        ) from None


def check_writable(folder: Path) -> None:
    """Check, before anything is fetched, that pictures can be added to a data folder. Raises DataError."""
    if not (folder / MANIFEST).is_file():
        raise DataError(
            f"{folder} was not made by mmsrarec: bring it in first (mmsrarec import tables {folder} --out DATA)"
        )
    read_manifest(folder)


def _write_items(dataset: Dataset, folder: Path, files: Mapping[int, str], new: Path) -> None:
    """Write the table of items, whose names without a file stay known."""
    sources = image_sources(folder)
    for code, item in enumerate(dataset.items):
        if code in files:
            sources.pop(item.item_id, None)
        elif item.image and is_address(item.image):
            sources[item.item_id] = item.image
    items = [
        replace(item, image=files.get(code, None if is_address(item.image or "") else item.image))
        for code, item in enumerate(dataset.items)
    ]
    write_items(items, new, sources)


def _with_scheme(name: str) -> str:
    """An address with its scheme, which pages may leave out."""
    name = name.strip()
    return f"https:{name}" if name.startswith("//") else name
