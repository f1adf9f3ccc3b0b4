"""RecBole's atomic files: SET.inter and SET.item, whose first line names each column and its type, name:type.

In the benchmark form (see `recbole_benchmark`) every row is a list of items and the next item.
"""

import ast
from functools import partial
from itertools import islice
from pathlib import Path
from typing import cast

import polars as pl

from mmsrarec.data.importers.places import files_near, find_files, is_file, pictures_by_stem
from mmsrarec.data.importers.recbole_benchmark import LIST_ENDING, benchmark_table
from mmsrarec.data.importers.rewriting import with_changed_batches, with_changed_rows
from mmsrarec.data.importers.source import Batches, Format, ReadOptions, Record, Records, Source
from mmsrarec.data.reading.delimited import read_delimited
from mmsrarec.data.reading.files import Lines, text_lines
from mmsrarec.errors import DataError

TYPES = ("token", "token_seq", "float", "float_seq")
INTERACTIONS = r".*\.inter"
USERS = ("user_id", "userid", "user", "uid", "session_id")
ITEMS = ("item_id", "itemid", "item", "iid", "product_id", "business_id", "movie_id", "venue_id", "artist_id")
CATEGORIES = ("class", "genre", "genres", "category", "categories")
NOT_READ = {
    ".user": "attributes of users are not used",
    ".kg": "triples of a knowledge graph are not used",
    ".link": "links of items to a knowledge graph are not used",
    ".net": "links between users are not used",
}
SPLITS = ("train", "valid", "test")


def read(place: str, options: ReadOptions) -> Source:
    """Open a folder of atomic files, or its file of interactions."""
    files = files_near(place, depth=0)
    logs, name = _logs(place, files)
    header = _header(logs[0])
    items = options.items or next((path for path in files if path.name.startswith(f"{name}.item")), None)
    item_names = {} if items is None else _header(items)
    user, item = _role(header, USERS, {}, "user"), _role(header, ITEMS, item_names, "item")
    lists = [column for column in header if column.endswith(LIST_ENDING)]
    if lists:
        interactions = benchmark_table(logs, (user, lists[0], item))
    else:
        interactions = _plain(read_delimited(logs[0], separator="\t", quotes=False), header)
    pictures = pictures_by_stem(options.pictures)
    catalogue = None if items is None else _items(items, item_names, options.encoding, item, pictures)
    beside = [path for path in files if path.stem == name and path.suffix in NOT_READ]
    return Source(
        name=name,
        interactions=interactions,
        items=catalogue,
        pictures=options.pictures,
        columns={"user_id": user, "interactions.item_id": item, **_item_roles(item_names, item)},
        order="ends" if lists else "column",
        unknown_items="add",
        notes=(
            *(f"{path.name} is not read: {NOT_READ[path.suffix]}." for path in beside),
            *(() if lists else _coarse_times(interactions)),
        ),
        files=(*logs, *((items,) if items else ())),
    )


def recognises(place: str) -> bool:
    """Whether a place has a log whose first line gives every column a type."""
    logs = find_files(files_near(place, depth=0), INTERACTIONS)
    return any(_types(path) for path in islice(logs, 3))


FORMAT = Format(
    "recbole",
    "a folder of RecBole's atomic files, or its SET.inter",
    recognises,
    read,
    frozenset({"items", "pictures", "encoding"}),
)


def _logs(place: str, files: list[Path]) -> tuple[list[Path], str]:
    """The files of interactions that belong together, and the name of the data set."""
    logs = list(find_files(files, INTERACTIONS))
    if is_file(place):
        return logs[:1], logs[0].name.split(".")[0] if logs else ""
    names = sorted({path.name.split(".")[0] for path in logs})
    if not names:
        raise DataError(f"{place} holds no file *.inter: name a folder of RecBole's atomic files")
    if len(names) > 1:
        raise DataError(f"{place} holds {' and '.join(names)}: name one of the files *.inter as SOURCE")
    parts = [path for split in SPLITS for path in logs if path.name.split(".")[1] == split]
    whole = [path for path in logs if path.name.split(".")[1] == "inter"]
    return whole[:1] or parts, names[0]


def _types(path: Path) -> dict[str, str]:
    """Name -> type of each column of an atomic file; empty where the first line is no header of one."""
    try:
        _, header = next(text_lines(Lines(path)), (0, ""))
    except DataError:
        return {}
    pairs = [column.rpartition(":") for column in (header or "").split("\t")]
    return {name: kind for name, _, kind in pairs} if all(name and kind in TYPES for name, _, kind in pairs) else {}


def _header(path: Path) -> dict[str, str]:
    """Name -> type of each column. Raises DataError where the first line does not say them."""
    if types := _types(path):
        return types
    _, header = next(text_lines(Lines(path)), (0, ""))
    bad = next((name for name in (header or "").split("\t") if name.rpartition(":")[2] not in TYPES), "")
    kinds = ", ".join(TYPES)
    raise DataError(f"{path}: the first line must read name:type TAB name:type, types {kinds}; {bad[:40]!r} does not")


def _role(header: dict[str, str], names: tuple[str, ...], shared: dict[str, str], what: str) -> str:
    """The column of users or items: one of the usual names, or one that the file of items shares."""
    tokens = [name for name, kind in header.items() if kind == "token"]
    for column in (*(name for name in tokens if name in shared), *tokens):
        if column in shared or column.lower() in names:
            return column
    raise DataError(f"no column of {what}s among {', '.join(header)}: say it by --map {what}_id=COLUMN")


def _plain(table: Batches, header: dict[str, str]) -> Batches:
    """The interactions with the names of columns without their types."""
    columns = {name: f"{name}:{kind}" for name, kind in header.items()}

    def change(rows: pl.DataFrame) -> pl.DataFrame:
        return rows.rename({column: name for name, column in columns.items() if column in rows.columns})

    return with_changed_batches(table, change, columns)


def _items(path: Path, header: dict[str, str], encoding: str | None, item: str, pictures: dict[str, str]) -> Records:
    """The items, with the names of columns without their types."""
    table = read_delimited(path, separator="\t", quotes=False, encoding=encoding)
    change = partial(_item, header=header, item=item, pictures=pictures)
    return with_changed_rows(table, change, (*header, *(("image",) if pictures else ())))


def _item(row: Record, header: dict[str, str], item: str, pictures: dict[str, str]) -> Record:
    """An item; categories become a list where the file says how they are parted."""
    values: dict[str, object] = {name: row.get(f"{name}:{kind}") for name, kind in header.items()}
    for name in CATEGORIES:
        if header.get(name) == "token_seq" and isinstance(text := values.get(name), str):
            values[name] = _parts(text)
    return values | {"image": pictures.get(str(values.get(item)))} if pictures else values


def _parts(text: str) -> list[str]:
    """The categories of a token_seq.

    Blanks part them, but names of several words are published too: as a printed list or set, or with commas.
    """
    if text[:1] in "[{(" and len(text) < 10_000:
        try:
            value = ast.literal_eval(text)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            value = None
        if isinstance(value, list | tuple | set):
            return [str(name) for name in cast(list[object], value)]
    if "," in text:
        return [name.strip(" '\"") for name in text.split(",")]
    return text.split()


def _item_roles(header: dict[str, str], item: str) -> dict[str, str]:
    """The columns of title and categories among those of the items."""
    title = next(
        (name for name in header if name.lower() in ("title", "name") or name.endswith(("_title", "_name"))), None
    )
    category = next((name for name in header if name.lower() in CATEGORIES), None)
    roles = {"title": title, "categories": category, "item_id": item if item in header else None}
    return {f"items.{field}": column for field, column in roles.items() if column is not None}


def _coarse_times(table: Batches) -> tuple[str, ...]:
    """A remark where times are written with too few digits to tell one second from the next, such as 1.3e+09."""
    name = next((column for column in table.columns if "time" in column.lower()), None)
    batch = next(table.read([name]), None) if name else None
    if batch is None or not name or not len(batch.rows):
        return ()
    digits = batch.rows[name].str.extract(r"^(\d\.\d*)[eE]\+?0*9$").drop_nulls().str.len_chars() - 1
    if not len(digits) or int(str(digits.max())) >= 10:
        return ()
    return (f"{name} is written with {digits.max()} digits, so times differ by rounding from the true second.",)
