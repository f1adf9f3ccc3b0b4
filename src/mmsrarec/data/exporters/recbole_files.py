"""Writes RecBole's atomic files NAME.inter and NAME.item, whose first line names each column and its type.

RecBole parts the columns at tabs and a token_seq at blanks, and takes a quotation mark at the start of a field for the
start of a quoted one. So these signs are replaced in texts, and refused in ids.
"""

from pathlib import Path

import polars as pl

from mmsrarec.data.dataset import Dataset
from mmsrarec.data.exporters.exporting import STEPS_NOTE
from mmsrarec.errors import DataError

QUOTES_NOTE = "RecBole takes \" for the start of a quoted field: in {} texts it became '."
CATEGORIES_NOTE = "A token_seq is parted at blanks: blanks within a category became _."


def write(dataset: Dataset, folder: Path, name: str) -> list[str]:
    """Write a data set as RecBole's atomic files.

    Args:
        dataset: The data set.
        folder: The empty folder to write into.
        name: The name of the data set.

    Returns:
        What a reader should know, a sentence each.

    Raises:
        DataError: An id cannot be written.
    """
    item_ids = [item.item_id for item in dataset.items]
    for what, ids in (("user", dataset.user_ids), ("item", item_ids)):
        if bad := next((one for one in ids if "\t" in one or '"' in one), None):
            raise DataError(
                f"{what} {bad[:40]!r} holds a tab or a quotation mark, which RecBole cannot read: rename it"
            )
    interactions = dataset.interactions
    log = {
        "user_id:token": pl.Series(dataset.user_ids, dtype=pl.String).gather(interactions.user),
        "item_id:token": pl.Series(item_ids, dtype=pl.String).gather(interactions.item),
        "timestamp:float": pl.Series(interactions.time),  # whole: a float with an exponent would lose seconds
    }
    _write(pl.DataFrame(log), folder / f"{name}.inter")
    texts = [(item.title, " ".join(map(_token, item.categories)), item.text) for item in dataset.items]
    quoted = sum('"' in text for row in texts for text in row)
    rows = [(item_id, *map(_plain, row)) for item_id, row in zip(item_ids, texts, strict=True)]
    columns = ["item_id:token", "title:token_seq", "categories:token_seq", "description:token_seq"]
    _write(pl.DataFrame(rows, schema=dict.fromkeys(columns, pl.String), orient="row"), folder / f"{name}.item")
    notes = [QUOTES_NOTE.format(quoted)] if quoted else []
    notes += [CATEGORIES_NOTE] if any(" " in one for item in dataset.items for one in item.categories) else []
    return notes if dataset.has_clock else [*notes, STEPS_NOTE]


def _token(category: str) -> str:
    """A category as one token."""
    return "_".join(category.split())


def _plain(text: str) -> str:
    """A text without tabs, ends of lines and quotation marks."""
    return " ".join(text.replace('"', "'").split())


def _write(table: pl.DataFrame, path: Path) -> None:
    """Write a table with tabs and without any quoting."""
    table.write_csv(path, separator="\t", quote_style="never")
