"""Reads data folders of text, as people and versions before 0.2 write them: items.jsonl, interactions.csv."""

from pathlib import Path

import polars as pl

from mmsrarec.data.dataset import IntArray, Item
from mmsrarec.data.importers.columns import ColumnMap
from mmsrarec.data.importers.log.raw_log import Filters, RawLog, read_raw_log
from mmsrarec.data.importers.log.time_values import FAULTY, MISSING
from mmsrarec.data.importers.rejects import Rejects
from mmsrarec.data.reading.delimited import read_delimited
from mmsrarec.data.reading.files import Lines
from mmsrarec.data.reading.line_faults import Fault
from mmsrarec.data.reading.parsing import parse_item
from mmsrarec.data.times import Reading, read_times
from mmsrarec.data.units import Unit
from mmsrarec.errors import DataError

TEXT_ITEMS, TEXT_INTERACTIONS = "items.jsonl", "interactions.csv"
COLUMNS = ("user_id", "item_id", "timestamp")
ADVICE = "mend or remove the line, or let mmsrarec import set it aside"


def read_text_items(path: Path) -> tuple[Item, ...]:
    """The items of items.jsonl.

    Raises:
        DataError: A line is faulty (the first one is named), or there are no items.
    """
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


def read_text_log(path: Path, unit: Unit) -> tuple[RawLog, Reading]:
    """The interactions of interactions.csv.

    Args:
        path: The file, packed or plain.
        unit: The declared unit of the timestamps.

    Returns:
        The rows, and their times.

    Raises:
        DataError: A line is faulty (the first one is named), or there are no interactions.
    """
    table, rejects = read_delimited(path, separator=","), Rejects()
    for name in COLUMNS:
        if name not in table.columns:
            raise DataError(f"{path}: the first line must name the columns {','.join(COLUMNS)}; no {name}")
    columns = ColumnMap("interactions", table.columns, {name: (name,) for name in COLUMNS})
    log = read_raw_log(table, columns, Filters(), rejects, exact_repeats=False)
    raw, spelling, unit, _ = log.times.joined(unit)
    odd = pl.Series(spelling).is_in([MISSING, FAULTY]).arg_true()
    for place, reason in log.times.texts(odd.to_numpy()).items():
        rejects.add(path, int(log.line[place]), f"timestamp {reason}")
    _refuse(path, rejects)
    if not len(log.user):
        raise DataError(f"{path} holds no interactions")
    reading = read_times(raw, str(path), unit, share=0.01)
    for place in pl.Series(~reading.plausible).arg_true().to_list():
        rejects.add(path, int(log.line[place]), reading.reason(place))
    _refuse(path, rejects)
    return log, reading


def unknown_item(path: Path, log: RawLog, codes: IntArray, items_file: str) -> None:
    """Check that every row has an item: (n,) codes, negative for none. Raises DataError for the first that has none."""
    if len(codes) and codes.min() < 0:
        row = int((codes < 0).argmax())
        name = log.items.names[int(log.item[row])]
        raise DataError(
            f"{path}, line {int(log.line[row])}: item {name!r} is not in {items_file}; add the item or remove the line"
        )


def _refuse(path: Path, rejects: Rejects) -> None:
    """Raise DataError where a line was set aside."""
    if rejects.total():
        first = rejects.in_order()[0]
        raise DataError(f"{path}, line {first.line}: {first.reason}; {ADVICE}")
