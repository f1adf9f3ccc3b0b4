"""The lines that an import sets aside, with file, line and reason: rejects.parquet of the data folder."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from mmsrarec.core.terminal import one_line
from mmsrarec.data.importers.source import SetAside
from mmsrarec.data.reading.line_faults import Fault, Kind
from mmsrarec.errors import DataError

REJECTS = "rejects.parquet"
SCHEMA = {"file": pl.String, "line": pl.Int64, "reason": pl.String, "kind": pl.String}
_MAX_KINDS = 6
_VARIABLE = re.compile(r"'[^']*'|\"[^\"]*\"|-?\d[\d.:-]*")


@dataclass
class Rejects:
    """The lines of a table that an import sets aside, while it reads.

    Attributes:
        rows: The lines, in the order in which they were set aside.
        parts: Many lines with one reason each, as frames of SCHEMA; there may be millions of guests.
    """

    rows: list[SetAside] = field(default_factory=list[SetAside])
    parts: list[pl.DataFrame] = field(default_factory=list[pl.DataFrame])

    def add(self, file: Path | str, line: int, fault: Fault | str) -> None:
        """Set a line aside.

        Args:
            file: The file, or its name.
            line: The number of the line, from 1.
            fault: The reason; a text is a reason of the kind "fault".
        """
        kind = fault.kind if isinstance(fault, Fault) else "fault"
        self.rows.append(SetAside(_name(file), line, str(fault), kind))

    def add_many(self, file: Path | str, lines: pl.Series, reasons: pl.Series, kinds: pl.Series) -> None:
        """Set n lines aside: (n,) line numbers, reasons and kinds."""
        if len(lines):
            columns = {"line": lines, "reason": reasons, "kind": kinds}
            part = pl.DataFrame(columns).with_columns(file=pl.lit(_name(file))).select(list(SCHEMA))
            self.parts.append(part.with_columns(pl.col(name).cast(kind) for name, kind in SCHEMA.items()))

    def count(self, kind: Kind) -> int:
        """The number of lines of a kind."""
        return sum(row.kind == kind for row in self.rows) + sum(
            int((part["kind"] == kind).sum()) for part in self.parts
        )

    def total(self) -> int:
        """The number of lines."""
        return len(self.rows) + sum(part.height for part in self.parts)

    def with_others(self, others: "Rejects") -> "Rejects":
        """These lines, then those of another table."""
        return Rejects([*self.rows, *others.rows], [*self.parts, *others.parts])

    def frame(self) -> pl.DataFrame:
        """The lines by file, in the order in which files appear, then by line number."""
        own = pl.DataFrame(self.rows, schema=SCHEMA, orient="row")
        parts = pl.concat([own, *self.parts])
        files = [row.file for row in self.rows[:1]] + [part["file"][0] for part in self.parts[:1]]
        order = list(dict.fromkeys([*files, *parts["file"].unique(maintain_order=True)]))
        place = pl.col("file").replace_strict(order, range(len(order)), return_dtype=pl.Int64)
        return parts.sort(place, "line", maintain_order=True)

    def in_order(self) -> list[SetAside]:
        """`frame` as a list."""
        return [SetAside(*row) for row in self.frame().iter_rows()]

    def check(self, file: Path | str, lines: int, share: float, advice: str = "") -> None:
        """Check that no more than a share of a table's lines is faulty.

        Args:
            file: The file of the table, for the message.
            lines: The number of its lines.
            share: The accepted share, in [0, 1].
            advice: What else to say.

        Raises:
            DataError: More lines are faulty; the message names each kind of fault with its first line.
        """
        faults = self.count("fault")
        if faults <= share * lines:
            return
        rows = self.frame().filter(pl.col("kind") == "fault")
        first = rows.row(0, named=True)
        count = f"{file}: {faults} of {lines} lines are faulty, more than {share:.2%}"
        others = _other_kinds(list(zip(rows["line"], rows["reason"], strict=True)))
        raise DataError(
            f"{count}; the first is line {first['line']}: {one_line(first['reason'])}{others}. Mend the file or allow "
            f"more with --max-rejects{f'. {advice}' if advice else ''}"
        )

    def check_left(self, file: Path | str, count: int, what: str) -> None:
        """Check that something is left of a file.

        Args:
            file: The file.
            count: The number of things that are left.
            what: What they are, for the message.

        Raises:
            DataError: Nothing is left.
        """
        if not count:
            rows = self.frame()
            reason = ""
            if rows.height:
                first = one_line(rows["reason"][0])
                reason = f": {rows.height} lines were set aside, the first is line {rows['line'][0]}: {first}"
            raise DataError(f"{file} holds no {what}{reason}")

    def write(self, folder: Path) -> None:
        """Write rejects.parquet into a folder."""
        self.frame().write_parquet(folder / REJECTS)


def _other_kinds(faults: Sequence[tuple[int, str]]) -> str:
    """The kinds of fault besides the first, each with its count and its first line, as a part of a message."""
    counts: Counter[str] = Counter()
    examples: dict[str, tuple[int, str]] = {}
    for line, reason in faults:
        kind = _VARIABLE.sub("*", reason)
        counts[kind] += 1
        examples.setdefault(kind, (line, reason))
    first = next(iter(examples))
    parts = [
        f"{counts[kind]} x line {line}: {one_line(reason)}"
        for kind, (line, reason) in examples.items()
        if kind != first
    ]
    more = f"; and {len(parts) - _MAX_KINDS} other kinds" if len(parts) > _MAX_KINDS else ""
    same = f" ({counts[first]} such lines)" if parts else ""
    return same + "".join(f"; {part}" for part in parts[:_MAX_KINDS]) + more


def _name(file: Path | str) -> str:
    return file.name if isinstance(file, Path) else file
