"""The data folder on disk: items.jsonl, interactions.csv, images/."""

import hashlib
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import polars as pl

from mmsrarec.artefacts import MANIFEST, key, read_manifest, writing
from mmsrarec.data.dataset import Dataset, Item, item_record, make_events
from mmsrarec.data.rows import COLUMNS, parse_item, scan_rows, to_seconds
from mmsrarec.errors import MmsrarecError

ITEMS, INTERACTIONS, IMAGES = "items.jsonl", "interactions.csv", "images"
KIND = "data"


def load(folder: Path) -> Dataset:
    """The data set in a folder. Items keep the order of items.jsonl, users that of their first line.

    Raises MmsrarecError, naming file and line, for anything missing, malformed, or unknown: setting rows aside is the
    business of `mmsrarec import`, not of every later reader.
    """
    folder = Path(folder)
    for path in (folder, folder / ITEMS, folder / INTERACTIONS):
        if not path.exists():
            raise MmsrarecError(
                f"{path} does not exist: make a data folder with `mmsrarec import` or `mmsrarec sample`"
            )
    items = _load_items(folder / ITEMS)
    path = folder / INTERACTIONS
    try:
        rows = pl.read_csv(path, infer_schema=False, columns=list(COLUMNS), encoding="utf8")
    except (pl.exceptions.PolarsError, ValueError):
        _name_the_fault(path, {item.item_id for item in items})
    codes = {item.item_id: code for code, item in enumerate(items)}
    user_ids = rows["user_id"].unique(maintain_order=True)
    table = rows.select(
        pl.col("user_id").replace_strict(user_ids, np.arange(len(user_ids)), default=None, return_dtype=pl.Int64),
        pl.col("item_id").replace_strict(list(codes), list(codes.values()), default=None, return_dtype=pl.Int64),
        pl.col("timestamp").cast(pl.Int64, strict=False),
    )
    if not len(rows) or user_ids.null_count() or any(table.null_count().row(0)) or "" in user_ids:
        _name_the_fault(path, set(codes))
    user, item, raw = (table[name].to_numpy() for name in COLUMNS)
    order = np.argsort(raw, kind="stable")  # before rounding to seconds, which would lose the order within one
    time = to_seconds(raw, str(path))
    events = make_events(user[order], item[order], time[order], len(user_ids), len(items))
    return Dataset(folder.resolve().name, items, tuple(user_ids), events, folder)


def save(dataset: Dataset, folder: Path) -> None:
    """Write a data folder, pictures included. All or nothing; a data folder that mmsrarec made there is replaced."""
    events, content = dataset.events, hashlib.sha256()
    for part in (events.user, events.item, events.time):
        content.update(part.tobytes())
    content.update(json.dumps([dataset.user_ids, [item_record(item) for item in dataset.items]]).encode())
    with writing_data(folder, "save", content=content.hexdigest()) as new:
        write_tables(dataset, new)
        for code, item in enumerate(dataset.items):
            source = dataset.image_path(code)
            if item.image is not None and source is not None and source.is_file():
                target = new / IMAGES / item.image
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, target)


def write_tables(dataset: Dataset, folder: Path) -> None:
    """Write items.jsonl and interactions.csv into a folder that exists, and make its images/."""
    (folder / IMAGES).mkdir(exist_ok=True)
    (folder / ITEMS).write_text("".join(item_record(item) + "\n" for item in dataset.items), encoding="utf-8")
    events = dataset.events
    users = np.array(dataset.user_ids, dtype=object)[events.user]
    items = np.array([item.item_id for item in dataset.items], dtype=object)[events.item]
    columns = {"user_id": users.tolist(), "item_id": items.tolist(), "timestamp": events.time}
    schema = {"user_id": pl.String, "item_id": pl.String, "timestamp": pl.Int64}
    pl.DataFrame(columns, schema=schema).write_csv(folder / INTERACTIONS)


@contextmanager
def writing_data(folder: Path, made_by: str, **settings: Any) -> Iterator[Path]:
    """`artefacts.writing` for a data folder: all or nothing, replaces only a data folder that mmsrarec made."""
    folder = Path(folder)
    if (folder / MANIFEST).is_file() and (kind := read_manifest(folder)["kind"]) != KIND:
        raise MmsrarecError(f"{folder} holds something else ({kind}): choose another name for the data")
    settings = {"made_by": made_by, **settings}
    with writing(folder, kind=KIND, key=key(**settings), settings=settings) as new:
        yield new


def _load_items(path: Path) -> tuple[Item, ...]:
    items: list[Item] = []
    seen: dict[str, int] = {}
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                item = parse_item(line)
            except ValueError as reason:
                raise MmsrarecError(f"{path}, line {number}: {reason}; mend or remove the line") from None
            if item.item_id in seen:
                first = seen[item.item_id]
                raise MmsrarecError(
                    f"{path}, line {number}: item {item.item_id!r} again (first on line {first}); keep one"
                )
            seen[item.item_id] = number
            items.append(item)
    if not items:
        raise MmsrarecError(f"{path} holds no items")
    return tuple(items)


def _name_the_fault(path: Path, known: set[str]) -> NoReturn:
    """Raise for the first line that is wrong."""
    for number, row in scan_rows(path):
        if isinstance(row, str):
            raise MmsrarecError(f"{path}, line {number}: {row}; mend or remove the line")
        if row["item_id"] not in known:
            what = f"{path}, line {number}: item {row['item_id']!r} is not in {ITEMS}"
            raise MmsrarecError(f"{what}; add the item or remove the line")
    raise MmsrarecError(f"{path} holds no interactions, or a quoted field that runs over several lines")
