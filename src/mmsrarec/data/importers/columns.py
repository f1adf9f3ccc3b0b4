"""Which column holds what: what the user says, then what the format says, then usual names; ambiguity is refused."""

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, cast

from mmsrarec.core.terminal import one_line
from mmsrarec.data.importers.column_names import ALIASES, INTERACTION_NAMES, ITEM_NAMES, OWN_NAMES, folded
from mmsrarec.errors import DataError

TableName = Literal["items", "interactions"]
TABLES: Mapping[TableName, Mapping[str, tuple[str, ...]]] = {"items": ITEM_NAMES, "interactions": INTERACTION_NAMES}
IGNORE = "ignore"
"""The field of columns that are left out."""
SINGLE = ("user_id", "item_id", "timestamp", "rating", "event", "quantity", "year")
"""Fields that one column holds; others may be joined of several."""
CLAIMED_ONCE = ("user_id", "item_id", "timestamp")
"""Fields for which two usual names beside each other are refused."""
ColumnsByField = Mapping[str, tuple[str, ...]]
"""Field, with its table or without, -> columns."""


@dataclass(frozen=True)
class ColumnMap:
    """What the columns of one table mean.

    Attributes:
        table: The table.
        columns: The names of all its columns, in their order.
        fields: Field -> the columns that hold it.
        ignored: Column -> why it is left out.
        sources: Field -> who says so: "--map", "format" or "usual name".
        file: The name of its file.
    """

    table: TableName
    columns: tuple[str, ...]
    fields: Mapping[str, tuple[str, ...]]
    ignored: Mapping[str, str] = field(default_factory=dict[str, str])
    sources: Mapping[str, str] = field(default_factory=dict[str, str])
    file: str = ""

    @property
    def label(self) -> str:
        """The table as messages name it."""
        return table_label(self.table, self.file)

    @property
    def others(self) -> tuple[str, ...]:
        """The columns that hold no field and are not left out."""
        held = {column for columns in self.fields.values() for column in columns}
        return tuple(column for column in self.columns if column not in held and column not in self.ignored)

    def column(self, field: str) -> str | None:
        """The only column of a field."""
        return self.fields[field][0] if field in self.fields else None


def table_label(table: str, file: str) -> str:
    """A table as messages name it: with its file, where that has another name."""
    return table if file in ("", table) else f"{table} ({file})"


def parse_map(text: str) -> dict[str, tuple[str, ...]]:
    """Read a mapping such as "item_id=sku,text=body_html+brand".

    Args:
        text: Field=column pairs, parted by commas; "+" joins columns, and a field may begin with "items." or
            "interactions.".

    Returns:
        Field -> columns.

    Raises:
        DataError: It is no such text, or a field is unknown or stands twice.
    """
    mapping: dict[str, tuple[str, ...]] = {}
    for part in text.split(","):
        name, equals, columns = part.partition("=")
        names = tuple(column.strip() for column in columns.split("+") if column.strip())
        if not equals or not names:
            raise DataError(f"--map {one_line(part)}: expected FIELD=COLUMN, such as item_id=sku,text=body_html+brand")
        key = _field_name(name.strip(), "--map")
        if key in mapping:
            raise DataError(f"--map: {key} stands twice: join columns with +, such as {key}=a+b")
        mapping[key] = names
    return mapping


def read_map(path: Path) -> dict[str, tuple[str, ...]]:
    """Read a mapping file: TOML with field = "column" or a list of columns, in tables [items] and [interactions].

    Raises:
        DataError: The file cannot be read, or a field is unknown.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror})") from None
    except ValueError as error:
        raise DataError(f"{path} is no TOML file ({one_line(error)})") from None
    mapping: dict[str, tuple[str, ...]] = {}
    flat = {key: value for key, value in content.items() if not isinstance(value, dict)}
    tables = {key: cast(dict[str, Any], value) for key, value in content.items() if isinstance(value, dict)}
    for table, entries in {"": flat, **tables}.items():
        for name, value in entries.items():
            columns = [value] if isinstance(value, str) else value
            if not isinstance(columns, list) or not all(isinstance(one, str) for one in cast(list[Any], columns)):
                raise DataError(f"{path}: {name} must be the name of a column, or a list of names")
            mapping[_field_name(f"{table}.{name}" if table else name, str(path))] = tuple(cast(list[str], columns))
    return mapping


def map_columns(
    table: TableName,
    columns: Sequence[str],
    user_map: ColumnsByField,
    by_format: Mapping[str, str],
    unused: Mapping[str, str],
    *,
    option: str = "--map",
    file: str = "",
) -> ColumnMap:
    """Find the column of each field of a table.

    Args:
        table: The table.
        columns: The names of its columns.
        user_map: What the user says, as from `parse_map`.
        by_format: What the format says.
        unused: Column -> why the format leaves it out.
        option: How the user says what a column means, for messages.
        file: The name of its file, for messages.

    Returns:
        The mapping.

    Raises:
        DataError: A column that the user or the format names is not there, or two columns could be the same field.
    """
    label = table_label(table, file)
    for name in columns:
        if list(columns).count(name) > 1:
            raise DataError(f"{label}: the column {one_line(name)!r} stands twice: rename one")
    fields: dict[str, tuple[str, ...]] = {}
    sources: dict[str, str] = {}
    format_says = {_field_name(key, "the format"): tuple(value.split("+")) for key, value in by_format.items()}
    ignored = {name: why for name, why in unused.items() if name in columns}
    for given, source in ((user_map, option), (format_says, "format")):
        for key, names in given.items():
            prefix, _, name = key.rpartition(".")
            if prefix not in ("", table) or (not prefix and f"{table}.{name}" in given) or name in fields:
                continue
            if name not in TABLES[table] and name != IGNORE:
                continue
            places = [_named(one, columns, fold=source == option) for one in names]
            if missing := [one for one, column in zip(names, places, strict=True) if column is None]:
                if source == "format" or (not prefix and (name == IGNORE or name == "item_id")):
                    places = [column for column in places if column is not None]
                    if not places:
                        continue
                else:
                    raise DataError(f"{label}: no column {one_line(missing[0])!r}; it has {_listed(columns)}")
            there = tuple(column for column in places if column is not None)
            if name == IGNORE:
                ignored.update(dict.fromkeys(there, "as you said"))
                continue
            if name in SINGLE and len(there) > 1:
                raise DataError(f"{table}.{name}: one column holds it, not {' + '.join(map(one_line, there))}")
            fields[name], sources[name] = there, source
    claimed = {column for names in fields.values() for column in names} | ignored.keys()
    for name, usual in TABLES[table].items():
        if name not in fields and (column := _usual(table, name, usual, columns, claimed, option, label)) is not None:
            fields[name], sources[name] = (column,), "usual name"
            claimed.add(column)
    _check_one_each(fields, label, option)
    ignored = _other_names(table, columns, fields, claimed) | ignored
    return ColumnMap(table, tuple(columns), fields, ignored, sources, file)


def _check_one_each(fields: ColumnsByField, label: str, option: str) -> None:
    """Refuse a column that is a user, an item or a time at once. Raises DataError."""
    holders: dict[str, str] = {}
    for name in CLAIMED_ONCE:
        for column in fields.get(name, ()):
            if column in holders:
                both = f"{holders[column]} and {name}"
                raise DataError(f"{label}: {one_line(column)!r} cannot be {both} at once: name another with {option}")
            holders[column] = name


def _other_names(
    table: TableName, columns: Sequence[str], fields: ColumnsByField, claimed: Iterable[str]
) -> dict[str, str]:
    """Columns with a usual name of a user, an item or a time that another column holds -> why they are left out."""
    others: dict[str, str] = {}
    for name in CLAIMED_ONCE:
        usual = {place for place in TABLES[table].get(name, ()) if place != "id"}
        for column in columns:
            if name in fields and column not in claimed and folded(column) in usual:
                others[column] = f"could be {name} too, which {one_line(fields[name][0])} holds"
    return others


def check_named(user_map: ColumnsByField, maps: Iterable[ColumnMap], option: str = "--map") -> None:
    """Check that every column that the user named for both tables is in one of them.

    Raises:
        DataError: A column is in neither.
    """
    maps = list(maps)
    for key, names in user_map.items():
        for name in names:
            if all(_named(name, one.columns, fold=True) is None for one in maps):
                there = "; ".join(f"{one.table} has {_listed(one.columns)}" for one in maps)
                raise DataError(f"{option}: no column {one_line(name)!r} for {key}: {there}")


def needed(mapping: ColumnMap, fields: Sequence[str], option: str = "--map") -> None:
    """Check that each of some fields has a column.

    Raises:
        DataError: One has none; the message names the columns that are there.
    """
    for name in fields:
        if name not in mapping.fields:
            usual = ", ".join(TABLES[mapping.table][name][:4])
            say = f"{option} {name}=COLUMN" if option == "--map" else f"{option}={{'{mapping.table}.{name}': NAME}}"
            if option == "--map" and all(_looks_like_data(column) for column in mapping.columns):
                say = "the first line looks like data: name the columns with --names user_id,item_id,timestamp or so"
                raise DataError(f"{mapping.label}: no column for {name}, and {say} ({_listed(mapping.columns)})")
            if len(mapping.columns) == 1:
                say += ", or say what parts the columns with --separator"
            raise DataError(
                f"{mapping.label}: no column for {name} (usual names: {usual}, ...); it has "
                f"{_listed(mapping.columns)}: name one with {say}"
            )


def _looks_like_data(column: str) -> bool:
    """Whether the name of a column is rather a value: a number, or text with digits."""
    return any(letter.isdigit() for letter in column)


def _usual(
    table: TableName,
    name: str,
    usual: Sequence[str],
    columns: Sequence[str],
    claimed: Iterable[str],
    option: str,
    label: str,
) -> str | None:
    """The column with a usual name of a field, None where there is none. Raises DataError where two could be meant."""
    free = [column for column in columns if column not in claimed]
    matches = [column for place in usual for column in free if folded(column) == place]
    if name in CLAIMED_ONCE and len(matches) > 1:
        own = [column for column in matches if folded(column) == OWN_NAMES[name]]
        if len(own) == 1:
            return own[0]
        matches = [column for column in matches if folded(column) != "id"] or matches
        if len(matches) > 1:
            both = " and ".join(repr(one_line(column)) for column in matches)
            say = (
                f"{option} {name}={one_line(matches[0])}"
                if option == "--map"
                else f"{option}={{'{table}.{name}': ...}}"
            )
            raise DataError(f"{label}: {both} could each be {name}: say which, such as {say}")
    return matches[0] if matches else None


def _named(name: str, columns: Sequence[str], fold: bool) -> str | None:
    """The column that a name means: the same name, or the only one that differs in case and signs."""
    if name in columns:
        return name
    alike = [column for column in columns if fold and folded(column) == folded(name) != ""]
    return alike[0] if len(alike) == 1 else None


def _field_name(text: str, where: str) -> str:
    """A field with its table, if one is named. Raises DataError for an unknown one."""
    table, _, name = text.rpartition(".")
    name = ALIASES.get(name, name)
    known = (
        {*ITEM_NAMES, *INTERACTION_NAMES, IGNORE} if not table else {*TABLES.get(cast(TableName, table), ()), IGNORE}
    )
    if name not in known or (table and table not in TABLES):
        choices = ", ".join(sorted({*ITEM_NAMES, *INTERACTION_NAMES, IGNORE}))
        raise DataError(f"{where}: unknown field {one_line(text)!r}: choose from {choices}")
    return f"{table}.{name}" if table else name


def _listed(columns: Sequence[str]) -> str:
    """The names of columns as a message lists them."""
    names = ", ".join(one_line(column)[:40] for column in columns[:30])
    return f"{names}, ..." if len(columns) > 30 else names or "none"
