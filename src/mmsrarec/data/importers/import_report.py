"""What an import took in and what it set aside: import.json and rejects.csv of a data folder."""

import csv
import json
import shutil
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mmsrarec.data.dataset import Dataset, Item
from mmsrarec.data.folder import IMAGES, write_tables
from mmsrarec.data.images import BadPicture, open_picture
from mmsrarec.data.profile import tie_share
from mmsrarec.data.reading.line_faults import Fault, Kind, placeholders
from mmsrarec.errors import DataError

REPORT, REJECTS = "import.json", "rejects.csv"


@dataclass
class Report:
    """What an import took in and what it set aside; lies in the data folder as import.json."""

    items: int = 0
    users: int = 0
    interactions: int = 0
    duplicates: int = 0
    """Lines of either table that repeat an earlier line exactly, dropped."""
    rejects: int = 0
    """Lines set aside in rejects.csv with file, line and reason, what is missing included."""
    null_users: int = 0
    """Of these, lines without a user (NULL, nan, empty, ...): guests are no fault, so no share of them is too large."""
    null_items: int = 0
    """Of these, items and lines without an item; in a sequence, each place without one."""
    unknown_times: int = 0
    """Of these, lines whose timestamp stands for no time: empty, 0, -1, the year 1."""
    placeholder_users: dict[str, int] = field(default_factory=dict)
    """User id -> interactions, of 0 and -1 where they have far more than others: kept, and maybe many people in one."""
    placeholder_items: dict[str, int] = field(default_factory=dict)
    """The same of items."""
    items_without_image: int = 0
    items_without_text: int = 0
    broken_images: dict[str, str] = field(default_factory=dict)
    """Item id -> reason; the item is kept as text-only."""
    tie_share: float = 0.0
    """Share of interactions in the same second as another of the same user."""
    times: str = "seconds"
    """What a timestamp counts; "steps ..." where they only tell an order."""
    unit: str = "seconds"
    """What the timestamps of the source counted."""

    def to_dict(self) -> dict[str, object]:
        return asdict(self)


STEPS = "steps, no times: what needs a clock (recency and trend in words, the split time-cut) is off"


class SetAside(NamedTuple):
    """A line that was not taken."""

    file: str
    line: int
    reason: str
    kind: Kind = "fault"


@dataclass
class Rejects:
    """Lines set aside."""

    rows: list[SetAside] = field(default_factory=list)

    def add(self, path: Path, line: int, fault: Fault | str) -> None:
        kind = fault.kind if isinstance(fault, Fault) else "fault"
        self.rows.append(SetAside(path.name, line, str(fault), kind))

    def count(self, kind: Kind) -> int:
        return sum(row.kind == kind for row in self.rows)

    def in_order(self) -> list[SetAside]:
        """By file as they came, then by line."""
        place = {name: number for number, name in enumerate(dict.fromkeys(row.file for row in self.rows))}
        return sorted(self.rows, key=lambda row: (place[row.file], row.line))

    def check(self, path: Path, lines: int, share: float) -> None:
        """Raise when more than `share` of a file's lines are faulty."""
        bad = [row for row in self.in_order() if row.file == path.name and row.kind == "fault"]
        if len(bad) > share * lines:
            count = f"{path}: {len(bad)} of {lines} lines are faulty, more than {share:.2%}"
            raise DataError(f"{count}; the first is line {bad[0].line}: {bad[0].reason}. Mend the file or allow more")

    def check_left(self, path: Path, left: int, what: str) -> None:
        """Raise when nothing is left of a file."""
        if not left:
            bad = [row for row in self.in_order() if row.file == path.name]
            why = f": {len(bad)} lines were set aside, the first is line {bad[0].line}: {bad[0].reason}" if bad else ""
            raise DataError(f"{path} holds no {what}{why}")


def accept_picture(item: Item, root: Path, new: Path, report: Report) -> Item:
    """Copy an item's picture from `root` into the data folder `new` if it opens; the item as it is to be written."""
    if item.image is None:
        return item
    try:
        open_picture(root / item.image, root)
    except BadPicture as reason:
        report.broken_images[item.item_id] = str(reason)
        return replace(item, image=None)
    real = (root / item.image).resolve()
    name = real.relative_to(root.resolve())
    target = new / IMAGES / name
    target.parent.mkdir(parents=True, exist_ok=True)
    if not target.exists():
        shutil.copyfile(real, target)
    return replace(item, image=name.as_posix())


def complete(dataset: Dataset, report: Report, rejects: Rejects) -> None:
    """Fill in the counts of a report that follow from the data set and from what was set aside."""
    report.items, report.users, report.interactions = (
        len(dataset.items),
        len(dataset.user_ids),
        len(dataset.interactions),
    )
    report.rejects = len(rejects.rows)
    report.null_users, report.null_items = rejects.count("null_users"), rejects.count("null_items")
    report.unknown_times = rejects.count("unknown_times")
    report.placeholder_users = placeholders(dataset.user_ids, np.diff(dataset.interactions.offsets))
    report.placeholder_items = placeholders([item.item_id for item in dataset.items], dataset.interactions.counts)
    if not dataset.has_clock and not report.times.startswith("steps"):
        report.times = STEPS
    report.items_without_image = sum(item.image is None for item in dataset.items)
    report.items_without_text = sum(not item.text for item in dataset.items)
    report.tie_share = tie_share(dataset.interactions)


def write_import(dataset: Dataset, folder: Path, report: Report, rejects: Rejects) -> None:
    """Write the tables, rejects.csv and import.json into a folder that exists; completes the report's counts."""
    complete(dataset, report, rejects)
    write_tables(dataset, folder)
    with (folder / REJECTS).open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(
            [("file", "line", "reason"), *(row[:3] for row in rejects.in_order())]
        )
    (folder / REPORT).write_text(json.dumps(report.to_dict(), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
