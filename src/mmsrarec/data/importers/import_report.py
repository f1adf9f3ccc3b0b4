"""Counts what an import reads and what it sets aside, in import.json and rejects.csv of the data folder."""

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
    """The counts of an import, written to the data folder as import.json.

    Attributes:
        items: Items of the data folder.
        users: Users of the data folder.
        interactions: Interactions of the data folder.
        duplicates: Lines that repeat an earlier line of the same table exactly; they are dropped.
        rejects: Lines set aside in rejects.csv with file, line and reason.
        null_users: Of these, lines without a user (NULL, nan, empty, ...). Guests are no fault: any share is accepted.
        null_items: Of these, lines without an item, and places of a sequence without one.
        unknown_times: Of these, lines whose timestamp stands for no time: empty, 0, -1, the year 1.
        placeholder_users: User id -> interactions, of the ids 0 and -1 if they have far more than others. They stay,
            but may stand for many people.
        placeholder_items: Item id -> interactions, in the same way.
        items_without_image: Items without a picture that opens.
        items_without_text: Items without a description.
        broken_images: Item id -> reason why its picture is not used; the item stays without it.
        tie_share: The share of interactions, in [0, 1], in the same second as another of the same user.
        times: The unit of the times of the data folder; "steps ..." where they only give an order.
        unit: The unit of the timestamps of the source.
    """

    items: int = 0
    users: int = 0
    interactions: int = 0
    duplicates: int = 0
    rejects: int = 0
    null_users: int = 0
    null_items: int = 0
    unknown_times: int = 0
    placeholder_users: dict[str, int] = field(default_factory=dict[str, int])
    placeholder_items: dict[str, int] = field(default_factory=dict[str, int])
    items_without_image: int = 0
    items_without_text: int = 0
    broken_images: dict[str, str] = field(default_factory=dict[str, str])
    tie_share: float = 0.0
    times: str = "seconds"
    unit: str = "seconds"

    def to_dict(self) -> dict[str, object]:
        """The counts by name, as in import.json."""
        return asdict(self)


STEPS = "steps, no times: what needs a clock (recency and trend in words, the split time-cut) is off"


class SetAside(NamedTuple):
    """A line that was set aside.

    Attributes:
        file: The name of its file.
        line: Its number, from 1.
        reason: Why it was set aside.
        kind: Whether it is faulty, or which of its values is missing.
    """

    file: str
    line: int
    reason: str
    kind: Kind = "fault"


@dataclass
class Rejects:
    """The lines that an import sets aside, while it reads.

    Attributes:
        rows: The lines, in the order in which they were set aside.
    """

    rows: list[SetAside] = field(default_factory=list[SetAside])

    def add(self, path: Path, line: int, fault: Fault | str) -> None:
        """Set a line aside.

        Args:
            path: The file.
            line: The number of the line, from 1.
            fault: The reason; a text is a reason of the kind "fault".
        """
        kind = fault.kind if isinstance(fault, Fault) else "fault"
        self.rows.append(SetAside(path.name, line, str(fault), kind))

    def count(self, kind: Kind) -> int:
        """The number of lines of a kind."""
        return sum(row.kind == kind for row in self.rows)

    def in_order(self) -> list[SetAside]:
        """The lines by file, in the order in which files appear, then by line number."""
        place = {name: number for number, name in enumerate(dict.fromkeys(row.file for row in self.rows))}
        return sorted(self.rows, key=lambda row: (place[row.file], row.line))

    def check(self, path: Path, lines: int, share: float) -> None:
        """Check that no more than a share of a file's lines is faulty.

        Args:
            path: The file.
            lines: The number of its lines.
            share: The accepted share, in [0, 1].

        Raises:
            DataError: More lines are faulty.
        """
        faults = [row for row in self.in_order() if row.file == path.name and row.kind == "fault"]
        if len(faults) > share * lines:
            count = f"{path}: {len(faults)} of {lines} lines are faulty, more than {share:.2%}"
            raise DataError(
                f"{count}; the first is line {faults[0].line}: {faults[0].reason}. Mend the file or allow more"
            )

    def check_left(self, path: Path, count: int, what: str) -> None:
        """Check that something is left of a file.

        Args:
            path: The file.
            count: The number of things that are left.
            what: What they are, for the message.

        Raises:
            DataError: Nothing is left.
        """
        if not count:
            rows = [row for row in self.in_order() if row.file == path.name]
            reason = (
                f": {len(rows)} lines were set aside, the first is line {rows[0].line}: {rows[0].reason}"
                if rows
                else ""
            )
            raise DataError(f"{path} holds no {what}{reason}")


def accept_picture(item: Item, root: Path, new: Path, report: Report) -> Item:
    """Copy an item's picture into a data folder if it opens.

    Args:
        item: The item.
        root: The folder in which its picture must lie.
        new: The data folder that is being written.
        report: The counts, to which a broken picture is added.

    Returns:
        The item with the picture's name in the data folder, or without a picture.
    """
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
    """Write the tables, rejects.csv and import.json of an import into an existing folder.

    Args:
        dataset: The imported data set.
        folder: The folder.
        report: The counts, which are completed.
        rejects: The lines that were set aside.
    """
    complete(dataset, report, rejects)
    write_tables(dataset, folder)
    with (folder / REJECTS).open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(
            [("file", "line", "reason"), *(row[:3] for row in rejects.in_order())]
        )
    (folder / REPORT).write_text(json.dumps(report.to_dict(), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
