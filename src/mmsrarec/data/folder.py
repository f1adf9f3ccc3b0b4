"""Reads and writes the data folder: items.jsonl, interactions.csv, and images/."""

import hashlib
import json
import shutil
from collections.abc import Collection, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, get_args

import numpy as np
import polars as pl

from mmsrarec.core.artefacts import MANIFEST, key, read_manifest, writing
from mmsrarec.data.dataset import Dataset, Item, item_record, make_interactions
from mmsrarec.data.reading.files import Lines, find
from mmsrarec.data.reading.interactions import ADVICE, read_log
from mmsrarec.data.reading.line_faults import Fault
from mmsrarec.data.reading.parsing import parse_item
from mmsrarec.data.times import read_times
from mmsrarec.data.units import Times, Unit
from mmsrarec.errors import DataError

ITEMS, INTERACTIONS, IMAGES = "items.jsonl", "interactions.csv", "images"
KIND = "data"


def load(folder: Path) -> Dataset:
    """Read the data set in a folder.

    Texts are cleaned as the import cleans them, so a folder written by hand and an imported one give the same data.
    Only `mmsrarec import` sets faulty lines aside; here they are errors.

    Args:
        folder: The data folder.

    Returns:
        The data set. Items keep the order of items.jsonl, users that of their first interaction in the file.

    Raises:
        DataError: Something is missing, malformed or unknown, or a time is not plausible; the message names the
            file and the line.
    """
    return load_known(folder, ())[0]


def load_known(folder: Path, known: Collection[str]) -> tuple[Dataset, frozenset[str]]:
    """Read a data set like `load`, whose interactions may also name items that the catalogue had before.

    Args:
        folder: The data folder.
        known: Ids of earlier items.

    Returns:
        The data set, and the ids of the earlier items that occur; these items stand last, without any text.

    Raises:
        DataError: As in `load`.
    """
    folder = Path(folder)
    items_path, path = (find(folder, name) for name in (ITEMS, INTERACTIONS))
    for required in (folder, items_path, path):
        if not required.exists():
            raise DataError(
                f"{required} does not exist: make a data folder with `mmsrarec import` or `mmsrarec sample`"
            )
    items, rows = _load_items(items_path), read_log(path)
    present = {item.item_id for item in items}
    gone = set(known) - present
    gone_items = [name for name in rows["item_id"].unique(maintain_order=True) if name in gone]
    items += tuple(map(Item, gone_items))
    codes = {item.item_id: code for code, item in enumerate(items)}
    user_ids = rows["user_id"].unique(maintain_order=True)
    table = rows.select(
        pl.col("user_id").replace_strict(user_ids, np.arange(len(user_ids)), default=None, return_dtype=pl.Int64),
        pl.col("item_id").replace_strict(list(codes), list(codes.values()), default=None, return_dtype=pl.Int64),
    )
    if table["item_id"].null_count():
        row = int(table["item_id"].is_null().arg_max() or 0)
        what = f"{path}, line {row + 2}: item {rows['item_id'][row]!r} is not in {ITEMS}"
        raise DataError(f"{what}; add the item or remove the line")
    user, item, raw = (part.to_numpy() for part in (table["user_id"], table["item_id"], rows["timestamp"]))
    reading = read_times(raw, str(path), _declared_unit(folder), share=0.01)
    if not reading.plausible.all():
        row = int(np.argmin(reading.plausible))
        raise DataError(f"{path}, line {row + 2}: {reading.reason(row)}; {ADVICE}")
    order = np.argsort(raw, kind="stable")  # before rounding to seconds, which would lose the order within one
    interactions = make_interactions(user[order], item[order], reading.seconds()[order], len(user_ids), len(items))
    dataset = Dataset(folder.resolve().name, items, tuple(user_ids), interactions, folder, reading.times)
    return dataset, frozenset(gone_items)


def save(dataset: Dataset, folder: Path) -> None:
    """Write a data folder, pictures included: all or nothing.

    Args:
        dataset: The data set.
        folder: Where to write it. A data folder that mmsrarec made there is replaced.

    Raises:
        DataError: The folder cannot be written, or it holds something else.
    """
    interactions, content = dataset.interactions, hashlib.sha256()
    for part in (interactions.user, interactions.item, interactions.time):
        content.update(part.tobytes())
    content.update(json.dumps([dataset.user_ids, [item_record(item) for item in dataset.items]]).encode())
    with writing_data(folder, "save", times=dataset.times, content=content.hexdigest()) as new:
        write_tables(dataset, new)
        for code, item in enumerate(dataset.items):
            source = dataset.image_path(code)
            if item.image is not None and source is not None and source.is_file():
                target = new / IMAGES / item.image
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, target)


def write_tables(dataset: Dataset, folder: Path) -> None:
    """Write items.jsonl and interactions.csv into an existing folder, and make its images/."""
    (folder / IMAGES).mkdir(exist_ok=True)
    (folder / ITEMS).write_text("".join(item_record(item) + "\n" for item in dataset.items), encoding="utf-8")
    interactions = dataset.interactions
    users = np.array(dataset.user_ids, dtype=object)[interactions.user]
    items = np.array([item.item_id for item in dataset.items], dtype=object)[interactions.item]
    columns = {"user_id": users.tolist(), "item_id": items.tolist(), "timestamp": interactions.time}
    schema = {"user_id": pl.String, "item_id": pl.String, "timestamp": pl.Int64}
    pl.DataFrame(columns, schema=schema).write_csv(folder / INTERACTIONS)


@contextmanager
def writing_data(folder: Path, made_by: str, times: Times, **settings: Any) -> Generator[Path]:
    """Write a data folder with `artefacts.writing`: all or nothing, and only in place of a data folder of mmsrarec.

    Args:
        folder: Where the data folder belongs.
        made_by: The command or function that makes it, for the manifest.
        times: The unit of the times, for the manifest, where `load` reads it.
        **settings: The settings that make it, as JSON values, for the manifest.

    Yields:
        The empty folder to write into.

    Raises:
        DataError: The folder cannot be written, or it holds something else.
    """
    folder = Path(folder)
    if (folder / MANIFEST).is_file() and (kind := read_manifest(folder)["kind"]) != KIND:
        raise DataError(f"{folder} holds something else ({kind}): choose another name for the data")
    settings = {"made_by": made_by, "times": times, **settings}
    with writing(folder, kind=KIND, key=key(**settings), settings=settings) as new:
        yield new


def _load_items(path: Path) -> tuple[Item, ...]:
    """The items of items.jsonl. Raises DataError for the first faulty line."""
    items: list[Item] = []
    first_lines: dict[str, int] = {}
    for number, line in enumerate(Lines(path), start=1):
        try:
            item = parse_item(line)
        except Fault as reason:
            raise DataError(f"{path}, line {number}: {reason}; {ADVICE}") from None
        if item.item_id in first_lines:
            first = first_lines[item.item_id]
            raise DataError(f"{path}, line {number}: item {item.item_id!r} again (first on line {first}); keep one")
        first_lines[item.item_id] = number
        items.append(item)
    if not items:
        raise DataError(f"{path} holds no items")
    return tuple(items)


def _declared_unit(folder: Path) -> Unit:
    """The unit of times in the manifest of a folder, "auto" without one. Nothing else of the manifest is trusted.

    The tables may have been changed by hand since it was written.
    """
    try:
        times = json.loads((folder / MANIFEST).read_bytes())["settings"]["times"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return "auto"
    return times if times in get_args(Times) else "auto"
