"""What an import took in and what it set aside: import.json and rejects.csv of a data folder."""

import csv
import json
import shutil
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from mmsrarec.data.check import tie_share
from mmsrarec.data.dataset import Dataset, Item
from mmsrarec.data.images import BadPicture, open_picture
from mmsrarec.data.tables import IMAGES, write_tables
from mmsrarec.errors import MmsrarecError

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
    """Lines set aside in rejects.csv with file, line and reason."""
    items_without_image: int = 0
    items_without_text: int = 0
    broken_images: dict[str, str] = field(default_factory=dict)
    """Item id -> reason; the item is kept as text-only."""
    tie_share: float = 0.0
    """Share of events in the same second as another of the same user."""
    times: str = "seconds"
    """What a timestamp counts."""

    def to_dict(self) -> dict[str, object]:
        return asdict(self)


@dataclass
class Rejects:
    """Lines set aside: (file name, line number, reason)."""

    rows: list[tuple[str, int, str]] = field(default_factory=list)

    def check(self, path: Path, lines: int, share: float) -> None:
        """Raise when more than `share` of a file's lines were set aside."""
        bad = [row for row in self.rows if row[0] == path.name]
        if len(bad) > share * lines:
            count = f"{path}: {len(bad)} of {lines} lines are faulty, more than {share:.2%}"
            raise MmsrarecError(f"{count}; the first is line {bad[0][1]}: {bad[0][2]}. Mend the file or allow more")


def take_picture(item: Item, root: Path, new: Path, report: Report) -> Item:
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


def write_import(dataset: Dataset, folder: Path, report: Report, rejects: Rejects) -> None:
    """Write the tables, rejects.csv and import.json into a folder that exists; completes the report's counts."""
    report.items, report.users, report.interactions = len(dataset.items), len(dataset.user_ids), len(dataset.events)
    report.rejects = len(rejects.rows)
    report.items_without_image = sum(item.image is None for item in dataset.items)
    report.items_without_text = sum(not item.text for item in dataset.items)
    report.tie_share = tie_share(dataset.events)
    write_tables(dataset, folder)
    with (folder / REJECTS).open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([("file", "line", "reason"), *rejects.rows])
    (folder / REPORT).write_text(json.dumps(report.to_dict(), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
