"""Imports plain tables: items.jsonl, interactions.csv and images/, as people export them, faults included."""

import hashlib
import re
from dataclasses import replace
from pathlib import Path

import numpy as np

from mmsrarec.data.core import Core, drop_unused, in_core
from mmsrarec.data.dataset import Dataset, Item, make_events
from mmsrarec.data.importers.report import Rejects, Report, take_picture, write_import
from mmsrarec.data.rows import COLUMNS, parse_item, scan_rows, to_seconds
from mmsrarec.data.tables import IMAGES, INTERACTIONS, ITEMS, writing_data
from mmsrarec.errors import MmsrarecError


def import_tables(source: Path, out: Path, max_rejects: float = 0.01, core: Core | None = None) -> Report:
    """Read `source`, write the data folder `out`, all or nothing; an earlier import at `out` is replaced.

    core: keep only users and items with that many events (see `data.core`).

    Faulty lines are set aside in rejects.csv. Raises MmsrarecError when they are more than `max_rejects` (a share, in
    [0, 1]) of either table, when an interaction names an item that items.jsonl has not, when the unit of time is not
    clear, when something is missing, or when `out` holds something else.
    """
    source, out = Path(source), Path(out)
    for path in (source, source / ITEMS, source / INTERACTIONS):
        if not path.exists():
            raise MmsrarecError(f"{path} does not exist: a source has {ITEMS}, {INTERACTIONS} and, if any, {IMAGES}/")
    if source.resolve() == out.resolve():
        raise MmsrarecError(f"{out} is the source itself: choose another folder to write to")
    report, rejects = Report(), Rejects()
    items, set_aside = _read_items(source, max_rejects, report, rejects)
    dataset = _read_log(source, items, set_aside, max_rejects, report, rejects)
    if core is not None:
        keep = in_core(dataset.events.user, dataset.events.item, core)
        dataset = drop_unused(replace(dataset, events=dataset.events.where(keep)))
    tables = {name: hashlib.sha256((source / name).read_bytes()).hexdigest() for name in (ITEMS, INTERACTIONS)}
    with writing_data(out, "import tables", source=tables, max_rejects=max_rejects, core=core) as new:
        dataset = replace(
            dataset, items=tuple(take_picture(item, source / IMAGES, new, report) for item in dataset.items)
        )
        write_import(dataset, new, report, rejects)
    return report


def _read_items(source: Path, share: float, report: Report, rejects: Rejects) -> tuple[list[Item], dict[str, int]]:
    """The items, and for lines set aside that still say which item they meant: item id -> line."""
    items: dict[str, Item] = {}
    first: dict[str, int] = {}
    set_aside: dict[str, int] = {}
    number = 0
    with (source / ITEMS).open("rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                item = parse_item(line)
            except ValueError as reason:
                rejects.rows.append((ITEMS, number, str(reason)))
                if named := re.search(rb'"item_id"\s*:\s*"?([^",}\\]+)"?\s*[,}]', line):
                    set_aside[named[1].decode("utf-8", "replace")] = number
                continue
            if items.get(item.item_id) == item:
                report.duplicates += 1
            elif item.item_id in items:
                again = f"item {item.item_id!r} again, described otherwise than on line {first[item.item_id]}"
                rejects.rows.append((ITEMS, number, again))
            else:
                items[item.item_id], first[item.item_id] = item, number
    rejects.check(source / ITEMS, number, share)
    if not items:
        raise MmsrarecError(f"{source / ITEMS} holds no items")
    return list(items.values()), set_aside


def _read_log(
    source: Path, items: list[Item], set_aside: dict[str, int], share: float, report: Report, rejects: Rejects
) -> Dataset:
    """The interactions of known items, without exact repeats, as a Dataset. Users in order of first appearance."""
    path = source / INTERACTIONS
    item_code = {item.item_id: code for code, item in enumerate(items)}
    user_code: dict[str, int] = {}
    seen: set[tuple[str, ...]] = set()
    unknown: dict[str, int] = {}
    table: list[tuple[int, int, int]] = []
    lines, shortest, last = 1, 18, (0, "")
    for number, row in scan_rows(path):
        lines = number
        if isinstance(row, dict) and (item_id := row["item_id"]) not in item_code and item_id in set_aside:
            row = f"item {item_id!r} was set aside: {ITEMS}, line {set_aside[item_id]}"
        if isinstance(row, dict) and (row.get("rating") or "0").strip().lower() in ("nan", "inf", "-inf"):
            row = f"rating is {row['rating']}"
        if isinstance(row, str):
            rejects.rows.append((INTERACTIONS, number, row))
            continue
        if tuple(row.values()) in seen:
            report.duplicates += 1
            continue
        seen.add(tuple(row.values()))
        user_id, item_id, time = (row[name] for name in COLUMNS)
        if item_id not in item_code:
            unknown[item_id] = unknown.get(item_id, 0) + 1
            continue
        shortest = min(shortest, len(last[1]) or 18)
        last = (number, time)
        table.append((user_code.setdefault(user_id, len(user_code)), item_code[item_id], int(time)))
    if unknown:
        shown = ", ".join(repr(item_id) for item_id in list(unknown)[:5])
        count = f"{path}: {sum(unknown.values())} interactions name {len(unknown)} items that {ITEMS} has not ({shown}"
        raise MmsrarecError(f"{count}{', ...' if len(unknown) > 5 else ''}); add the items or remove these lines")
    if table and last[0] == lines and len(last[1]) < shortest < 18 and not _ends_with_newline(path):
        # A file cut short inside its last number still parses; a number shorter than all others gives it away.
        rejects.rows.append((INTERACTIONS, lines, "cut short: the last timestamp is incomplete"))
        table.pop()
    rejects.check(path, lines - 1, share)
    if not table:
        raise MmsrarecError(f"{path} holds no interactions")
    users, codes, raw = np.array(table, dtype=np.int64).T
    order = np.argsort(raw, kind="stable")  # before rounding to seconds, which would lose the order within one
    user, item, time = users[order], codes[order], to_seconds(raw, str(path))[order]
    return Dataset(
        source.name, tuple(items), tuple(user_code), make_events(user, item, time, len(user_code), len(items))
    )


def _ends_with_newline(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, 2)
        return file.read(1) == b"\n"
