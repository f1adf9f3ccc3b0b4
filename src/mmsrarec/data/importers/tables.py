"""Imports plain tables as people export them, with their faults: items.jsonl, interactions.csv and images/."""

import re
from dataclasses import replace
from pathlib import Path

from mmsrarec.core.artefacts import file_hash
from mmsrarec.data.dataset import Dataset, Item
from mmsrarec.data.folder import IMAGES, INTERACTIONS, ITEMS, writing_data
from mmsrarec.data.importers.import_report import Rejects, Report, accept_picture, write_import
from mmsrarec.data.importers.timed_log import Log
from mmsrarec.data.kcore import Core, drop_unused, in_core
from mmsrarec.data.reading.files import Lines, find
from mmsrarec.data.reading.line_faults import Fault
from mmsrarec.data.reading.parsing import COLUMNS, parse_item, scan_rows
from mmsrarec.data.units import Unit
from mmsrarec.errors import DataError


def import_tables(
    source: Path, out: Path, max_rejects: float = 0.01, core: Core | None = None, time: Unit = "auto"
) -> Report:
    """Import a folder of tables and write a data folder: all or nothing.

    Lines that are faulty, or without a user, an item or a time, are set aside in rejects.csv.

    Args:
        source: The folder of the tables.
        out: The data folder to write. An earlier import there is replaced.
        max_rejects: The share of the lines of each table, in [0, 1], that may be faulty.
        core: The least numbers of interactions of a user and of an item (see `kcore`); None keeps all.
        time: The unit of the timestamps; "auto" recognizes it by their magnitude.

    Returns:
        The counts of the import, as in import.json.

    Raises:
        DataError: Too many lines are faulty, an interaction names an item that items.jsonl lacks, the unit of time
            is not clear, no time is plausible, something is missing, or `out` holds something else.
    """
    source, out = Path(source), Path(out)
    items_path, log_path = (find(source, name) for name in (ITEMS, INTERACTIONS))
    for path in (source, items_path, log_path):
        if not path.exists():
            raise DataError(f"{path} does not exist: a source has {ITEMS}, {INTERACTIONS} and, if any, {IMAGES}/")
    if source.resolve() == out.resolve():
        raise DataError(f"{out} is the source itself: choose another folder to write to")
    report, rejects = Report(), Rejects()
    items, set_aside = _read_items(items_path, max_rejects, report, rejects)
    dataset = _read_log(log_path, items, set_aside, max_rejects, time, report, rejects)
    if core is not None:
        keep = in_core(dataset.interactions.user, dataset.interactions.item, core)
        dataset = drop_unused(replace(dataset, interactions=dataset.interactions.where(keep)))
    settings = {"source": {path.name: file_hash(path) for path in (items_path, log_path)}, "time": time}
    with writing_data(out, "import tables", dataset.times, **settings, max_rejects=max_rejects, core=core) as new:
        dataset = replace(
            dataset, items=tuple(accept_picture(item, source / IMAGES, new, report) for item in dataset.items)
        )
        write_import(dataset, new, report, rejects)
    return report


def _read_items(path: Path, share: float, report: Report, rejects: Rejects) -> tuple[list[Item], dict[str, int]]:
    """The items, and item id -> line number of the lines set aside whose item id can still be read."""
    items: dict[str, Item] = {}
    first_lines: dict[str, int] = {}
    set_aside: dict[str, int] = {}
    number = 0
    for number, line in enumerate(Lines(path), start=1):
        try:
            item = parse_item(line)
        except Fault as reason:
            rejects.add(path, number, reason)
            if id_match := re.search(rb'"item_id"\s*:\s*"?([^",}\\]+)"?\s*[,}]', line):
                set_aside[id_match[1].decode("utf-8", "replace")] = number
            continue
        if items.get(item.item_id) == item:
            report.duplicates += 1
        elif item.item_id in items:
            reason = f"item {item.item_id!r} again, described otherwise than on line {first_lines[item.item_id]}"
            rejects.add(path, number, reason)
        else:
            items[item.item_id], first_lines[item.item_id] = item, number
    rejects.check(path, number, share)
    rejects.check_left(path, len(items), "items")
    return list(items.values()), set_aside


def _read_log(
    path: Path,
    items: list[Item],
    set_aside: dict[str, int],
    share: float,
    unit: Unit,
    report: Report,
    rejects: Rejects,
) -> Dataset:
    """The interactions of the items, without exact repeats, as a data set; users in order of first appearance."""
    item_ids = {item.item_id for item in items}
    log, lines = Log(path), Lines(path)
    rows: set[tuple[str, ...]] = set()
    unknown: dict[str, int] = {}
    number, shortest, last = 1, 19, (0, "")
    for number, row in scan_rows(lines):
        if isinstance(row, Fault):
            rejects.add(path, number, row)
            continue
        user_id, item_id, time = (row[name] for name in COLUMNS)
        if item_id not in item_ids and item_id in set_aside:
            rejects.add(path, number, f"item {item_id!r} was set aside: {ITEMS}, line {set_aside[item_id]}")
        elif (row.get("rating") or "0").strip().lower() in ("nan", "inf", "-inf"):
            rejects.add(path, number, f"rating is {row['rating']}")
        elif (values := tuple(row.values())) in rows:
            report.duplicates += 1
        else:
            rows.add(values)
            if item_id not in item_ids:
                unknown[item_id] = unknown.get(item_id, 0) + 1
                continue
            shortest = min(shortest, len(last[1]) or 19)
            last = (number, time)
            log.add(user_id, item_id, int(time), number)
    if unknown:
        names = ", ".join(repr(item_id) for item_id in list(unknown)[:5])
        count = f"{path}: {sum(unknown.values())} interactions name {len(unknown)} items that {ITEMS} has not ({names}"
        raise DataError(f"{count}{', ...' if len(unknown) > 5 else ''}); add the items or remove these lines")
    if last[0] == number and len(last[1]) < shortest < 19 and not lines.whole:
        # A file that was cut short inside its last number still parses, but that number is shorter than all others.
        rejects.add(path, number, "cut short: the last timestamp is incomplete")
        log.drop_last()
    return log.finish(path.parent.name, number - 1, share, unit, report, rejects, items)
