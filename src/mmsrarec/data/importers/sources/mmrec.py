"""MMRec's data sets: SET.inter with x_label, feature files, and lists of what the numbers of users and items mean.

Users and items are numbers from 0. The lists, where they are there, lead back to the ids of the source.
"""

from functools import partial
from pathlib import Path

import polars as pl

from mmsrarec.data.importers.catalogue.items import records_of
from mmsrarec.data.importers.places import files_near, find_file, find_files, not_read, pictures_by_stem
from mmsrarec.data.importers.rewriting import with_changed_batches, with_changed_rows
from mmsrarec.data.importers.source import Batches, Format, ReadOptions, Record, Records, Source
from mmsrarec.data.reading.delimited import read_delimited
from mmsrarec.data.reading.files import Lines, text_lines
from mmsrarec.data.reading.line_faults import Fault
from mmsrarec.errors import DataError

USER, ITEM, LABEL = "userID", "itemID", "x_label"
SPLIT = "MMRec's split: 0 training, 1 validation, 2 test; it is random within each user, not by time"
NOT_READ = {
    r".*feat.*\.npy": "it holds features of another model, a row for the number of each item",
    r".*graph.*\.(npy|npz|pt)": "it is computed from the log",
}
NOTES = ("MMRec publishes no texts and pictures, so the items are only ids: name a table of them by --items.",)


def read(place: str, options: ReadOptions) -> Source:
    """Open a folder of MMRec, or its file of interactions."""
    files = files_near(place)
    log = _log(files)
    if log is None:
        raise DataError(f"{place} holds no *.inter file with the columns {USER}, {ITEM} and {LABEL}: name one of MMRec")
    users, items = find_file(files, r"u_id_mapping.*\.csv"), find_file(files, r"i_id_mapping.*\.csv")
    user_ids, item_ids = _ids(users, USER), _ids(items, ITEM)
    notes = [*not_read(files, NOT_READ)]
    if users is None or items is None:
        notes.append("Without u_id_mapping.csv and i_id_mapping.csv the ids are MMRec's numbers.")
    table, catalogue = _interactions(log, user_ids, item_ids), _catalogue(options, items, item_ids)
    return Source(
        name=log.stem,
        interactions=table,
        items=catalogue,
        pictures=options.pictures,
        columns={"interactions.user_id": USER, "interactions.item_id": ITEM},
        unused={LABEL: SPLIT},
        unknown_items="add",
        notes=(*(NOTES if options.items is None else ()), *notes),
        files=tuple(path for path in (log, users, items, options.items) if path is not None),
    )


def recognises(place: str) -> bool:
    """Whether a place has a log whose first line names MMRec's columns."""
    return _log(files_near(place, depth=0)) is not None


FORMAT = Format(
    "mmrec",
    "a folder of MMRec, or its SET.inter: userID, itemID, x_label",
    recognises,
    read,
    frozenset({"items", "pictures", "encoding"}),
)


def _log(files: list[Path]) -> Path | None:
    """The first file of interactions whose header is MMRec's."""
    return next((path for path in find_files(files, r".*\.inter") if _is_mmrec(path)), None)


def _is_mmrec(path: Path) -> bool:
    """Whether the first line names MMRec's columns."""
    try:
        _, header = next(text_lines(Lines(path)), (0, ""))
    except DataError:
        return False
    names = (header or "").split("\t")
    return {USER, ITEM} <= set(names) or (LABEL in names and not any(":" in name for name in names))


def _ids(path: Path | None, number_column: str) -> dict[str, str]:
    """Number -> the id of the source, of a list with two columns; empty without a list."""
    if path is None:
        return {}
    table = read_delimited(path)
    others = [name for name in table.columns if name != number_column]
    if number_column not in table.columns or len(others) != 1:
        raise DataError(f"{path} has the columns {', '.join(table.columns)}; an id and {number_column} are needed")
    rows = (row for _, row in records_of(table) if not isinstance(row, Fault))
    return {str(row[number_column]): str(row[others[0]]) for row in rows}


def _interactions(path: Path, users: dict[str, str], items: dict[str, str]) -> Batches:
    """The log with the ids of the source in place of numbers."""
    table = read_delimited(path, separator="\t", quotes=False)
    if missing := [name for name in (USER, ITEM) if name not in table.columns]:
        raise DataError(f"{path} has no column {missing[0]}: it has {', '.join(table.columns)}")

    def change(rows: pl.DataFrame) -> pl.DataFrame:
        ids = {USER: users, ITEM: items}
        return rows.with_columns(
            pl.col(name).replace(names) for name, names in ids.items() if names and name in rows.columns
        )

    return with_changed_batches(table, change, {name: name for name in table.columns})


def _catalogue(options: ReadOptions, mapping: Path | None, ids: dict[str, str]) -> Records | None:
    """The table of items that the user names, or else the list of item ids."""
    pictures = pictures_by_stem(options.pictures)
    if options.items is not None:
        table = read_delimited(options.items, encoding=options.encoding)
        return with_changed_rows(table, partial(_item, ids=ids, pictures=pictures))
    if mapping is None:
        return None
    rows = [(line, {"item_id": name}) for line, name in enumerate(ids.values(), start=2)]
    return with_changed_rows(Records(mapping.name, rows), partial(_item, ids={}, pictures=pictures))


def _item(row: Record, ids: dict[str, str], pictures: dict[str, str]) -> Record:
    """An item by the id of the source, with its picture."""
    item = dict(row)
    if ITEM in item and "item_id" not in item:
        number = str(item.pop(ITEM))
        item = {"item_id": ids.get(number, number)} | item
    name = str(item.get("item_id"))
    return item | {"image": pictures.get(name)} if pictures else item
