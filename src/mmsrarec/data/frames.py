"""DataFrames in: items and interactions of pandas or Polars become a data set by the same core as an import of files.

What an importer would set aside is set aside, counted in `Dataset.notes` and said once by the logger "mmsrarec".
Neither pandas nor pyarrow is needed here.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path
from typing import Any, cast

import numpy as np
import polars as pl

from mmsrarec.core.terminal import one_line, remark
from mmsrarec.data.dataset import Dataset
from mmsrarec.data.images import BadPicture, open_picture
from mmsrarec.data.importers.catalogue.item_values import Conversions, id_value, is_missing
from mmsrarec.data.importers.catalogue.picture_files import PictureFiles
from mmsrarec.data.importers.columns import IGNORE, TABLES
from mmsrarec.data.importers.import_report import Report, complete
from mmsrarec.data.importers.importing import Imported, ImportOptions, read_source
from mmsrarec.data.importers.source import Frame, Record, Records, Source, Table
from mmsrarec.data.units import Unit
from mmsrarec.errors import DataError

COLUMNS = "columns"
"""How the caller says what a column means, for messages."""


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
    known = {f"{table}.{field}" for table, fields in TABLES.items() for field in (*fields, IGNORE)}
    known |= {field for fields in TABLES.values() for field in (*fields, IGNORE)}
    aliases = {"items.description": "items.text", "description": "text"}
    user_map: dict[str, tuple[str, ...]] = {}
    for key, column in (columns or {}).items():
        if aliases.get(key, key) not in known:
            raise DataError(f"columns: unknown key {key!r}: choose from {', '.join(sorted(known))}")
        user_map[aliases.get(key, key)] = tuple(column.split("+"))
    source = Source(
        name,
        table_of(interactions, "interactions"),
        None if items is None else table_of(items, "items"),
    )
    options = ImportOptions(columns=user_map, time=time, max_rejects=max_rejects)
    imported = read_source(source, options, COLUMNS)
    report, notes = imported.report, list(imported.report.assumed + imported.report.notes)
    dataset = _with_pictures(imported, images, notes)
    complete(dataset, report, imported.rejects)
    notes += _notes(imported, report)
    for note in notes:
        remark(f"{name}: {note}")
    return replace(dataset, notes=tuple(notes))


def table_of(frame: Any, table: str) -> Table:
    """A frame as a table: a Polars or pandas DataFrame, or a mapping of columns. Rows are numbered from 0.

    Raises:
        DataError: It has no columns, a column stands twice, or columns differ in length.
    """
    if isinstance(frame, (pl.DataFrame, pl.LazyFrame)):
        return Frame(table, frame.lazy(), first_line=0)
    whole: Any = frame
    source: Any = (
        cast("dict[str, Any]", frame).keys() if isinstance(frame, Mapping) else getattr(whole, "columns", None)
    )
    if source is None:
        kind = type(whole).__name__
        raise DataError(f"{table}: give a pandas or Polars DataFrame, or a dict of columns, not {kind}")
    names = [str(column) for column in source]
    for column in names:
        if names.count(column) > 1:
            raise DataError(f"{table}: the column {one_line(column)!r} stands twice: rename one")
    values = {column: _values(frame[label]) for column, label in zip(names, source, strict=True)}
    if len({len(column) for column in values.values()}) > 1:
        lengths = ", ".join(f"{one_line(column)} {len(part)}" for column, part in values.items())
        raise DataError(f"{table}: the columns differ in length: {lengths}")
    try:
        rows = pl.DataFrame({column: pl.Series(column, part, strict=True) for column, part in values.items()})
    except (TypeError, ValueError, OverflowError, pl.exceptions.PolarsError):  # values of several types
        return Records(table, _Rows(values), tuple(names))
    return Frame(table, rows.lazy(), first_line=0)


@dataclass(frozen=True)
class _Rows:
    """The rows of columns of any values."""

    columns: Mapping[str, list[Any]]

    def __iter__(self) -> Iterator[tuple[int, Record]]:
        for number, row in enumerate(zip(*self.columns.values(), strict=True)):
            yield number, dict(zip(self.columns, row, strict=True))


def _values(column: Any) -> list[Any]:
    """The values of a column as Python has them; missing ones are None."""
    values: Any = column
    for method in ("to_list", "tolist"):
        if hasattr(column, method):
            values = getattr(column, method)()
            break
    return [_plain(value) for value in values]


def _plain(value: Any) -> Any:
    """NumPy's and pandas' values as Python has them."""
    other: Any = value
    if isinstance(value, np.datetime64):
        return None if np.isnat(other) else other.astype("datetime64[us]").item()
    if is_missing(value):
        return None
    if isinstance(value, np.generic):
        return other.item()
    if isinstance(value, datetime) and type(value) is not datetime:  # pandas' Timestamp
        return other.to_pydatetime(warn=False) if hasattr(other, "to_pydatetime") else other
    if isinstance(value, (str, int, float, date)) or not hasattr(other, "tolist"):
        return other
    return other.tolist()


def _with_pictures(
    imported: Imported, images: str | os.PathLike[str] | Mapping[Any, Any] | None, notes: list[str]
) -> Dataset:
    """The data set with the pictures that open; the others are named in the report."""
    dataset, names, broken = imported.dataset, dict(imported.pictures), imported.report.broken_images
    if isinstance(images, Mapping):
        names = {
            id_value(key, Conversions()): str(Path(value).expanduser().absolute()) for key, value in images.items()
        }
    if images is None or isinstance(images, Mapping):
        paths = {key: Path(name) for key, name in names.items() if os.path.isabs(name)}
        if images is None and (count := len(names.keys() - paths.keys())):
            notes.append(f"{count} items name a picture, which nobody looks for: give their folder as images=")
        names = {key: path.as_posix() for key, path in paths.items()}
        if not names:
            return dataset
        root = Path(os.path.commonpath([path.parent for path in paths.values()]))
        files = None
    else:
        root = Path(images).expanduser().absolute()
        if not root.is_dir():
            raise DataError(f"images: {root} is not a folder: name the folder that the pictures lie in")
        files = PictureFiles(root)
    items = list(dataset.items)
    for code, item in enumerate(items):
        name = names.get(item.item_id)
        if name is None:
            continue
        try:
            path = root / (name if files is None else files.find(name))
            open_picture(path, root)
            items[code] = replace(item, image=path.resolve().relative_to(root.resolve()).as_posix())
        except BadPicture as reason:
            broken[item.item_id] = str(reason)
    return replace(dataset, items=tuple(items), image_root=root)


def _notes(imported: Imported, report: Report) -> list[str]:
    """What was set aside and what was not used, a sentence each."""
    notes: list[str] = []
    if report.duplicates:
        notes.append(f"{report.duplicates} rows repeat an earlier one and are dropped")
    if report.rejects:
        first = imported.rejects.in_order()[0]
        example = f"the first is row {first.line} of {first.file}: {first.reason}"
        notes.append(f"{report.rejects} rows are set aside ({example})")
    if report.broken_images:
        item_id, reason = next(iter(report.broken_images.items()))
        notes.append(f"{len(report.broken_images)} pictures cannot be used, such as that of item {item_id}: {reason}")
    for ids, kind in ((report.placeholder_users, "user"), (report.placeholder_items, "item")):
        notes += [
            f"the {kind} {identifier!r} has {count} interactions: many {kind}s under one id?"
            for identifier, count in ids.items()
        ]
    if unused := [f"{use.table}.{use.column}" for use in report.columns if not use.became]:
        notes.append(f"columns that are not used: {', '.join(unused)}")
    return [one_line(note) for note in notes]
