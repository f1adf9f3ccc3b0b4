"""Reads a table of interactions in parts: ids become codes, and what is no interaction is filtered or set aside."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mmsrarec.core.terminal import one_line
from mmsrarec.data.importers.catalogue.item_values import is_missing, number_text, python_value
from mmsrarec.data.importers.columns import ColumnMap
from mmsrarec.data.importers.log.id_codes import IdCodes
from mmsrarec.data.importers.log.time_values import TimeColumn
from mmsrarec.data.importers.rejects import Rejects
from mmsrarec.data.importers.source import Batch, Frame, Record, Records, SetAside, Table
from mmsrarec.data.reading.line_faults import NULLS, Fault, check_id

FRAME_ROWS = 500_000
RECORD_ROWS = 50_000
MAX_VALUES = 1000
"""So many different values of a rating or an event are counted."""
ROLES = ("user_id", "item_id", "timestamp", "rating", "event", "quantity")


class Part(NamedTuple):
    """Some rows of a log.

    Attributes:
        rows: n rows, with the columns of ROLES that there are.
        lines: (n,) numbers of their lines.
        rest: (n,) hash of all other columns; None where there are no others.
        set_aside: Lines that are no rows.
        whole: Whether the last line has an end.
    """

    rows: pl.DataFrame
    lines: NDArray[np.int64]
    rest: pl.Series | None
    set_aside: tuple[SetAside, ...] = ()
    whole: bool = True


@dataclass
class Filters:
    """Which rows count as interactions.

    Attributes:
        min_rating: The least rating; None takes all.
        events: The events that count; empty takes all.
    """

    min_rating: float | None = None
    events: tuple[str, ...] = ()


@dataclass
class RawLog:
    """The rows of a log that name a user and an item and count as interactions.

    Attributes:
        file: The name of the file.
        users: The users.
        items: The items.
        times: The times; empty where the log has none.
        user: (n,) codes of `users`.
        item: (n,) codes of `items`.
        line: (n,) numbers of lines.
        rest: (n,) hashes of the other columns; None where there are none.
        read: The number of rows, set aside ones included.
        lines: The number of lines that these rows stand on; a line of a sequence holds several.
        dropped: Why rows are no interactions -> how many.
        ratings: Rating -> number of rows.
        events: Event -> number of rows.
        negative_quantities: The number of rows with a negative quantity.
    """

    file: str
    users: IdCodes = field(default_factory=lambda: IdCodes("user_id"))
    items: IdCodes = field(default_factory=lambda: IdCodes("item_id"))
    times: TimeColumn = field(default_factory=TimeColumn)
    user: NDArray[np.int32] = field(default_factory=lambda: np.empty(0, dtype=np.int32))
    item: NDArray[np.int32] = field(default_factory=lambda: np.empty(0, dtype=np.int32))
    line: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    rest: NDArray[np.uint64] | None = None
    read: int = 0
    lines: int = 0
    dropped: "Counter[str]" = field(default_factory=Counter[str])
    ratings: "Counter[str]" = field(default_factory=Counter[str])
    events: "Counter[str]" = field(default_factory=Counter[str])
    negative_quantities: int = 0


def read_raw_log(table: Table, columns: ColumnMap, filters: Filters, rejects: Rejects, exact_repeats: bool) -> RawLog:
    """Read a table of interactions.

    Args:
        table: The table.
        columns: What its columns mean.
        filters: Which rows count as interactions.
        rejects: Where lines are set aside.
        exact_repeats: Whether rows must be compared with all their columns.

    Returns:
        The rows.
    """
    log = RawLog(table.file)
    parts: list[tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int64]]] = []
    rests: list[pl.Series] = []
    ending = _Ending()
    for part in parts_of(table, columns, exact_repeats):
        log.read += part.rows.height + len(part.set_aside)
        log.lines += int(np.count_nonzero(np.diff(part.lines, prepend=-1))) + len({one.line for one in part.set_aside})
        rejects.rows.extend(part.set_aside)
        user, item = log.users.of(part.rows["user_id"]), log.items.of(part.rows["item_id"])
        rejected = np.zeros(part.rows.height, dtype=bool)
        for codes, ids in ((user, log.users), (item, log.items)):
            wrong = (codes < 0) & ~rejected
            if wrong.any():
                rejects.add_many(table.file, pl.Series(part.lines[wrong]), *ids.reasons(codes[wrong]))
                rejected |= wrong
        keep = _counted(part, log, filters, rejects, rejected)
        user, item, lines = user[keep], item[keep], part.lines[keep]
        times = part.rows["timestamp"].filter(pl.Series(keep)) if "timestamp" in part.rows.columns else None
        if times is not None:
            log.times.add(times)
            ending.add(times, part.whole)
        parts.append((user, item, lines))
        if part.rest is not None:
            rests.append(part.rest.filter(pl.Series(keep)))
    if parts:
        log.user, log.item, log.line = (np.concatenate(column) for column in zip(*parts, strict=True))
    log.rest = pl.concat(rests).to_numpy() if rests else None
    if ending.cut_short:
        # A file that was cut short inside its last number still parses, but that number is shorter than all others.
        rejects.add(table.file, int(log.line[-1]), "cut short: the last timestamp is incomplete")
        log.user, log.item, log.line = log.user[:-1], log.item[:-1], log.line[:-1]
        log.rest = None if log.rest is None else log.rest[:-1]
        last = max(number for number, raw in enumerate(log.times.raw) if len(raw))
        log.times.raw[last], log.times.spellings[last] = log.times.raw[last][:-1], log.times.spellings[last][:-1]
    return log


def _counted(
    part: Part, log: RawLog, filters: Filters, rejects: Rejects, rejected: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """(n,) bool, whether a row counts as an interaction; ratings, events and quantities are counted."""
    rows, keep = part.rows, ~rejected
    if "rating" in rows.columns:
        ratings = _numbers(rows["rating"])
        odd = keep & ~np.isfinite(ratings.fill_null(0.0).to_numpy())
        if odd.any():
            reasons = pl.Series(
                [f"rating is {one_line(value)[:20]}" for value in rows["rating"].filter(pl.Series(odd))]
            )
            rejects.add_many(log.file, pl.Series(part.lines[odd]), reasons, pl.Series(["fault"] * len(reasons)))
            keep &= ~odd
        _count(log.ratings, rows["rating"].filter(pl.Series(keep)))
        if filters.min_rating is not None:
            below = keep & (ratings.fill_null(-np.inf) < filters.min_rating).to_numpy()
            unrated = below & ratings.is_null().to_numpy()
            log.dropped[f"rating below {filters.min_rating:g}"] += int(below.sum() - unrated.sum())
            log.dropped["no rating"] += int(unrated.sum())
            keep &= ~below
    if "event" in rows.columns:
        events = rows["event"].cast(pl.String).fill_null("").str.strip_chars()
        _count(log.events, events.filter(pl.Series(keep)))
        if filters.events:
            other = keep & ~events.is_in(list(filters.events)).to_numpy()
            log.dropped[f"event other than {', '.join(map(one_line, filters.events))}"] += int(other.sum())
            keep &= ~other
    if "quantity" in rows.columns:
        quantities = _numbers(rows["quantity"]).fill_null(0.0).filter(pl.Series(keep))
        log.negative_quantities += int((quantities < 0).sum())
    return keep


def _numbers(values: pl.Series) -> pl.Series:
    """Numbers of a column of any type; null where there is none."""
    if values.dtype == pl.Boolean:
        return values.cast(pl.Float64)
    if values.dtype != pl.String:
        return values.cast(pl.Float64, strict=False)
    text = values.str.strip_chars().str.to_lowercase()
    text = text.replace({"true": "1", "false": "0", "yes": "1", "no": "0"})
    return text.cast(pl.Float64, strict=False)


def _count(counts: "Counter[str]", values: pl.Series) -> None:
    """Add the numbers of rows of each value, of so many values as can be shown."""
    different = values.cast(pl.String, strict=False).fill_null("").value_counts(sort=True)
    for value, count in different.head(MAX_VALUES).iter_rows():
        if value in counts or len(counts) < MAX_VALUES:
            counts[value] += count
        else:
            counts["..."] += count
    if rest := int(different["count"].slice(MAX_VALUES).sum()):
        counts["..."] += rest


class _Ending:
    """Whether the last timestamp of a file without a last end of line is shorter than all others."""

    def __init__(self) -> None:
        self.shortest, self.last, self.whole = 19, 19, True

    def add(self, times: pl.Series, whole: bool) -> None:
        self.whole = whole
        if times.dtype != pl.String or not len(times):
            return
        lengths = times.filter(times.str.contains(r"^-?[0-9]+$")).str.len_bytes()
        if not len(lengths):
            return
        self.shortest = min(self.shortest, self.last, int(lengths[:-1].min() or 19))  # type: ignore[arg-type]
        self.last = int(lengths[-1])

    @property
    def cut_short(self) -> bool:
        return not self.whole and self.last < self.shortest < 19


def parts_of(table: Table, columns: ColumnMap, rest: bool) -> Iterator[Part]:
    """A table of interactions in parts, with the columns of ROLES by these names.

    Args:
        table: The table.
        columns: What its columns mean.
        rest: Whether the other columns are hashed.

    Yields:
        The parts, in the order of the file.
    """
    roles = {role: name for role in ROLES if (name := columns.column(role)) is not None}
    keys = {roles.get(role) for role in ROLES[:3]}
    others = [name for name in columns.columns if name not in keys] if rest else []
    if isinstance(table, Records):
        yield from _record_parts(table, roles, keys if rest else None)
    elif isinstance(table, Frame):
        yield from _frame_parts(table, roles, others)
    else:
        for batch in table.read({*roles.values(), *others}):
            yield _part(batch, roles, others)


def _part(batch: Batch, roles: Mapping[str, str], others: list[str]) -> Part:
    """A part of a batch."""
    if missing := [name for name in {*roles.values(), *others} if name not in batch.rows.columns]:  # one of many files
        batch = batch._replace(rows=batch.rows.with_columns(pl.lit("").alias(name) for name in missing))
    rest = None
    if others and batch.rows.height:
        rest = batch.rows.select(pl.struct(others).hash()).to_series()
    elif others:
        rest = pl.Series([], dtype=pl.UInt64)
    rows = batch.rows.select(pl.col(name).alias(role) for role, name in roles.items())
    return Part(rows, batch.lines.to_numpy(), rest, batch.set_aside, batch.whole)


def _frame_parts(table: Frame, roles: Mapping[str, str], others: list[str]) -> Iterator[Part]:
    """The parts of a frame."""
    names = list(dict.fromkeys([*roles.values(), *others]))
    if table.line_column is not None:
        names.append(table.line_column)
    start, set_aside = 0, table.set_aside
    while True:
        rows = table.rows.slice(start, FRAME_ROWS).select(names).collect()
        first = start + (1 if table.first_line is None else table.first_line)
        lines = rows[table.line_column] if table.line_column else pl.Series(np.arange(first, first + rows.height))
        if rows.height or set_aside or start == 0:
            yield _part(Batch(rows, lines, set_aside), roles, others)
        if rows.height < FRAME_ROWS:
            return
        start, set_aside = start + FRAME_ROWS, ()


def _record_parts(table: Records, roles: Mapping[str, str], keys: "set[str | None] | None") -> Iterator[Part]:
    """The parts of a table of records."""
    rows = iter(table.rows)
    schema = dict.fromkeys(roles, pl.String)
    while chunk := list(islice(rows, RECORD_ROWS)):
        values: list[list[str]] = []
        lines: list[int] = []
        hashes: list[int] = []
        set_aside: list[SetAside] = []
        for number, record in chunk:
            try:
                if isinstance(record, Fault):
                    raise record
                texts = [_role_text(role, record, name) for role, name in roles.items()]
                if (time := roles.get("timestamp", "")) and time not in record:
                    for role, name in zip(roles, texts, strict=True):  # a missing user is no fault, and comes first
                        if role == "user_id" or role == "item_id":
                            check_id(name, role)
                    raise Fault(f"no {time}")
                values.append(texts)
            except Fault as fault:
                set_aside.append(SetAside(table.file, number, str(fault), fault.kind))
                continue
            lines.append(number)
            if keys is not None:
                hashes.append(_rest_hash(record, keys))
        frame = pl.DataFrame(values, schema=schema, orient="row")
        rest = None if keys is None else pl.Series(hashes, dtype=pl.UInt64)
        yield Part(frame, np.array(lines, dtype=np.int64), rest, tuple(set_aside))


def _role_text(role: str, record: Record, name: str) -> str:
    """The value of a role in a record as text, "" where it is missing. Raises Fault."""
    if name not in record and role in ("user_id", "item_id"):
        raise Fault(f"no {name}")
    value = python_value(record.get(name))
    if isinstance(value, str):
        return value
    if is_missing(value):
        return ""
    if isinstance(value, bool) and role in ("user_id", "item_id", "timestamp"):
        raise Fault(f"{role} is a truth value")
    if isinstance(value, (int, float)):
        if isinstance(value, float) and not value.is_integer() and role in ("user_id", "item_id"):
            raise Fault(f"{role} is a float, neither text nor a whole number")
        return _decimal(value) if role == "timestamp" else number_text(value)
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    raise Fault(f"{role} is a {type(value).__name__}, neither text nor a number")


def _decimal(value: Any) -> str:
    """A number without an exponent."""
    text = number_text(value)
    return f"{value:.6f}" if isinstance(value, float) and "e" in text and abs(value) < 1e18 else text


def _rest_hash(record: Record, keys: "set[str | None]") -> int:
    """A hash of all values of a record but the keys."""
    return hash(repr(sorted((name, repr(value)) for name, value in record.items() if name not in keys))) % 2**64


def missing_text(text: str) -> bool:
    """Whether a text of a rating or an event says nothing."""
    return not text.strip() or text.strip() in NULLS
