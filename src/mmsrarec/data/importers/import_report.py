"""What an import found and did, in import.json of the data folder and in the table that the command prints."""

import contextlib
import json
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from mmsrarec.data.dataset import Dataset
from mmsrarec.data.importers.rejects import Rejects
from mmsrarec.data.profile import tie_share
from mmsrarec.data.reading.line_faults import placeholders
from mmsrarec.data.times import date

REPORT = "import.json"
STEPS = "steps, no times: what needs a clock (recency and trend in words, the split time-cut) is off"
MANY_TIES = 0.2
"""Where more interactions than this share are tied, the report says that their order is that of the file."""


@dataclass(frozen=True)
class ColumnUse:
    """What became of a column.

    Attributes:
        table: items or interactions.
        column: Its name in the source.
        became: The field that it became; "" where it was not used.
        values: The number of rows that have a value; None where they were not counted.
        note: Who says so, or why it was not used.
    """

    table: str
    column: str
    became: str
    values: int | None = None
    note: str = ""


@dataclass
class RowCounts:
    """What became of the rows of a table: read = kept + folded + dropped + rejected.

    Attributes:
        read: Rows that were read, faulty ones included.
        kept: Rows that are in the data folder.
        folded: Why rows were folded into others -> how many.
        dropped: Why rows were dropped, as was asked for -> how many.
        rejected: Rows set aside in rejects.parquet.
    """

    read: int = 0
    kept: int = 0
    folded: dict[str, int] = field(default_factory=dict[str, int])
    dropped: dict[str, int] = field(default_factory=dict[str, int])
    rejected: int = 0

    @property
    def accounted(self) -> bool:
        """Whether every row that was read is in one of the counts."""
        return self.read == self.kept + sum(self.folded.values()) + sum(self.dropped.values()) + self.rejected


@dataclass
class Report:
    """The counts of an import, written to the data folder as import.json.

    Attributes:
        format: The format that was read.
        items: Items of the data folder.
        users: Users of the data folder.
        interactions: Interactions of the data folder.
        rows: What became of the rows, by table.
        columns: What became of each column.
        values: What a rating or an event column holds: column -> value -> number of rows.
        assumed: What was assumed where nothing was said, a sentence each.
        notes: What else a user of the data should know, a sentence each.
        conversions: Which values of other types than text were read -> how often.
        duplicates: Lines that repeat an earlier line of the same table; they are folded.
        rejects: Lines set aside in rejects.parquet with file, line and reason.
        null_users: Of these, lines without a user (NULL, nan, empty, ...). Guests are no fault: any share is accepted.
        null_items: Of these, lines without an item, and places of a sequence without one.
        unknown_times: Of these, lines whose timestamp stands for no time: empty, 0, -1, the year 1.
        placeholder_users: User id -> interactions, of the ids 0 and -1 if they have far more than others. They stay,
            but may stand for many people.
        placeholder_items: Item id -> interactions, in the same way.
        items_without_image: Items without a picture that opens.
        items_without_text: Items without a description.
        broken_images: Item id -> reason why its picture is not used; the item stays without it.
        pictures_by_address: Items whose picture is an address: `mmsrarec images` fetches it.
        tie_share: The share of interactions, in [0, 1], in the same second as another of the same user.
        times: The unit of the times of the data folder; "steps ..." where they only give an order.
        unit: The unit of the timestamps of the source, or how they are written.
        first_time: The first day, such as 2023-11-14, or the first step.
        last_time: The last day or step.
    """

    format: str = ""
    items: int = 0
    users: int = 0
    interactions: int = 0
    rows: dict[str, RowCounts] = field(default_factory=dict[str, RowCounts])
    columns: list[ColumnUse] = field(default_factory=list[ColumnUse])
    values: dict[str, dict[str, int]] = field(default_factory=dict[str, dict[str, int]])
    assumed: list[str] = field(default_factory=list[str])
    notes: list[str] = field(default_factory=list[str])
    conversions: dict[str, int] = field(default_factory=dict[str, int])
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
    pictures_by_address: int = 0
    tie_share: float = 0.0
    times: str = "seconds"
    unit: str = "seconds"
    first_time: str = ""
    last_time: str = ""

    def to_dict(self) -> dict[str, object]:
        """The counts by name, as in import.json."""
        return asdict(self)


def complete(dataset: Dataset, report: Report, rejects: Rejects) -> None:
    """Fill in the counts of a report that follow from the data set and from what was set aside."""
    interactions = dataset.interactions
    report.items, report.users, report.interactions = len(dataset.items), len(dataset.user_ids), len(interactions)
    report.rejects = rejects.total()
    report.null_users, report.null_items = rejects.count("null_users"), rejects.count("null_items")
    report.unknown_times = rejects.count("unknown_times")
    report.duplicates = sum(
        count for table in report.rows.values() for why, count in table.folded.items() if why.startswith("exact")
    )
    report.placeholder_users = placeholders(dataset.user_ids, np.diff(interactions.offsets))
    report.placeholder_items = placeholders([item.item_id for item in dataset.items], interactions.counts)
    if not dataset.has_clock and not report.times.startswith("steps"):
        report.times = STEPS
    report.items_without_image = sum(item.image is None for item in dataset.items)
    report.items_without_text = sum(not item.text for item in dataset.items)
    report.tie_share = tie_share(interactions)
    if len(interactions):
        first, last = int(interactions.time.min()), int(interactions.time.max())
        clock = dataset.has_clock
        report.first_time = date(first, "seconds") if clock else str(first)
        report.last_time = date(last, "seconds") if clock else str(last)
    if dataset.has_clock and report.tie_share > MANY_TIES:
        report.notes.append(
            f"{report.tie_share:.0%} of the interactions share their second with another of the same user: their order "
            "is that of the file"
        )


def distribution(counts: "Counter[str]", most: int = 12) -> dict[str, int]:
    """The commonest values of a column with their numbers of rows, in order of their size where they are numbers."""
    commonest = counts.most_common(most)
    rest = sum(counts.values()) - sum(count for _, count in commonest)
    with contextlib.suppress(ValueError):
        commonest.sort(key=lambda entry: float(entry[0] or "-inf"))
    values = {value or "(none)": count for value, count in commonest}
    return values | ({"(other values)": rest} if rest else {})


def write_report(report: Report, rejects: Rejects, folder: Path) -> None:
    """Write import.json and rejects.parquet into an existing folder."""
    rejects.write(folder)
    text = json.dumps(report.to_dict(), indent=2, ensure_ascii=False)
    (folder / REPORT).write_text(text + "\n", encoding="utf-8")
