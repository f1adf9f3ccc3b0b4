"""Copies a data folder as `load` reads it: the tables byte for byte, the unit of times, and the pictures if wanted."""

import shutil
from pathlib import Path

from mmsrarec.core.artefacts import key, writing
from mmsrarec.data.dataset import Dataset
from mmsrarec.data.folder import IMAGES, INTERACTIONS, ITEMS, KIND, declared_unit, table_path
from mmsrarec.data.text_folder import TEXT_INTERACTIONS, TEXT_ITEMS

TABLES = ((ITEMS, TEXT_ITEMS), (INTERACTIONS, TEXT_INTERACTIONS))


def copy_data(dataset: Dataset, source: Path, target: Path, pictures: bool) -> int:
    """Write a data folder that loads as another one does.

    Args:
        dataset: The items whose pictures are taken along.
        source: The data folder.
        target: Where the copy belongs.
        pictures: Whether to take the pictures along.

    Returns:
        How many pictures were copied.

    Raises:
        DataError: A table is missing.
    """
    unit, copied = declared_unit(source), 0
    settings = {"made_by": "export"} if unit == "auto" else {"made_by": "export", "times": unit}
    with writing(target, kind=KIND, key=key(**settings), settings=settings) as new:
        for name, text_name in TABLES:
            path = table_path(source, name, text_name)
            shutil.copyfile(path, new / path.name)
        for code, item in enumerate(dataset.items if pictures else ()):
            picture = dataset.image_path(code)
            place = new / IMAGES / (item.image or "")
            if picture is None or not picture.is_file() or not place.resolve().is_relative_to(new.resolve()):
                continue  # a picture that is not there, or outside the folder, is none
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(picture, place)
            copied += 1
    return copied
