"""What the importers of logs with times share: repeats are dropped, times are read, the rest gets its codes."""

from array import array
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from mmsrarec.data.dataset import Dataset, IntArray, Item, make_interactions
from mmsrarec.data.importers.import_report import Rejects, Report
from mmsrarec.data.reading.line_faults import Fault
from mmsrarec.data.times import read_times
from mmsrarec.data.units import Unit


@dataclass
class Log:
    """Rows of a log in the order of its file, while it is read."""

    path: Path
    users: dict[str, int] = field(default_factory=dict)
    items: dict[str, int] = field(default_factory=dict)
    table: array = field(default_factory=lambda: array("q"))

    def add(self, user_id: str, item_id: str, time: int, line: int) -> None:
        user = self.users.setdefault(user_id, len(self.users))
        self.table.extend((user, self.items.setdefault(item_id, len(self.items)), time, line))

    def drop_last(self) -> None:
        del self.table[-4:]

    def drop_repeats(self) -> int:
        """Keep the first of rows that are equal in user, item and time; the number of the others."""
        rows = np.frombuffer(self.table, dtype=np.int64).reshape(-1, 4)
        first = np.sort(np.unique(rows[:, :3], axis=0, return_index=True)[1])
        self.table = array("q", rows[first].tobytes())
        return len(rows) - len(first)

    def finish(
        self, name: str, lines: int, share: float, unit: Unit, report: Report, rejects: Rejects, catalogue: list[Item]
    ) -> Dataset:
        """The data set of the rows whose times are plausible; the others are set aside, and so is who had no other.

        lines: of the file. share: of these, how many may be faulty. catalogue: the items, where they are known; else
        they are those of the log, in order of appearance. Raises MmsrarecError where more is wrong, or nothing is left.
        """
        rejects.check(self.path, lines, share)
        rejects.check_left(self.path, len(self.table), "interactions")
        user, item, raw, line = np.frombuffer(self.table, dtype=np.int64).reshape(-1, 4).T
        read = read_times(raw, str(self.path), unit, share)
        for row in np.flatnonzero(~read.taken).tolist():
            kind = "unknown_times" if read.unknown[row] else "fault"
            rejects.add(self.path, int(line[row]), Fault(read.reason(row), kind))
        rejects.check(self.path, lines, share)
        kept = read.taken
        rejects.check_left(self.path, int(kept.sum()), "interactions")
        user_ids, user = _renumbered(list(self.users), user[kept])
        if catalogue:
            code = {item.item_id: number for number, item in enumerate(catalogue)}
            item = np.array([code[item_id] for item_id in self.items], dtype=np.int64)[item[kept]]
        else:
            item_ids, item = _renumbered(list(self.items), item[kept])
            catalogue = [Item(item_id) for item_id in item_ids]
        order = np.argsort(
            raw[kept], kind="stable"
        )  # before rounding to seconds, which would lose the order within one
        time = read.seconds()[kept][order]
        report.unit = read.unit
        interactions = make_interactions(user[order], item[order], time, len(user_ids), len(catalogue))
        return Dataset(name, tuple(catalogue), tuple(user_ids), interactions, times=read.times)


def _renumbered(names: list[str], codes: IntArray) -> tuple[list[str], IntArray]:
    """The names that occur, in order of appearance, and the codes that number them so."""
    found, first, place = np.unique(codes, return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    return [names[code] for code in found[order]], rank[place]
