"""Reads and writes the data folder: items.parquet, interactions.parquet, and images/."""

import hashlib
import json
import shutil
from collections.abc import Collection, Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, cast, get_args

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mmsrarec.core.artefacts import MANIFEST, key, read_manifest, writing
from mmsrarec.core.files import write_parquet
from mmsrarec.core.terminal import one_line
from mmsrarec.data.dataset import Dataset, IntArray, Item, item_record, make_interactions, sorted_by_time
from mmsrarec.data.importers.log.id_codes import IdCodes
from mmsrarec.data.kcore import Core
from mmsrarec.data.reading.cleaning import clean, without_surrogates
from mmsrarec.data.reading.files import find
from mmsrarec.data.reading.line_faults import Fault, check_id
from mmsrarec.data.text_folder import (
    TEXT_INTERACTIONS,
    TEXT_ITEMS,
    read_text_items,
    read_text_log,
    unknown_item,
)
from mmsrarec.data.times import read_times
from mmsrarec.data.units import Times, Unit
from mmsrarec.errors import DataError

ITEMS, INTERACTIONS, IMAGES = "items.parquet", "interactions.parquet", "images"
KIND = "data"
ITEM_SCHEMA = {
    **{"item_id": pl.String, "title": pl.String, "description": pl.String, "categories": pl.List(pl.String)},
    **{"image": pl.String, "image_source": pl.String},
}
"""The columns of items.parquet. image is a file below images/; image_source is how the source names a picture that has
no such file: an address, or the name of a file that was not there."""
LOG_SCHEMA = {"user_id": pl.String, "item_id": pl.String, "timestamp": pl.Int64}
"""The columns of interactions.parquet."""
ROWS_AT_ONCE = 4_000_000
"""Rows of a log that are held as text at once."""


class _Log(NamedTuple):
    """A log: ids by code, (n,) codes of users and items in the order of the file, and (n,) times."""

    user_ids: list[str]
    item_ids: list[str]
    user: IntArray
    item: IntArray
    raw: IntArray
    seconds: IntArray
    times: Times


def load(folder: Path) -> Dataset:
    """Read the data set in a folder.

    Texts are cleaned as the import cleans them, so a folder written by hand and an imported one give the same data.
    Only `mmsrarec import` sets faulty lines aside; here they are errors.

    Args:
        folder: The data folder.

    Returns:
        The data set. Items keep the order of their table, users that of their first interaction in the file.

    Raises:
        DataError: Something is missing, malformed or unknown, or a time is not plausible; the message names the
            file and the line or row.
    """
    return load_known(folder, ())[0]


def load_known(folder: Path, known: Collection[str]) -> tuple[Dataset, frozenset[str]]:
    """Read a data set like `load`, whose interactions may also name items that the catalogue held before.

    Args:
        folder: The data folder.
        known: Ids of earlier items.

    Returns:
        The data set, and the ids of the earlier items that occur; these items stand last, without any text.

    Raises:
        DataError: As in `load`.
    """
    folder = Path(folder)
    if not folder.exists():
        raise DataError(_nothing_at(folder))
    items_path = table_path(folder, ITEMS, TEXT_ITEMS)
    log_path = table_path(folder, INTERACTIONS, TEXT_INTERACTIONS)
    items = _read_items(items_path) if items_path.name == ITEMS else read_text_items(items_path)
    codes = {item.item_id: code for code, item in enumerate(items)}

    def all_codes(names: Iterable[str]) -> IntArray:
        """The codes of the items of a log; earlier items get codes behind the others."""
        earlier = known if isinstance(known, (set, frozenset)) else set(known)
        for name in names:
            if name not in codes and name in earlier:
                codes[name] = len(codes)
        return np.array([codes.get(name, -1) for name in names], dtype=np.int64)

    if log_path.name == INTERACTIONS:
        log, item = _read_log(log_path, declared_unit(folder), all_codes, items_path.name)
    else:
        raw_log, reading = read_text_log(log_path, declared_unit(folder))
        item = all_codes(raw_log.items.names)[raw_log.item]
        unknown_item(log_path, raw_log, item, items_path.name)
        user = raw_log.user.astype(np.int64)
        log = _Log(raw_log.users.names, raw_log.items.names, user, item, reading.raw, reading.seconds(), reading.times)
    gone = [name for name in codes if codes[name] >= len(items)]
    items += tuple(map(Item, gone))
    user, seconds = log.user, log.seconds
    if not sorted_by_time(user, log.raw):
        order = np.argsort(log.raw, kind="stable")  # before rounding to seconds, which would lose the order within one
        user, item, seconds = user[order], item[order], seconds[order]
    interactions = make_interactions(user, item, seconds, len(log.user_ids), len(items))
    dataset = Dataset(folder.resolve().name, items, tuple(log.user_ids), interactions, folder, log.times)
    return dataset, frozenset(gone)


def table_path(folder: Path, name: str, text_name: str) -> Path:
    """The file of a table: Parquet, or text of an older version or written by hand.

    Raises:
        DataError: There is neither, or both.
    """
    path, text_path = folder / name, find(folder, text_name)
    if path.exists() and text_path.exists():
        raise DataError(f"{folder} holds both {name} and {text_path.name}: remove the one that is out of date")
    if not path.exists() and not text_path.exists():
        raise DataError(_nothing_at(path, f" (nor {text_name})"))
    return path if path.exists() else text_path


def is_data_folder(folder: Path) -> bool:
    """Whether a folder holds a table of items, of any version."""
    return (folder / ITEMS).is_file() or find(folder, TEXT_ITEMS).is_file()


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


def write_tables(dataset: Dataset, folder: Path, image_sources: Mapping[str, str] | None = None) -> None:
    """Write items.parquet and interactions.parquet into an existing folder, and make its images/.

    Args:
        dataset: The data set.
        folder: The folder.
        image_sources: Item id -> how the source names a picture that has no file.
    """
    (folder / IMAGES).mkdir(exist_ok=True)
    write_items(dataset.items, folder, image_sources or {})
    interactions = dataset.interactions
    users = pl.Series("user_id", dataset.user_ids, dtype=pl.String).gather(interactions.user)
    items = pl.Series("item_id", [item.item_id for item in dataset.items], dtype=pl.String).gather(interactions.item)
    times = pl.Series("timestamp", interactions.time, dtype=pl.Int64)
    write_parquet(pl.DataFrame([users, items, times]), folder / INTERACTIONS)


def write_items(items: Collection[Item], folder: Path, image_sources: Mapping[str, str]) -> None:
    """Write items.parquet into an existing folder; `image_sources` as in `write_tables`."""
    sources = [image_sources.get(item.item_id) for item in items]
    table: dict[str, list[Any]] = {
        "item_id": [item.item_id for item in items],
        "title": [without_surrogates(item.title) for item in items],
        "description": [without_surrogates(item.text) for item in items],
        "categories": [[without_surrogates(name) for name in item.categories] for item in items],
        "image": [None if item.image is None else without_surrogates(item.image) for item in items],
        "image_source": [None if name is None else without_surrogates(name) for name in sources],
    }
    write_parquet(pl.DataFrame(table, schema=ITEM_SCHEMA), folder / ITEMS)


def image_sources(folder: Path) -> dict[str, str]:
    """Item id -> how the source names a picture that has no file: an address, or the name of a missing file."""
    path = Path(folder) / ITEMS
    if not path.is_file():
        return {}
    table = _parquet(path, ("item_id",))
    if "image_source" not in table.columns:
        return {}
    rows = table.filter(pl.col("image_source").is_not_null()).select("item_id", "image_source")
    return dict(rows.cast(pl.String).iter_rows())


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


def _nothing_at(path: Path, more: str = "") -> str:
    return f"{path} does not exist{more}: make a data folder with `mmsrarec import` or `mmsrarec sample`"


def _parquet(path: Path, columns: Collection[str]) -> pl.DataFrame:
    """A Parquet file with some columns at least. Raises DataError."""
    with _reading(path):
        table = pl.read_parquet(path)
    _check_columns(path, columns, table.columns)
    return table


def _batches(path: Path, columns: Collection[str]) -> Iterator[pl.DataFrame]:
    """Some columns of a Parquet file, in batches of at most ROWS_AT_ONCE rows. Raises DataError."""
    with _reading(path):
        table = pl.scan_parquet(path)
        names, n_rows = table.collect_schema().names(), int(table.select(pl.len()).collect().item())
    _check_columns(path, columns, names)
    for begin in range(0, n_rows, ROWS_AT_ONCE):
        with _reading(path):
            batch = table.slice(begin, ROWS_AT_ONCE).select(columns).collect()
        yield batch


@contextmanager
def _reading(path: Path) -> Generator[None]:
    """Turn what a file that cannot be read raises into a DataError."""
    try:
        yield
    except (Exception, pl.exceptions.PanicException) as error:  # damaged files raise nearly anything
        raise DataError(f"{path} cannot be read ({one_line(error)[:80]}): import the data again") from None


def _check_columns(path: Path, columns: Collection[str], names: Collection[str]) -> None:
    if missing := [name for name in columns if name not in names]:
        raise DataError(f"{path} has no column {missing[0]}; it has {', '.join(map(one_line, names))}")


def _read_items(path: Path) -> tuple[Item, ...]:
    """The items of items.parquet. Raises DataError."""
    table = _parquet(path, ("item_id",))
    for name in ITEM_SCHEMA.keys() - set(table.columns):
        table = table.with_columns(pl.lit(None, dtype=ITEM_SCHEMA[name]).alias(name))
    try:
        table = table.select(pl.col(name).cast(kind) for name, kind in ITEM_SCHEMA.items())
    except pl.exceptions.PolarsError as error:
        raise DataError(f"{path}: a column has another type ({one_line(error)[:80]})") from None
    items: list[Item] = []
    rows: dict[str, int] = {}
    for number, (item_id, title, description, names, image, _) in enumerate(table.iter_rows(), start=1):
        try:
            check_id(item_id or "", "item_id")
        except Fault as reason:
            raise DataError(f"{path}, row {number}: {reason}") from None
        if item_id in rows:
            raise DataError(f"{path}, row {number}: item {item_id!r} again (first in row {rows[item_id]}); keep one")
        rows[item_id] = number
        texts = [clean(text) for text in cast("list[str | None]", names or []) if text]
        categories = tuple(text for text in texts if text)
        items.append(Item(item_id, clean(title or ""), clean(description or ""), categories, image or None))
    if not items:
        raise DataError(f"{path} holds no items")
    return tuple(items)


def _read_log(path: Path, unit: Unit, all_codes: Any, items_file: str) -> tuple[_Log, IntArray]:
    """The interactions of interactions.parquet, and the (n,) codes of their items. Raises DataError."""
    users, items = IdCodes("user_id"), IdCodes("item_id")
    user_parts: list[NDArray[np.int32]] = []
    item_parts: list[NDArray[np.int32]] = []
    times: list[IntArray] = []
    begin = 0
    for table in _batches(path, tuple(LOG_SCHEMA)):
        user, item = users.of(table["user_id"]), items.of(table["item_id"])
        for codes, ids in ((user, users), (item, items)):
            if codes.min() < 0:
                row = int((codes < 0).argmax())
                raise DataError(f"{path}, row {begin + row + 1}: {ids.faults[-1 - int(codes[row])]}")
        if not table["timestamp"].dtype.is_integer() or table["timestamp"].null_count():
            raise DataError(f"{path}: timestamp must be a whole number in every row; mmsrarec import reads dates")
        user_parts.append(user)
        item_parts.append(item)
        times.append(table["timestamp"].cast(pl.Int64).to_numpy())
        begin += len(table)
    if not begin:
        raise DataError(f"{path} holds no interactions")
    user, item, raw = np.concatenate(user_parts), np.concatenate(item_parts), np.concatenate(times)
    del user_parts, item_parts, times
    codes = all_codes(items.names)[item]
    if codes.min() < 0:
        row = int((codes < 0).argmax())
        raise DataError(
            f"{path}, row {row + 1}: item {items.names[int(item[row])]!r} is not in {items_file}; add the item or "
            "remove the row"
        )
    reading = read_times(raw, str(path), unit, share=0.01)
    if not reading.plausible.all():
        row = int(np.argmin(reading.plausible))
        raise DataError(f"{path}, row {row + 1}: {reading.reason(row)}; mend or remove the row")
    user_codes = user.astype(np.int64)
    return _Log(users.names, items.names, user_codes, codes, raw, reading.seconds(), reading.times), codes


def declared_unit(folder: Path) -> Unit:
    """The unit of times in the manifest of a folder, "auto" without one. Nothing else of the manifest is trusted.

    The tables may have been changed by hand since it was written.
    """
    times = _manifest_setting(folder, "times")
    return times if times in get_args(Times) else "auto"


def core_of(folder: Path) -> Core | None:
    """The k-core that the import took of the whole log, as the manifest says; None where it took none."""
    match _manifest_setting(folder, "core"):
        case [int(users), int(items)]:
            return users, items
        case _:
            return None


def _manifest_setting(folder: Path, name: str) -> Any:
    """A setting in the manifest of a folder, None without one."""
    try:
        return json.loads((folder / MANIFEST).read_bytes())["settings"][name]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
