"""Writes two plain tables in Parquet: items.parquet, and interactions.parquet with times that any tool understands."""

import shutil
from pathlib import Path

import polars as pl

from mmsrarec.core.files import write_parquet
from mmsrarec.data.dataset import Dataset
from mmsrarec.data.exporters.exporting import STEPS_NOTE


def write(dataset: Dataset, folder: Path, name: str) -> list[str]:
    """Write a data set as two tables, and its pictures beside them.

    Args:
        dataset: The data set.
        folder: The empty folder to write into.
        name: The name of the data set; the files do not bear it.

    Returns:
        What a reader should know, a sentence each.
    """
    interactions = dataset.interactions
    time = pl.Series("timestamp", interactions.time)
    if dataset.has_clock:
        time = pl.from_epoch(time, time_unit="s").dt.replace_time_zone("UTC")
    item_ids = [item.item_id for item in dataset.items]
    log = {
        "user_id": pl.Series(dataset.user_ids, dtype=pl.String).gather(interactions.user),
        "item_id": pl.Series(item_ids, dtype=pl.String).gather(interactions.item),
        "timestamp": time,
    }
    write_parquet(pl.DataFrame(log), folder / "interactions.parquet")
    items = {
        "item_id": pl.Series(item_ids, dtype=pl.String),
        "title": pl.Series([item.title for item in dataset.items], dtype=pl.String),
        "description": pl.Series([item.text for item in dataset.items], dtype=pl.String),
        "categories": pl.Series([list(item.categories) for item in dataset.items], dtype=pl.List(pl.String)),
        "image": pl.Series([_copied(dataset, code, folder) for code in range(len(dataset.items))], dtype=pl.String),
    }
    write_parquet(pl.DataFrame(items), folder / "items.parquet")
    return [] if dataset.has_clock else [STEPS_NOTE]


def _copied(dataset: Dataset, code: int, folder: Path) -> str | None:
    """The path of an item's picture, copied below images/, relative to the export; None without one."""
    source = dataset.image_path(code)
    if source is None or not source.is_file():
        return None
    name = Path("images") / str(dataset.items[code].image)
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, folder / name)
    return name.as_posix()
