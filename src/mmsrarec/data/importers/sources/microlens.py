"""MicroLens: *_pairs.tsv (a user's items in time order) or *_pairs.csv (with milliseconds), *_titles.csv, covers."""

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from mmsrarec.data.importers.places import files_near, find_file, has_file, not_read, pictures_by_stem, sub_folder
from mmsrarec.data.importers.rewriting import with_changed_rows
from mmsrarec.data.importers.sequence_rows import Sequence, sequence_table
from mmsrarec.data.importers.source import Batches, Format, ReadOptions, Record, Records, Source
from mmsrarec.data.reading.delimited import read_delimited
from mmsrarec.data.reading.files import Lines, text_lines
from mmsrarec.data.reading.line_faults import Fault
from mmsrarec.errors import DataError

PAIRS, TITLES = r".*_pairs\.(tsv|csv)", r".*_titles?(_en)?\.csv"
TITLE_COLUMNS = ("item", "title")
NOT_READ = {
    r".*_likes_and_views\.txt": "likes and views are counts of the whole time, which give away the future",
    r".*comment.*\.txt": "the texts of comments are not used",
    r".*\.npy": "it holds features of another model",
    r".*tags.*\.csv": "tags are not used",
}
NOTES = (
    "An interaction is a comment on a video, and not a view.",
    "The English titles are translated by machine.",
)


def read(place: str, options: ReadOptions) -> Source:
    """Open a folder of MicroLens, or its file of pairs."""
    files = files_near(place)
    log = files[0] if has_file(files[:1], PAIRS) else find_file(files, PAIRS)
    if log is None:
        raise DataError(f"{place} holds no file *_pairs.tsv or *_pairs.csv: name a folder of MicroLens, or such a file")
    titles = options.items or find_file(files, TITLES)
    folder = options.pictures or sub_folder(files[:1], r".*covers?.*|images")
    covers = pictures_by_stem(folder)
    with_times = ".csv" in log.suffixes
    interactions = read_delimited(log, separator=",") if with_times else sequence_table(log.name, partial(_pairs, log))
    return Source(
        name=log.name.split("_pairs")[0],
        interactions=interactions,
        items=_items(titles, options.encoding, covers, folder),
        pictures=folder,
        columns={"items.item_id": "item", **(_roles(interactions) if with_times else {})},
        order="column" if with_times else "ends",
        unknown_items="add",
        notes=(*NOTES, *not_read(files, NOT_READ)),
        files=tuple(path for path in (log, titles) if path is not None),
    )


def recognises(place: str) -> bool:
    """Whether a place has pairs and titles of MicroLens."""
    files = files_near(place, depth=0)
    return has_file(files, PAIRS) and (has_file(files, r"MicroLens.*") or has_file(files, TITLES))


FORMAT = Format(
    "microlens",
    "a folder of MicroLens, or its *_pairs.tsv",
    recognises,
    read,
    frozenset({"items", "pictures", "encoding"}),
)


def _pairs(path: Path) -> Iterator[Sequence | tuple[int, Fault]]:
    """The sequences of a file of lines `user TAB item item ...`."""
    first_lines: dict[str, int] = {}
    for number, line in text_lines(Lines(path)):
        if line is None:
            yield number, Fault("not UTF-8")
            continue
        user_id, _, rest = line.partition("\t")
        if not (item_ids := rest.split()):
            yield number, Fault(f"user {user_id!r} has no items behind a tab")
        elif user_id in first_lines:
            yield number, Fault(f"user {user_id!r} again, first on line {first_lines[user_id]}")
        else:
            first_lines[user_id] = number
            yield Sequence(number, user_id, item_ids)


def _roles(table: Batches) -> Mapping[str, str]:
    """Which column of rows with times holds what; the names differ between editions."""
    names = {name.lower(): name for name in table.columns}
    user = names.get("user") or names.get("userid") or names.get("user_id")
    item = names.get("item") or names.get("videoid") or names.get("item_id")
    return {} if user is None or item is None else {"interactions.user_id": user, "interactions.item_id": item}


@dataclass(frozen=True)
class _Titles:
    """The rows of a file of titles: the title is everything behind the first comma, quoted or not."""

    path: Path
    encoding: str | None

    def __iter__(self) -> Iterator[tuple[int, Record | Fault]]:
        for number, line in text_lines(Lines(self.path)):
            if line is None:
                yield number, Fault("not UTF-8")
            elif number > 1 or line.partition(",")[0].strip().lower() not in ("item", "item_id", "video_id"):
                item_id, comma, title = line.partition(",")
                yield (
                    number,
                    {"item": item_id, "title": _unquoted(title)} if comma else Fault("no comma behind the item"),
                )


def _unquoted(title: str) -> str:
    """A title as CSV quotes it, or as it stands."""
    try:
        fields = next(csv.reader([title], strict=True), list[str]())
    except csv.Error:
        return title
    return fields[0] if len(fields) == 1 else title


def _items(path: Path | None, encoding: str | None, covers: dict[str, str], folder: Path | None) -> Records | None:
    """The items that have a title or, without a file of titles, those that have a cover."""
    if path is not None:
        table = Records(path.name, _Titles(path, encoding), TITLE_COLUMNS)
        return with_changed_rows(table, partial(_with_cover, covers=covers)) if covers else table
    if not covers or folder is None:
        return None
    rows = [(number, {"item": item, "image": name}) for number, (item, name) in enumerate(covers.items(), start=1)]
    return Records(folder.name, rows, ("item", "image"))


def _with_cover(row: Record, covers: dict[str, str]) -> Record:
    """An item with its cover, if there is one."""
    return {**row, "image": covers.get(str(row["item"]))}
