"""DataFrames in: items and interactions of pandas or Polars become a data set, checked as an import checks files.

Columns are read by name and turned into plain values, so neither pandas nor pyarrow is needed here. What an importer
would set aside is set aside, counted in `Dataset.notes` and said once by the logger "mmsrarec".
"""

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from mmsrarec.core.terminal import one_line, remark
from mmsrarec.data.dataset import Dataset, Item
from mmsrarec.data.frame_columns import columns_of, decimal, id_text, is_missing, plain_list, time_numbers
from mmsrarec.data.images import BadPicture, open_picture
from mmsrarec.data.importers.import_report import Rejects, Report, complete
from mmsrarec.data.importers.timed_log import Log
from mmsrarec.data.reading.line_faults import Fault, check_id
from mmsrarec.data.reading.parsing import parse_item
from mmsrarec.data.units import Unit
from mmsrarec.errors import DataError

ITEM_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "item_id": ("item_id", "item", "itemid", "product_id", "productid", "movieid", "asin", "parent_asin", "sku", "id"),
    "title": ("title", "name", "item_name", "product_name"),
    "description": ("description", "text", "plot", "overview", "abstract", "summary"),
    "categories": ("categories", "category", "genres", "genre"),
    "image": ("image", "picture", "image_path", "image_file", "poster", "img"),
    "year": ("year", "release_year"),
}
"""What an item has, and the usual names of the column, whatever their case; the first that is there is taken."""
INTERACTION_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "user_id": ("user_id", "user", "userid", "customer_id", "reviewerid", "visitorid"),
    "item_id": ITEM_COLUMNS["item_id"][:-1],
    "timestamp": ("timestamp", "time", "datetime", "date", "unixreviewtime", "event_time", "created_at", "ts"),
}
"""The same of interactions."""
ITEMS, INTERACTIONS = Path("items"), Path("interactions")


def dataset_of(
    items: Any,
    interactions: Any,
    images: str | os.PathLike[str] | Mapping[Any, Any] | None = None,
    *,
    name: str = "frames",
    columns: Mapping[str, str] | None = None,
    time: Unit = "auto",
    max_rejects: float = 0.01,
) -> Dataset:
    """As `Dataset.from_frames`, which documents the arguments."""
    report, rejects = Report(), Rejects()
    notes: list[str] = []
    column_names = dict(columns or {})
    fields_of_tables = {f"{table}.{field}" for table, names in _TABLES.items() for field in names}
    if stray := [key for key in column_names if key not in fields_of_tables]:
        raise DataError(f"columns: unknown key {stray[0]!r}: choose from {', '.join(sorted(fields_of_tables))}")
    catalogue, set_aside = ([], {}) if items is None else _items(items, column_names, max_rejects, report, rejects)
    dataset = _interactions(
        interactions,
        catalogue,
        set_aside,
        column_names,
        name,
        time,
        max_rejects,
        report,
        rejects,
        notes,
        items is not None,
    )
    dataset = _with_pictures(dataset, images, report, notes)
    complete(dataset, report, rejects)
    notes += _notes(report, rejects)
    for note in notes:
        remark(f"{name}: {note}")
    return replace(dataset, notes=tuple(notes))


_TABLES = {"items": ITEM_COLUMNS, "interactions": INTERACTION_COLUMNS}


def _columns_by_field(
    frame: Any, table: Literal["items", "interactions"], column_names: Mapping[str, str]
) -> dict[str, str]:
    """Field -> name of its column: the one that the caller named, else the first usual one that is there."""
    all_columns = columns_of(frame, table)
    columns: dict[str, str] = {}
    lowered = {column.lower(): column for column in reversed(all_columns)}
    for field, usual in _TABLES[table].items():
        if (named := column_names.get(f"{table}.{field}")) is not None:
            if named not in all_columns:
                raise DataError(f"{table}: no column {named!r}; it has {', '.join(map(one_line, all_columns))}")
            columns[field] = named
        elif column := next((lowered[name] for name in usual if name in lowered), None):
            columns[field] = column
    return columns


def _needed(columns: Mapping[str, str], table: str, fields: Sequence[str], all_columns: Sequence[str]) -> None:
    """Raise DataError where a field has no column."""
    for field in fields:
        if field not in columns:
            usual = ", ".join(_TABLES[table][field][:4])
            raise DataError(
                f"{table}: no column for {field} (usual names: {usual}, ...); it has "
                f"{', '.join(map(one_line, all_columns))}: name one with columns={{'{table}.{field}': NAME}}"
            )


def _items(
    frame: Any, column_names: Mapping[str, str], share: float, report: Report, rejects: Rejects
) -> tuple[list[Item], dict[str, int]]:
    """The items in the order of the frame; and the row of each id whose item was set aside."""
    columns = _columns_by_field(frame, "items", column_names)
    _needed(columns, "items", ("item_id",), columns_of(frame, "items"))
    fields = {field: plain_list(frame, column) for field, column in columns.items()}
    ids = decimal(fields.pop("item_id"))
    items: dict[str, Item] = {}
    rows = len(ids)
    set_aside: dict[str, int] = {}
    for row, raw in enumerate(ids):
        item_id = None
        try:
            item_id = id_text(raw, "item_id")
            record = {field: values[row] for field, values in fields.items() if not is_missing(values[row])}
            item = parse_item(json.dumps({"item_id": item_id, **_record(record)}).encode())
        except Fault as reason:
            rejects.add(ITEMS, row, reason)
            if item_id is not None:
                set_aside[item_id] = row
            continue
        if items.setdefault(item.item_id, item) == item:
            report.duplicates += items[item.item_id] is not item
        else:
            rejects.add(ITEMS, row, f"item {item.item_id!r} again, described otherwise than before")
    rejects.check(ITEMS, rows, share)
    rejects.check_left(ITEMS, len(items), "items")
    return list(items.values()), set_aside


def _record(values: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of an item as items.jsonl has them: numbers as text, categories as a list of texts."""
    record: dict[str, Any] = {}
    for field, value in values.items():
        if field == "categories":
            parts = value.split("|") if isinstance(value, str) else list(value) if _listed(value) else [value]
            record[field] = [str(part) for part in parts if not is_missing(part)]
        elif field == "year" and isinstance(value, float) and value.is_integer():
            record[field] = str(int(value))
        else:
            record[field] = str(value)
    return record


def _listed(value: Any) -> bool:
    return isinstance(value, Iterable) and not isinstance(value, str | bytes | Mapping)


def _interactions(
    frame: Any,
    catalogue: list[Item],
    set_aside: Mapping[str, int],
    column_names: Mapping[str, str],
    name: str,
    unit: Unit,
    share: float,
    report: Report,
    rejects: Rejects,
    notes: list[str],
    described: bool,
) -> Dataset:
    """The log as a data set. Without a column of times, the order of the rows is the time, in steps."""
    columns = _columns_by_field(frame, "interactions", column_names)
    _needed(columns, "interactions", ("user_id", "item_id"), columns_of(frame, "interactions"))
    users, items = (decimal(plain_list(frame, columns[field])) for field in ("user_id", "item_id"))
    if "timestamp" in columns:
        times, declared = time_numbers(plain_list(frame, columns["timestamp"]), unit)
    else:
        times, declared = list(range(len(users))), "steps"
        notes.append("the interactions have no column of times: the order of their rows is taken for it, as steps")
    item_ids, log = {item.item_id for item in catalogue}, Log(INTERACTIONS)
    unknown: dict[str, int] = {}
    texts: dict[tuple[str, type[Any], Any], str | Fault] = {}
    for row, (user, item, time) in enumerate(zip(users, items, times, strict=True)):
        try:
            user_id, item_id = _cached(texts, user, "user_id"), _cached(texts, item, "item_id")
            if isinstance(time, Fault):
                raise time
        except Fault as reason:
            rejects.add(INTERACTIONS, row, reason)
            continue
        if described and item_id not in item_ids:
            if item_id in set_aside:
                rejects.add(INTERACTIONS, row, f"item {item_id!r} was set aside: row {set_aside[item_id]} of items")
            else:
                unknown[item_id] = unknown.get(item_id, 0) + 1
            continue
        log.add(user_id, item_id, time, row)
    if unknown:
        examples = ", ".join(repr(one_line(item_id)) for item_id in list(unknown)[:5])
        raise DataError(
            f"interactions: {sum(unknown.values())} rows name {len(unknown)} items that the items have not ({examples}"
            f"{', ...' if len(unknown) > 5 else ''}); add the items or remove these rows"
        )
    report.duplicates += log.drop_repeats() if len(log.table) else 0
    return log.finish(name, len(users), share, declared, report, rejects, catalogue)


def _cached(
    texts: dict[tuple[str, type[Any], Any], str | Fault], value: Any, column: Literal["user_id", "item_id"]
) -> str:
    """The id as text, worked out once for each value."""
    kind: type[Any] = type(value)  # pyright: ignore[reportUnknownVariableType]  # of any object
    key = (column, kind, value)
    with suppress(TypeError):  # what cannot be hashed is no id either, and `id_text` says so
        if (text := texts.get(key)) is not None:
            if isinstance(text, Fault):
                raise text
            return text
    try:
        text = id_text(value, column)
        check_id(text, column)
    except Fault as reason:
        with suppress(TypeError):
            texts[key] = reason
        raise
    texts[key] = text
    return text


def _with_pictures(
    dataset: Dataset, images: str | os.PathLike[str] | Mapping[Any, Any] | None, report: Report, notes: list[str]
) -> Dataset:
    """The data set with the pictures that open; the others are named in the report."""
    if images is None:
        if pictured := sum(item.image is not None for item in dataset.items):
            notes.append(f"{pictured} items name a picture, which nobody looks for: give their folder as images=")
        return replace(dataset, items=tuple(replace(item, image=None) for item in dataset.items))
    if isinstance(images, Mapping):
        paths = {id_text(key, "item_id"): Path(value).expanduser().absolute() for key, value in images.items()}
        root = Path(os.path.commonpath([path.parent for path in paths.values()])) if paths else Path.cwd()
        names = {key: path.relative_to(root).as_posix() for key, path in paths.items()}
        items = [replace(item, image=names.get(item.item_id)) for item in dataset.items]
    else:
        root, items = Path(images).expanduser().absolute(), list(dataset.items)
        if not root.is_dir():
            raise DataError(f"images: {root} is not a folder: name the folder that the pictures lie in")
    for code, item in enumerate(items):
        if item.image is None:
            continue
        try:
            open_picture(root / item.image, root)
            name = (root / item.image).resolve().relative_to(root.resolve()).as_posix()
            items[code] = replace(item, image=name)
        except BadPicture as reason:
            report.broken_images[item.item_id] = str(reason)
            items[code] = replace(item, image=None)
    return replace(dataset, items=tuple(items), image_root=root)


def _notes(report: Report, rejects: Rejects) -> list[str]:
    """What was set aside, a sentence each."""
    notes: list[str] = []
    if report.duplicates:
        notes.append(f"{report.duplicates} rows repeat an earlier one and are dropped")
    if rejects.rows:
        first = rejects.rows[0]
        example = f"the first is row {first.line} of {first.file}: {first.reason}"
        notes.append(f"{len(rejects.rows)} rows are set aside ({example})")
    if report.broken_images:
        item_id, reason = next(iter(report.broken_images.items()))
        notes.append(f"{len(report.broken_images)} pictures cannot be used, such as that of item {item_id}: {reason}")
    for ids, kind in ((report.placeholder_users, "user"), (report.placeholder_items, "item")):
        notes += [
            f"the {kind} {identifier!r} has {count} interactions: many {kind}s under one id?"
            for identifier, count in ids.items()
        ]
    return [one_line(note) for note in notes]
