"""A data folder as text, as people and older versions write it, so that a test can change a line of it."""

from pathlib import Path

import polars as pl

from mmsrarec.data.dataset import item_record
from mmsrarec.data.folder import INTERACTIONS, ITEMS, load


def as_text(folder: Path) -> Path:
    """Put items.jsonl and interactions.csv in the place of the Parquet files of a data folder."""
    items, log = load(folder).items, pl.read_parquet(folder / INTERACTIONS)
    (folder / ITEMS).unlink()
    (folder / INTERACTIONS).unlink()
    (folder / "items.jsonl").write_text("".join(item_record(item) + "\n" for item in items), encoding="utf-8")
    log.write_csv(folder / "interactions.csv")
    return folder
