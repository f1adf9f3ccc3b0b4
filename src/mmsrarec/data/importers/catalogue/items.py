"""Reads a table of items: texts are cleaned and joined, and every column is accounted for."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from mmsrarec.data.dataset import Item
from mmsrarec.data.importers.catalogue.item_values import (
    Conversions,
    categories_of,
    id_value,
    is_missing,
    picture_of,
    python_value,
    texts_of,
)
from mmsrarec.data.importers.column_names import plain_name
from mmsrarec.data.importers.columns import ColumnMap, ColumnsByField, map_columns, needed
from mmsrarec.data.importers.import_report import ColumnUse
from mmsrarec.data.importers.rejects import Rejects
from mmsrarec.data.importers.source import Batches, Frame, Record, Records, Source, Table
from mmsrarec.data.reading.cleaning import clean, without_surrogates
from mmsrarec.data.reading.line_faults import Fault, check_id, is_null

FRAME_ROWS = 50_000
_NUMBER = re.compile(r"[-+]?[\d.,]+([eE][-+]?\d+)?%?|true|false|True|False")
_ADDRESS = re.compile(r"(https?:)?//\S+")


@dataclass
class ItemTable:
    """The items of a table, and what became of its lines.

    Attributes:
        items: The items by id, in the order of the table.
        pictures: Item id -> the name or the address of its picture, as the source has it.
        set_aside: Item id -> the number of the line, of lines set aside whose id can be read.
        read: The number of lines.
        folded: Why lines were folded into earlier ones -> how many.
        columns: What became of each column.
        conversions: How often a value of another type than text was read.
        file: The name of the file.
    """

    file: str = ""
    items: dict[str, Item] = field(default_factory=dict[str, Item])
    pictures: dict[str, str] = field(default_factory=dict[str, str])
    set_aside: dict[str, int] = field(default_factory=dict[str, int])
    read: int = 0
    folded: "Counter[str]" = field(default_factory=Counter[str])
    columns: list[ColumnUse] = field(default_factory=list[ColumnUse])
    conversions: Conversions = field(default_factory=Conversions)
    map: ColumnMap | None = None


def records_of(table: Table) -> Iterator[tuple[int, Record | Fault]]:
    """The rows of any table as records, with the number of their lines."""
    if isinstance(table, Frame):
        for one in table.set_aside:
            yield one.line, Fault(one.reason, one.kind)
        start = 0
        while (part := table.part(start, FRAME_ROWS))[0].height:
            yield from zip(part[1], part[0].iter_rows(named=True), strict=True)
            start += part[0].height
    elif isinstance(table, Batches):
        for batch in table.read(table.columns):
            rows = zip(batch.lines, batch.rows.iter_rows(named=True), strict=True)
            faults = [(one.line, Fault(one.reason, one.kind)) for one in batch.set_aside]
            yield from sorted([*rows, *faults], key=lambda row: row[0]) if faults else rows
    else:
        yield from table.rows


def column_names(table: Table, records: int | None = None) -> tuple[str, ...]:
    """The names of a table's columns; of records, those of the first ones."""
    if isinstance(table, Frame):
        return tuple(name for name in table.rows.collect_schema().names() if name != table.line_column)
    if isinstance(table, Batches) or table.columns:
        return table.columns
    names: dict[str, None] = {}
    for number, (_, record) in enumerate(table.rows):
        if not isinstance(record, Fault):
            names.update(dict.fromkeys(record))
        if records is not None and number >= records:
            break
    return tuple(names)


def read_items(source: Source, user_map: ColumnsByField, share: float, rejects: Rejects, option: str) -> ItemTable:
    """Read the table of items of a source.

    Args:
        source: The source, which has one.
        user_map: What the user says of columns.
        share: The share of the lines, in [0, 1], that may be faulty.
        rejects: Where lines are set aside.
        option: How the user says what a column means, for messages.

    Returns:
        The items.

    Raises:
        DataError: There is no column of ids, too many lines are faulty, or no item is left.
    """
    assert source.items is not None
    table = source.items
    answer = ItemTable(table.file)
    kinds = _ValueKinds()
    names = dict.fromkeys(table.columns if isinstance(table, Records) else column_names(table))
    for _, record in records_of(table):
        if not isinstance(record, Fault):
            names.update(dict.fromkeys(record))
            kinds.add(record)
    columns = map_columns("items", list(names), user_map, source.columns, source.unused, option=option, file=table.file)
    if names or not isinstance(table, Records):
        needed(columns, ("item_id",), option)
    answer.map = columns
    joining = [name for name in columns.others if kinds.describes(name)]
    first_lines: dict[str, int] = {}
    for number, record in records_of(table):
        answer.read += 1
        try:
            if isinstance(record, Fault):
                raise record
            item, picture = _item(record, columns, joining, answer.conversions)
        except Fault as fault:
            rejects.add(table.file, number, fault)
            if (item_id := _readable_id(record, columns.column("item_id") or "")) is not None:
                answer.set_aside[item_id] = number
            continue
        earlier = answer.items.setdefault(item.item_id, item)
        if earlier is item:
            first_lines[item.item_id] = number
            if picture is not None:
                answer.pictures[item.item_id] = picture
        elif earlier == item and picture == answer.pictures.get(item.item_id):
            answer.folded["exact repeats"] += 1
        elif source.described_again == "first":
            answer.folded["described again: the first line counts"] += 1
        else:
            first = first_lines[item.item_id]
            rejects.add(table.file, number, f"item {item.item_id!r} again, described otherwise than on line {first}")
    rejects.check(table.file, answer.read, share)
    rejects.check_left(table.file, len(answer.items), "items")
    answer.columns = _uses(columns, joining, kinds)
    return answer


def _item(
    record: Record, columns: ColumnMap, joining: Iterable[str], conversions: Conversions
) -> tuple[Item, str | None]:
    """The item of a record and the name of its picture. Raises Fault."""
    id_column = columns.column("item_id") or ""
    if id_column not in record:
        raise Fault(f"no {id_column}", "null_items")
    item_id = id_value(record[id_column], conversions)
    check_id(item_id, "item_id")
    texts = {
        name: [
            text for column in columns.fields.get(name, ()) for text in texts_of(record.get(column), name, conversions)
        ]
        for name in ("title", "year")
    }
    title, year = " ".join(texts["title"]), " ".join(texts["year"])
    if year and not title.endswith(f"({year})"):
        title = f"{title} ({year})".strip()
    categories = [
        name
        for column in columns.fields.get("categories", ())
        for name in categories_of(record.get(column), conversions)
    ]
    picture = next(
        (
            name
            for column in columns.fields.get("image", ())
            if (name := picture_of(record.get(column), conversions)) is not None
        ),
        None,
    )
    parts = [" ".join(texts_of(record.get(column), "text", conversions)) for column in columns.fields.get("text", ())]
    for column in joining:
        if values := texts_of(record.get(column), column, Conversions()):
            parts.append(f"{clean(plain_name(column)).replace('_', ' ')}: {', '.join(values)}")
    text = joined_text(parts)
    item = Item(item_id, title, text, tuple(categories))
    return item, None if picture is None else without_surrogates(picture)


def _readable_id(record: Record | Fault, column: str) -> str | None:
    """The id of an item in a line that is set aside, where it can be read."""
    if isinstance(record, Fault):
        match = re.search(rf'"{re.escape(column)}"\s*:\s*"?([^",}}\\]+)"?\s*[,}}]', record.line)
        return match[1] if match else None
    value = record.get(column)
    return value if isinstance(value, str) else None


def joined_text(parts: Iterable[str]) -> str:
    """Parts of a text as sentences: a full stop is set between them where none stands."""
    joined = ""
    for part in filter(None, parts):
        gap = "" if not joined else " " if joined[-1] in ".!?:;…。！？" else ". "
        joined += gap + part
    return clean(joined)


class _ValueKinds:
    """What the values of each column are, which says whether the column describes items."""

    def __init__(self) -> None:
        self.present: dict[str, int] = {}
        self.describing: dict[str, int] = {}
        self.distinct: dict[str, set[str]] = {}
        self.codes: dict[str, int] = {}

    def add(self, record: Record) -> None:
        for name, raw in record.items():
            value = python_value(raw)
            if is_missing(value) or (is_null(value) if isinstance(value, str) else value in ([], {}, ())):
                continue
            self.present[name] = self.present.get(name, 0) + 1
            if isinstance(value, str):
                text = value.strip()
                if _NUMBER.fullmatch(text) or _ADDRESS.match(text):
                    continue
                if " " not in text and any(letter.isdigit() for letter in text):
                    self.codes[name] = self.codes.get(name, 0) + 1
                    values = self.distinct.setdefault(name, set())
                    if len(values) < 1000:
                        values.add(text)
            elif isinstance(value, (bool, int, float)) or not value or not texts_of(value, name, Conversions()):
                continue
            self.describing[name] = self.describing.get(name, 0) + 1

    def describes(self, name: str) -> bool:
        """Whether a column holds text that describes items: no numbers, no addresses, no codes of one item each."""
        describing = self.describing.get(name, 0)
        if not describing or describing * 2 < self.present[name]:
            return False
        codes = self.codes.get(name, 0)
        return not (codes > 0.9 * describing and len(self.distinct[name]) > 0.9 * min(codes, 1000) and codes > 2)

    def reason(self, name: str) -> str:
        """Why a column does not join the text."""
        if not self.present.get(name):
            return "not used: it is empty"
        if not self.describing.get(name):
            return "not used: numbers, addresses or truth values"
        return "not used: codes, no words" if self.codes.get(name) else "not used: mostly numbers"


def _uses(columns: ColumnMap, joining: Iterable[str], kinds: _ValueKinds) -> list[ColumnUse]:
    """What became of each column."""
    uses: list[ColumnUse] = []
    fields = {column: name for name, held in columns.fields.items() for column in held}
    joined = set(joining)
    for column in columns.columns:
        filled = kinds.present.get(column, 0)
        if column in fields:
            became = fields[column] if fields[column] != "year" else "title, as (year)"
            note = columns.sources[fields[column]]
        elif column in joined:
            became, note = "text", f'joined as "{clean(plain_name(column)).replace("_", " ")}: ..."'
        elif column in columns.ignored:
            became, note = "", f"not used: {columns.ignored[column]}"
        else:
            became, note = "", kinds.reason(column)
        uses.append(ColumnUse("items", column, became, filled, note))
    return uses
