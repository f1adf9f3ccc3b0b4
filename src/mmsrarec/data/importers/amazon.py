"""Imports Amazon's reviews as McAuley and colleagues publish them (2014, 2018 and 2023): a file of reviews, a file of
products, a JSON object a line, gzipped or not. Pictures are published as addresses only: who fetched them names their
folder.
"""

import ast
import json
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from mmsrarec.core.artefacts import file_hash
from mmsrarec.data.dataset import Dataset, Item
from mmsrarec.data.folder import writing_data
from mmsrarec.data.importers.import_report import Rejects, Report, accept_picture, write_import
from mmsrarec.data.importers.timed_log import Log
from mmsrarec.data.kcore import Core, drop_unused, in_core
from mmsrarec.data.reading.cleaning import clean
from mmsrarec.data.reading.files import Lines, text_lines
from mmsrarec.data.reading.line_faults import Fault, check_id, is_null
from mmsrarec.data.units import Unit
from mmsrarec.errors import DataError

ITEM, USER, TIME = ("parent_asin", "asin"), ("reviewerID", "user_id"), ("unixReviewTime", "timestamp")
"""What the editions call an item (products of one kind are one item since 2023), a user and the query."""
TEXT, CATEGORIES = ("description", "feature", "features"), ("categories", "category")
PICTURES = (".jpg", ".jpeg", ".png", ".webp")
LONGEST = 1 << 20
"""Characters of a line at most; products have a few thousand."""


def import_amazon(
    reviews: Path,
    out: Path,
    products: Path | None = None,
    pictures: Path | None = None,
    max_rejects: float = 0.01,
    core: Core | None = None,
    time: Unit = "auto",
) -> Report:
    """Read the log `reviews` and what `products` says of its items; write the data folder `out`, all or nothing.

    A review is an interaction; exact repeats are dropped. Items are those of the log, in order of appearance; without a
    line in `products` they have no text. pictures: a folder of files named by item, ASIN.jpg. core: keep only users and
    items with that many interactions (see `data.core`). time: what the timestamps count; "auto" tells by their
    magnitude. Faulty lines are set aside in rejects.csv, and so is what has no user, no item or no time. Raises
    MmsrarecError when faults are more than `max_rejects` (a share, in [0, 1]) of either file, when times are none, when
    something is missing, or when `out` holds something else.
    """
    for path in (reviews, products):
        if path is not None and not path.is_file():
            raise DataError(f"{path} is not a file: name the reviews, and by --products what is sold")
    if pictures is not None and not pictures.is_dir():
        raise DataError(f"{pictures} is not a folder: name one that holds pictures, ASIN.jpg")
    report, rejects = Report(), Rejects()
    dataset = _read_log(reviews, max_rejects, time, report, rejects)
    if core is not None:
        keep = in_core(dataset.interactions.user, dataset.interactions.item, core)
        dataset = drop_unused(replace(dataset, interactions=dataset.interactions.where(keep)))
    if products is not None:
        told = _read_products(products, {item.item_id for item in dataset.items}, max_rejects, report, rejects)
        dataset = replace(dataset, items=tuple(told.get(item.item_id, item) for item in dataset.items))
    if pictures is not None:
        files = {path.stem: path.name for path in sorted(pictures.iterdir()) if path.suffix.lower() in PICTURES}
        dataset = replace(dataset, items=tuple(replace(item, image=files.get(item.item_id)) for item in dataset.items))
    content = [file_hash(path) for path in (reviews, products) if path is not None]
    settings = {"source": content, "time": time, "max_rejects": max_rejects, "core": core}
    with writing_data(out, "import amazon", dataset.times, **settings) as new:
        if pictures is not None:
            taken = tuple(accept_picture(item, pictures, new, report) for item in dataset.items)
            dataset = replace(dataset, items=taken)
        write_import(dataset, new, report, rejects)
    return report


def _read_log(path: Path, share: float, unit: Unit, report: Report, rejects: Rejects) -> Dataset:
    log, number = Log(path), 0
    for number, line in text_lines(Lines(path)):
        try:
            review = _review(line)
        except Fault as reason:
            rejects.add(path, number, reason)
            continue
        log.add(*review, number)
    report.duplicates += log.drop_repeats()
    return log.finish(path.name.split(".")[0], number, share, unit, report, rejects, [])


def _read_products(
    path: Path, wanted: Collection[str], share: float, report: Report, rejects: Rejects
) -> dict[str, Item]:
    """The wanted items that have a line; of several lines the first counts."""
    items: dict[str, Item] = {}
    number = 0
    for number, line in text_lines(Lines(path)):
        try:
            record = _record(line)
            item_id = _name(record, ITEM, "item_id")
        except Fault as reason:
            rejects.add(path, number, reason)
            continue
        report.duplicates += item_id in items
        if item_id in wanted and item_id not in items:
            items[item_id] = _product(item_id, record)
    rejects.check(path, number, share)
    return items


def _review(line: str | None) -> tuple[str, str, int]:
    """(user, item, time as it stands) of a line. Raises Fault."""
    record = _record(line)
    names = _name(record, USER, "user_id"), _name(record, ITEM, "item_id")
    time = next((record[key] for key in TIME if key in record), 0.5)
    if time is None or (isinstance(time, str) and is_null(time)):
        raise Fault(f"no time in {' or '.join(TIME)}", "unknown_times")
    if not isinstance(time, int) or isinstance(time, bool) or not -(2**63) <= time < 2**63:
        raise Fault(f"no whole number in {' or '.join(TIME)}")
    return *names, time


def _name(record: dict[str, Any], keys: tuple[str, ...], column: Literal["user_id", "item_id"]) -> str:
    """The first id that a record has under one of the keys. Raises Fault: none of the keys is a fault, null is none."""
    given = [record[key] for key in keys if key in record]
    found = next((value for value in given if value), given[0] if given else False)
    if found is None:
        found = ""
    if not isinstance(found, str):
        raise Fault(f"no name of one line in {' or '.join(keys)}")
    check_id(found, column)
    return found


def _product(item_id: str, record: dict[str, Any]) -> Item:
    texts = (" ".join(_strings(record.get(key))) for key in TEXT)
    categories = dict.fromkeys(name for key in CATEGORIES for name in _strings(record.get(key)))
    title = " ".join(_strings(record.get("title")))
    return Item(item_id, title, next(filter(None, texts), ""), tuple(categories))


def _strings(value: object) -> list[str]:
    """The texts in a value, lists within lists included: without markup, and without what is nothing but markup."""
    if isinstance(value, list):
        return [text for part in value for text in _strings(part)]
    plain = clean(value) if isinstance(value, str) else ""
    return [plain] if plain else []


def _record(line: str | None) -> dict[str, Any]:
    """The object of one line: JSON, or as the products of 2014 a Python literal. Raises Fault."""
    if line is None:
        raise Fault("not UTF-8")
    if len(line) > LONGEST:
        raise Fault(f"longer than {LONGEST} characters")
    line = line.strip()
    try:
        record = json.loads(line) if '"' in line[:3] else ast.literal_eval(line)
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        raise Fault("neither a JSON object nor a Python literal") from None
    if not isinstance(record, dict):
        raise Fault("not an object")
    return record
