"""Makes a data set of the rows of a log: times are read, repeats folded, the k-core is taken, codes are given."""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import cast

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mmsrarec.core.terminal import one_line
from mmsrarec.data.dataset import Dataset, IntArray, Item, make_interactions
from mmsrarec.data.importers.catalogue.items import ItemTable
from mmsrarec.data.importers.log.match_ids import matched, near_misses
from mmsrarec.data.importers.log.raw_log import RawLog
from mmsrarec.data.importers.log.time_values import FAULTY, MISSING, READ
from mmsrarec.data.importers.rejects import Rejects
from mmsrarec.data.importers.source import Source
from mmsrarec.data.kcore import Core, in_core
from mmsrarec.data.times import read_times
from mmsrarec.data.units import Repeats, Times, Unit
from mmsrarec.errors import DataError


@dataclass(frozen=True)
class LogOptions:
    """How a log becomes a data set.

    Attributes:
        time: The declared unit of the timestamps.
        max_rejects: The share of the rows, in [0, 1], that may be faulty.
        repeats: What happens to further interactions of a user with the same item.
        core: The least numbers of interactions of a user and of an item; None keeps all.
        match_ids: What ids of items may differ in (`match_ids.REPAIRS`).
    """

    time: Unit = "auto"
    max_rejects: float = 0.01
    repeats: Repeats = "keep"
    core: Core | None = None
    match_ids: tuple[str, ...] = ()


@dataclass
class LogDataset:
    """A data set, and what became of the rows of its log.

    Attributes:
        dataset: The data set.
        folded: Why rows were folded into others -> how many.
        dropped: Why rows were dropped -> how many.
        unit: The unit of the timestamps, or how they were written.
        written: How times were written, where that is no number; "".
        matched_ids: The number of ids of items that were matched to others of the catalogue.
        added_items: The number of items that the table of items lacks.
    """

    dataset: Dataset
    folded: dict[str, int] = field(default_factory=dict[str, int])
    dropped: dict[str, int] = field(default_factory=dict[str, int])
    unit: str = ""
    written: str = ""
    matched_ids: int = 0
    added_items: int = 0


def make_dataset(
    log: RawLog, catalogue: ItemTable | None, source: Source, options: LogOptions, rejects: Rejects, where: str
) -> LogDataset:
    """Make the data set of a log.

    Args:
        log: The rows.
        catalogue: The items; None where there is no table of them.
        source: Where they come from.
        options: How the log becomes a data set.
        rejects: Where rows are set aside.
        where: The name of the log, for messages.

    Returns:
        The data set. Users keep the order of their first interaction, items that of their table; items that the table
        lacks stand last, in the order of their first interaction.

    Raises:
        DataError: Too many rows are faulty, the unit of time is not clear, interactions name unknown items, or nothing
            is left.
    """
    rejects.check(log.file, log.lines, options.max_rejects)
    rows = _Rows(log)
    rejects.check_left(log.file, len(rows.user), "interactions" if not log.dropped else _nothing_counts(log))
    nothing = np.empty(0, dtype=np.int64)
    answer = LogDataset(Dataset("", (), (), make_interactions(nothing, nothing, nothing, 0, 0), times="steps"))
    items = _known_items(rows, log, catalogue, source, options, rejects, where, answer)
    times: Times = "steps"
    if source.order == "column":
        times = _read_times(rows, log, options, source, rejects, where, answer)
    if source.exact_repeats == "fold" and source.order == "column":
        answer.folded["exact repeats"] = rows.keep(~_repeated(rows))
    rows.in_time_order()
    if options.repeats != "keep":
        name = f"repeats of user and item, the {options.repeats} is kept"
        answer.folded[name] = rows.keep(_once(rows, options.repeats))
    if options.core is not None:
        low = in_core(cast(IntArray, rows.user), cast(IntArray, rows.item), options.core)
        answer.dropped[f"outside the {options.core[0]},{options.core[1]} core"] = rows.keep(low)
    if source.order == "ends":
        rows.align()
        answer.unit = "steps"
    elif source.order == "rows":
        answer.unit = "steps"
    user_ids, user = renumbered(log.users.names, rows.user, rows.line_order)
    only_used = options.core is not None or source.catalogue == "log" or catalogue is None
    items, item = _final_items(items, rows, 0 if only_used or catalogue is None else len(catalogue.items))
    interactions = make_interactions(user, item, rows.seconds, len(user_ids), len(items))
    answer.dataset = Dataset(source.name, items, tuple(user_ids), interactions, times=times)
    return answer


class _Rows:
    """The rows of a log that are left, as columns.

    Attributes:
        user: (n,) codes of users.
        item: (n,) codes of items.
        raw: (n,) times as they stand, which tell the order.
        seconds: (n,) seconds or steps.
        line: (n,) numbers of lines.
        rest: (n,) hashes of other columns; None where there are none.
        line_order: (n,) places of the rows in the file.
    """

    def __init__(self, log: RawLog):
        count = len(log.user)
        self.user, self.item, self.line, self.rest = log.user, log.item, log.line, log.rest
        self.raw: IntArray = np.arange(count)
        self.seconds: IntArray = self.raw
        self.line_order: IntArray = self.raw

    def keep(self, mask: NDArray[np.bool_]) -> int:
        """Keep the rows for which the (n,) mask is true, and return the number of the others."""
        if mask.all():
            return 0
        same = self.seconds is self.raw
        self.user, self.item, self.line, self.raw = self.user[mask], self.item[mask], self.line[mask], self.raw[mask]
        self.seconds = self.raw if same else self.seconds[mask]
        self.line_order = self.line_order[mask]
        self.rest = None if self.rest is None else self.rest[mask]
        return int((~mask).sum())

    def in_time_order(self) -> None:
        """Sort the rows by time; ties keep the order of the file. Times in seconds would lose the order within one."""
        if (np.diff(self.raw) >= 0).all():
            return
        order = np.argsort(self.raw, kind="stable")
        for name in ("user", "item", "line", "raw", "seconds", "line_order"):
            setattr(self, name, getattr(self, name)[order])
        self.rest = None if self.rest is None else self.rest[order]

    def align(self) -> None:
        """Number each user's rows so that the last rows of all users have the same step."""
        order = np.argsort(self.user, kind="stable")
        user = self.user[order]
        starts = np.flatnonzero(np.diff(user, prepend=-1))
        lengths = np.diff(np.append(starts, len(user)))
        place = np.arange(len(user)) - np.repeat(starts, lengths)
        steps = np.empty(len(user), dtype=np.int64)
        steps[order] = lengths.max(initial=0) - np.repeat(lengths, lengths) + place + 1
        self.seconds = steps


def _read_times(
    rows: _Rows,
    log: RawLog,
    options: LogOptions,
    source: Source,
    rejects: Rejects,
    where: str,
    answer: LogDataset,
) -> Times:
    """Read the times of the rows; rows without a plausible one are set aside. Returns the unit of the data set."""
    declared = options.time if options.time != "auto" else source.time
    raw, spelling, unit, answer.written = log.times.joined(declared)
    raw, spelling = raw[rows.line_order], spelling[rows.line_order]
    rows.raw = rows.seconds = raw
    no_time = spelling == MISSING
    faulty = spelling == FAULTY
    texts = log.times.texts(rows.line_order[no_time | faulty])
    for mask, kind in ((no_time, "unknown_times"), (faulty, "fault")):
        odd = pl.Series(rows.line_order[mask])
        words = [f"timestamp {texts[row]}" for row in odd.to_list()]
        rejects.add_many(log.file, pl.Series(rows.line[mask]), pl.Series(words), pl.Series([kind] * len(words)))
    rejects.check(log.file, log.lines, options.max_rejects, f"Of times, {READ}" if faulty.any() else "")
    rows.keep(~(no_time | faulty))
    rejects.check_left(log.file, len(rows.user), "interactions")
    reading = read_times(rows.raw, where, unit, options.max_rejects)
    for mask, kind in ((reading.unknown, "unknown_times"), (reading.wrong, "fault")):
        words = [reading.reason(row) for row in np.flatnonzero(mask).tolist()]
        rejects.add_many(log.file, pl.Series(rows.line[mask]), pl.Series(words), pl.Series([kind] * len(words)))
    rejects.check(log.file, log.lines, options.max_rejects)
    rows.seconds = reading.seconds()
    rows.keep(reading.plausible)
    rejects.check_left(log.file, len(rows.user), "interactions")
    answer.unit = answer.written or reading.unit
    return reading.times


def _known_items(
    rows: _Rows,
    log: RawLog,
    catalogue: ItemTable | None,
    source: Source,
    options: LogOptions,
    rejects: Rejects,
    where: str,
    answer: LogDataset,
) -> list[Item]:
    """The items by the codes that the rows then have. Rows of items that were set aside are set aside too."""
    names = log.items.names
    if catalogue is None:
        return [Item(name) for name in names]
    known = {item_id: code for code, item_id in enumerate(catalogue.items)}
    code_of = np.array([known.get(name, -1) for name in names], dtype=np.int64)
    unknown = [name for code, name in enumerate(names) if code_of[code] < 0]
    if unknown and options.match_ids:
        matches = matched(unknown, known.keys(), options.match_ids)
        answer.matched_ids = len(matches)
        for code, name in enumerate(names):
            if name in matches:
                code_of[code] = known[matches[name]]
    set_aside = np.array(
        [name in catalogue.set_aside and code_of[code] < 0 for code, name in enumerate(names)], dtype=bool
    )
    gone = set_aside[rows.item] if len(names) else np.zeros(0, dtype=bool)
    if gone.any():
        reasons = [
            f"item {names[code]!r} was set aside: {catalogue.file}, line {catalogue.set_aside[names[code]]}"
            for code in rows.item[gone].tolist()
        ]
        rejects.add_many(log.file, pl.Series(rows.line[gone]), pl.Series(reasons), pl.Series(["fault"] * len(reasons)))
        rejects.check(log.file, log.lines, options.max_rejects)
        rows.keep(~gone)
    lacking = np.flatnonzero((code_of < 0) & ~set_aside)
    if source.unknown_items == "refuse" and len(lacking):
        _refuse_unknown(rows, [names[code] for code in lacking], np.isin(rows.item, lacking), known, catalogue, where)
    code_of[lacking] = len(known) + np.arange(len(lacking))
    answer.added_items = len(lacking)
    rows.item = code_of[rows.item].astype(np.int32)
    return [*catalogue.items.values(), *(Item(names[code]) for code in lacking)]


def _refuse_unknown(
    rows: _Rows,
    unknown: list[str],
    concerned: NDArray[np.bool_],
    known: Collection[str],
    catalogue: ItemTable,
    where: str,
) -> None:
    """Raise DataError where rows name items that the catalogue lacks."""
    if not concerned.any():
        return
    names = ", ".join(repr(one_line(name)) for name in unknown[:5])
    file = "the items have" if catalogue.file == "items" else f"{catalogue.file} has"
    count = f"{where}: {int(concerned.sum())} interactions name {len(unknown)} items that {file} not"
    hint = near_misses(unknown, known) or "add the items or remove these lines"
    raise DataError(f"{count} ({names}{', ...' if len(unknown) > 5 else ''}); {hint}")


def _final_items(items: list[Item], rows: _Rows, catalogue: int) -> tuple[tuple[Item, ...], IntArray]:
    """The items of the data set, which are the first of all and those with a row, and the codes of the rows."""
    has_row = np.bincount(rows.item, minlength=len(items)) > 0
    has_row[:catalogue] = True
    used: IntArray = np.flatnonzero(has_row)
    place = np.full(len(items), -1, dtype=np.int64)
    place[used] = np.arange(len(used))
    codes: list[int] = used.tolist()
    return tuple(items[code] for code in codes), place[rows.item]


def _repeated(rows: _Rows) -> NDArray[np.bool_]:
    """(n,) bool, whether an earlier row is equal in user, item, time and all other columns."""
    columns: dict[str, NDArray[np.int64] | NDArray[np.int32] | NDArray[np.uint64]] = {
        "user": rows.user,
        "item": rows.item,
        "raw": rows.raw,
    }
    if rows.rest is not None:
        columns["rest"] = rows.rest
    hashes = pl.DataFrame(columns).hash_rows()
    again = ~hashes.is_first_distinct().to_numpy()
    if not again.any():
        return again
    places = np.flatnonzero(hashes.is_duplicated().to_numpy())  # equal hashes, of which a pair might be of other rows
    exact = pl.DataFrame({name: values[places] for name, values in columns.items()})
    first = exact.with_row_index("row").unique(list(columns), keep="first", maintain_order=True)["row"].to_numpy()
    again = np.zeros(len(rows.user), dtype=bool)
    again[places] = True
    again[places[first]] = False
    return again


def _once(rows: _Rows, repeats: Repeats) -> NDArray[np.bool_]:
    """(n,) bool, whether a row is the first or the last of its user and item; the rows are in time order."""
    pairs = pl.Series(rows.user.astype(np.int64) * (int(rows.item.max(initial=0)) + 1) + rows.item)
    first = pairs.is_first_distinct() if repeats == "first" else pairs.is_last_distinct()
    return first.to_numpy()


def _nothing_counts(log: RawLog) -> str:
    """What is missing where filters left nothing."""
    reasons = ", ".join(f"{count} with {why}" for why, count in log.dropped.items() if count)
    seen = ", ".join(one_line(value) or "none" for value, _ in (log.events or log.ratings).most_common(8))
    return f"interactions that count: of {log.read} rows {reasons}; there are {seen}"


def renumbered(names: list[str], codes: NDArray[np.int32], order: IntArray) -> tuple[list[str], IntArray]:
    """The names that occur in (n,) codes by the (n,) places of their rows in the file, and the codes of these names."""
    frame = pl.DataFrame({"code": codes, "place": order})
    first = frame.group_by("code").agg(pl.col("place").min()).sort("place")["code"].to_numpy()
    rank = np.full(len(names), -1, dtype=np.int64)
    rank[first] = np.arange(len(first))
    return [names[code] for code in first.tolist()], rank[codes]
