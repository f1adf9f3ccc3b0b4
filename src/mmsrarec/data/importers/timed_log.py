"""The rows of a log with times, as several importers read it: repeats are dropped, times are read, codes are given."""

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
    """The rows of a log in the order of its file, while it is read.

    Attributes:
        path: The file.
        users: The codes of the users by id, in order of appearance.
        items: The codes of the items by id, in order of appearance.
        table: User code, item code, timestamp and line number of each row, one after the other.
    """

    path: Path
    users: dict[str, int] = field(default_factory=dict[str, int])
    items: dict[str, int] = field(default_factory=dict[str, int])
    table: "array[int]" = field(default_factory=lambda: array("q"))

    def add(self, user_id: str, item_id: str, time: int, line: int) -> None:
        """Add a row with the timestamp as it stands and the number of its line."""
        user = self.users.setdefault(user_id, len(self.users))
        self.table.extend((user, self.items.setdefault(item_id, len(self.items)), time, line))

    def drop_last(self) -> None:
        """Drop the last row."""
        del self.table[-4:]

    def drop_repeats(self) -> int:
        """Keep the first of the rows that are equal in user, item and time, and return the number of the others."""
        rows = np.frombuffer(self.table, dtype=np.int64).reshape(-1, 4)
        first = np.sort(np.unique(rows[:, :3], axis=0, return_index=True)[1])
        self.table = array("q", rows[first].tobytes())
        return len(rows) - len(first)

    def finish(
        self, name: str, lines: int, share: float, unit: Unit, report: Report, rejects: Rejects, catalogue: list[Item]
    ) -> Dataset:
        """Make the data set of the rows whose times are plausible; the other rows are set aside.

        Args:
            name: The name of the data set.
            lines: The number of lines of the file.
            share: The share of them, in [0, 1], that may be faulty.
            unit: The declared unit of the timestamps, or "auto".
            report: The counts, to which the unit is added.
            rejects: The lines set aside, to which rows with other times are added.
            catalogue: The items; if it is empty, the items are those of the log, in order of appearance.

        Returns:
            The data set; users and items keep the order of their first row with a plausible time.

        Raises:
            MmsrarecError: More lines are faulty, or no row is left.
        """
        rejects.check(self.path, lines, share)
        rejects.check_left(self.path, len(self.table), "interactions")
        user, item, raw, line = np.frombuffer(self.table, dtype=np.int64).reshape(-1, 4).T
        reading = read_times(raw, str(self.path), unit, share)
        for row in np.flatnonzero(~reading.plausible).tolist():
            kind = "unknown_times" if reading.unknown[row] else "fault"
            rejects.add(self.path, int(line[row]), Fault(reading.reason(row), kind))
        rejects.check(self.path, lines, share)
        plausible = reading.plausible
        rejects.check_left(self.path, int(plausible.sum()), "interactions")
        user_ids, user = _renumbered(list(self.users), user[plausible])
        if catalogue:
            code = {item.item_id: number for number, item in enumerate(catalogue)}
            item = np.array([code[item_id] for item_id in self.items], dtype=np.int64)[item[plausible]]
        else:
            item_ids, item = _renumbered(list(self.items), item[plausible])
            catalogue = [Item(item_id) for item_id in item_ids]
        # sorted before rounding to seconds, which would lose the order within one second
        order = np.argsort(raw[plausible], kind="stable")
        time = reading.seconds()[plausible][order]
        report.unit = reading.unit
        interactions = make_interactions(user[order], item[order], time, len(user_ids), len(catalogue))
        return Dataset(name, tuple(catalogue), tuple(user_ids), interactions, times=reading.times)


def _renumbered(names: list[str], codes: IntArray) -> tuple[list[str], IntArray]:
    """The names that occur in (n,) codes, in order of appearance, and the codes of these names."""
    occurring, first_rows, places = np.unique(codes, return_index=True, return_inverse=True)
    order = np.argsort(first_rows)
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    return [names[code] for code in occurring[order]], rank[places]
