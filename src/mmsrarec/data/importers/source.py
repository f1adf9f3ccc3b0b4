"""What a format hands over to an import: its tables in their own column names, and what these columns mean.

A format says where the tables lie, how their lines are read and what its columns mean. Everything else happens once,
for all formats, in the core of the import: columns are mapped, times converted, ids and texts cleaned, rows counted,
folded and written.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias

import polars as pl

from mmsrarec.data.reading.line_faults import Fault, Kind
from mmsrarec.data.units import Unit

Record: TypeAlias = Mapping[str, object]
"""One row by column name, with the values as the source holds them: texts, numbers, lists, objects, None."""
Order = Literal["column", "rows", "ends"]
"""Where times come from: a column of times; the order of all rows, as steps; or the order of each user's rows, as steps
that are aligned at the user's last row."""
UnknownItems = Literal["refuse", "add"]
"""What happens to an interaction whose item the table of items lacks: the import stops, or the item has no text."""


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


@dataclass(frozen=True)
class Frame:
    """A table that Polars reads: interactions, of which there may be many millions.

    Attributes:
        file: The name of the file, for messages and for what is set aside.
        rows: The rows in the order of the file, with the source's own column names. Ids are text wherever the source
            has text: "007" stays "007".
        first_line: The number of the line on which row 0 stands; None where `line_column` says it for every row.
        line_column: The column with the line number of each row; it is no column of the source.
        set_aside: Lines that the reader could not turn into rows.
    """

    file: str
    rows: pl.LazyFrame
    first_line: int | None = 2
    line_column: str | None = None
    set_aside: tuple[SetAside, ...] = ()


@dataclass(frozen=True)
class Records:
    """A table that is read record by record: items, and interactions in JSON lines.

    Attributes:
        file: The name of the file, for messages and for what is set aside.
        rows: The line number and the record of each line, or the Fault for which it is set aside. It is iterated more
            than once, so it must be an object that starts anew each time, not a generator.
        columns: The names of the columns, where the source declares them; else they are those of the records.
    """

    file: str
    rows: Iterable[tuple[int, Record | Fault]]
    columns: tuple[str, ...] = ()


class Batch(NamedTuple):
    """Some rows of a table that is read in parts.

    Attributes:
        rows: n rows; every column is text.
        lines: (n,) numbers of the lines on which they begin.
        set_aside: Lines that could not be turned into rows.
        whole: Whether the last line has an end; a file that was cut short has none.
    """

    rows: pl.DataFrame
    lines: pl.Series
    set_aside: tuple[SetAside, ...] = ()
    whole: bool = True


@dataclass(frozen=True)
class Batches:
    """A table that is read in parts: what the readers of text files in `data.reading` return.

    Attributes:
        file: The name of the file.
        columns: The names of its columns, which are unique.
        read: Reads the file from its start; the batches hold the columns that are asked for.
        notes: What was found out about the file, such as its separator and its encoding, a sentence each.
    """

    file: str
    columns: tuple[str, ...]
    read: Callable[[Collection[str]], Iterator[Batch]]
    notes: tuple[str, ...] = ()


Table: TypeAlias = Frame | Batches | Records


@dataclass(frozen=True)
class Source:
    """The tables of one place, and what the format knows about them.

    Attributes:
        name: The name of the data set, for messages.
        interactions: The table of interactions.
        items: The table of items; None where the source has none.
        pictures: The folder of pictures; None where the source has none.
        columns: Field -> the column that holds it, as in --map: {"user_id": "reviewerID", "text": "summary+text"}. A
            key such as "items.item_id" holds for one table. Fields that are not named are found by usual names.
        unused: Column -> why the format leaves it out, such as "counts of the whole log, which give away the future".
            Other columns of text join the text of an item.
        order: Where times come from.
        time: The unit of the times where the format fixes it.
        exact_repeats: Whether a row that equals an earlier one is folded into it, or is an interaction of its own.
        unknown_items: What happens to interactions with items that `items` lacks.
        described_again: What happens to an item's second line that says something else: it is faulty, or the first
            line counts and the second is folded into it.
        catalogue: Whether all items of `items` are imported, or only those with an interaction.
        notes: What a user of the data should know about the format, a sentence each; printed with the import.
        files: The files that were read; their hashes are part of the key of the data folder.
    """

    name: str
    interactions: Table
    items: Table | None = None
    pictures: Path | None = None
    columns: Mapping[str, str] = field(default_factory=dict[str, str])
    unused: Mapping[str, str] = field(default_factory=dict[str, str])
    order: Order = "column"
    time: Unit = "auto"
    exact_repeats: Literal["fold", "keep"] = "fold"
    unknown_items: UnknownItems = "refuse"
    described_again: Literal["fault", "first"] = "fault"
    catalogue: Literal["all", "log"] = "all"
    notes: tuple[str, ...] = ()
    files: tuple[Path, ...] = ()


@dataclass(frozen=True)
class ReadOptions:
    """What the user says about a place, besides the place itself.

    Attributes:
        items: The file of items, where it lies elsewhere (--items, --products, --titles).
        pictures: The folder of pictures, where it lies elsewhere.
        encoding: The encoding of text files; None: UTF-8, or UTF-16 by its mark.
        separator: What parts the columns of text files; None: found out.
        names: The names of the columns of a table of interactions without a header.
        query: The SQL query for the interactions.
        items_query: The SQL query for the items.
    """

    items: Path | None = None
    pictures: Path | None = None
    encoding: str | None = None
    separator: str | None = None
    names: tuple[str, ...] | None = None
    query: str | None = None
    items_query: str | None = None


@dataclass(frozen=True)
class Format:
    """A format that `mmsrarec import` knows.

    Attributes:
        name: Its name on the command line, in lower-case letters, digits and hyphens.
        summary: What SOURCE is, in one line, for the help and the documentation.
        recognises: Whether a place looks like this format, by the names and the first bytes of its files. It reads
            little, never raises, and says False in doubt.
        read: Opens a place. It raises DataError with one line that says what is missing and what to do.
        options: Names of the `ReadOptions` that the format takes; others are refused.
    """

    name: str
    summary: str
    recognises: Callable[[str], bool]
    read: Callable[[str, ReadOptions], Source]
    options: frozenset[str] = frozenset()
