"""Imports Amazon's reviews as McAuley and colleagues publish them (2014, 2018 and 2023): a file of reviews, a file of
products, a JSON object a line, gzipped or not. Pictures are published as addresses only: who fetched them names their
folder.
"""

import ast
import gzip
import html
import json
import re
from array import array
from collections.abc import Collection, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from mmsrarec.artefacts import file_hash
from mmsrarec.data.core import Core, drop_unused, in_core
from mmsrarec.data.dataset import Dataset, IntArray, Item, make_events
from mmsrarec.data.importers.report import Rejects, Report, take_picture, write_import
from mmsrarec.data.rows import text_lines, to_seconds
from mmsrarec.data.tables import writing_data
from mmsrarec.errors import MmsrarecError

ITEM, USER, TIME = ("parent_asin", "asin"), ("reviewerID", "user_id"), ("unixReviewTime", "timestamp")
"""What the editions call an item (products of one kind are one item since 2023), a user and the moment."""
TEXT, CATEGORIES = ("description", "feature", "features"), ("categories", "category")
PICTURES = (".jpg", ".jpeg", ".png", ".webp")
LONGEST = 1 << 20
"""Characters of a line at most; products have a few thousand."""
TAG = re.compile(r"<[^<>]*>")


def import_amazon(
    reviews: Path,
    out: Path,
    products: Path | None = None,
    pictures: Path | None = None,
    max_rejects: float = 0.01,
    core: Core | None = None,
) -> Report:
    """Read the log `reviews` and what `products` says of its items; write the data folder `out`, all or nothing.

    A review is an event; exact repeats are dropped. Items are those of the log, in order of appearance; without a line
    in `products` they have no text. pictures: a folder of files named by item, ASIN.jpg. core: keep only users and
    items with that many events (see `data.core`). Faulty lines are set aside in rejects.csv. Raises MmsrarecError when
    they are more than `max_rejects` (a share, in [0, 1]) of either file, when something is missing, or when `out` holds
    something else.
    """
    for path in (reviews, products):
        if path is not None and not path.is_file():
            raise MmsrarecError(f"{path} is not a file: name the reviews, and by --products what is sold")
    if pictures is not None and not pictures.is_dir():
        raise MmsrarecError(f"{pictures} is not a folder: name one that holds pictures, ASIN.jpg")
    report, rejects = Report(), Rejects()
    dataset = _read_log(reviews, max_rejects, report, rejects)
    if core is not None:
        keep = in_core(dataset.events.user, dataset.events.item, core)
        dataset = drop_unused(replace(dataset, events=dataset.events.where(keep)))
    if products is not None:
        told = _read_products(products, {item.item_id for item in dataset.items}, max_rejects, report, rejects)
        dataset = replace(dataset, items=tuple(told.get(item.item_id, item) for item in dataset.items))
    if pictures is not None:
        files = {path.stem: path.name for path in sorted(pictures.iterdir()) if path.suffix.lower() in PICTURES}
        dataset = replace(dataset, items=tuple(replace(item, image=files.get(item.item_id)) for item in dataset.items))
    content = [file_hash(path) for path in (reviews, products) if path is not None]
    with writing_data(out, "import amazon", source=content, max_rejects=max_rejects, core=core) as new:
        if pictures is not None:
            taken = tuple(take_picture(item, pictures, new, report) for item in dataset.items)
            dataset = replace(dataset, items=taken)
        write_import(dataset, new, report, rejects)
    return report


def _read_log(path: Path, share: float, report: Report, rejects: Rejects) -> Dataset:
    users: dict[str, int] = {}
    items: dict[str, int] = {}
    table, number = array("q"), 0
    for number, line in _lines(path):
        try:
            user_id, item_id, time = _review(line)
        except ValueError as reason:
            rejects.rows.append((path.name, number, str(reason)))
            continue
        table.extend((users.setdefault(user_id, len(users)), items.setdefault(item_id, len(items)), time))
    rejects.check(path, number, share)
    if not table:
        raise MmsrarecError(f"{path} holds no reviews")
    rows: IntArray = np.frombuffer(table, dtype=np.int64).reshape(-1, 3)
    first = np.sort(np.unique(rows, axis=0, return_index=True)[1])
    report.duplicates += len(rows) - len(first)
    user, item, raw = rows[first].T
    order = np.argsort(raw, kind="stable")
    time = to_seconds(raw, str(path))[order]
    events = make_events(user[order], item[order], time, len(users), len(items))
    name = path.name.split(".")[0]
    return Dataset(name, tuple(Item(item_id) for item_id in items), tuple(users), events)


def _read_products(
    path: Path, wanted: Collection[str], share: float, report: Report, rejects: Rejects
) -> dict[str, Item]:
    """The wanted items that have a line; of several lines the first counts."""
    items: dict[str, Item] = {}
    number = 0
    for number, line in _lines(path):
        try:
            record = _record(line)
            item_id = _name(record, ITEM)
        except ValueError as reason:
            rejects.rows.append((path.name, number, str(reason)))
            continue
        report.duplicates += item_id in items
        if item_id in wanted and item_id not in items:
            items[item_id] = _product(item_id, record)
    rejects.check(path, number, share)
    return items


def _review(line: str | None) -> tuple[str, str, int]:
    """(user, item, time as it stands) of a line. Raises ValueError with the reason."""
    record = _record(line)
    time = next((record[key] for key in TIME if key in record), None)
    if not isinstance(time, int) or isinstance(time, bool) or abs(time) >= 10**18:
        raise ValueError(f"no whole number in {' or '.join(TIME)}")
    return _name(record, USER), _name(record, ITEM), time


def _name(record: dict[str, Any], keys: tuple[str, ...]) -> str:
    found = next((record[key] for key in keys if record.get(key)), None)
    if not isinstance(found, str) or set(found) & set("\r\n\0"):
        raise ValueError(f"no name of one line in {' or '.join(keys)}")
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
    plain = " ".join(TAG.sub(" ", html.unescape(value)).split()) if isinstance(value, str) else ""
    return [plain] if plain else []


def _record(line: str | None) -> dict[str, Any]:
    """The object of one line: JSON, or as the products of 2014 a Python literal. Raises ValueError with the reason."""
    if line is None:
        raise ValueError("not UTF-8")
    if len(line) > LONGEST:
        raise ValueError(f"longer than {LONGEST} characters")
    line = line.strip()
    try:
        record = json.loads(line) if '"' in line[:3] else ast.literal_eval(line)
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        raise ValueError("neither a JSON object nor a Python literal") from None
    if not isinstance(record, dict):
        raise ValueError("not an object")
    return record


def _lines(path: Path) -> Iterator[tuple[int, str | None]]:
    """As `text_lines`, of a file that may be packed."""
    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as file:
            yield from text_lines(file)
    except (EOFError, gzip.BadGzipFile) as error:
        raise MmsrarecError(f"{path} cannot be unpacked ({error}): fetch it again") from None
