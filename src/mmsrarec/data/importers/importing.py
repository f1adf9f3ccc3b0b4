"""The core of an import, the same for all formats: a source becomes a data set, and a data folder."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from mmsrarec.core.artefacts import file_hash
from mmsrarec.core.terminal import one_line
from mmsrarec.data.dataset import Dataset
from mmsrarec.data.folder import IMAGES, write_tables, writing_data
from mmsrarec.data.importers.catalogue.items import ItemTable, column_names, read_items
from mmsrarec.data.importers.catalogue.picture_files import ADDRESS, LOST_SHARE, is_address, take_pictures
from mmsrarec.data.importers.columns import ColumnMap, ColumnsByField, check_named, map_columns, needed
from mmsrarec.data.importers.formats import format_of
from mmsrarec.data.importers.import_report import (
    ColumnUse,
    Report,
    RowCounts,
    complete,
    distribution,
    write_report,
)
from mmsrarec.data.importers.log.log_dataset import LogDataset, LogOptions, make_dataset
from mmsrarec.data.importers.log.match_ids import check_repairs
from mmsrarec.data.importers.log.raw_log import Filters, RawLog, read_raw_log
from mmsrarec.data.importers.rejects import Rejects
from mmsrarec.data.importers.source import Batches, ReadOptions, Records, Source
from mmsrarec.data.kcore import Core
from mmsrarec.data.units import Repeats, TimeChoice
from mmsrarec.errors import DataError

SAMPLE_RECORDS = 10_000
"""So many records are looked at for the names of columns."""
ALIGNED = "steps, aligned at each user's end: the source has no times"
"""What import.json says of the times of a log that has none."""


@dataclass(frozen=True)
class ImportOptions:
    """What the user says about an import.

    Attributes:
        columns: Field -> columns, as from `columns.parse_map`.
        min_rating: The least rating that counts as an interaction; None takes all.
        events: The events that count; empty takes all.
        repeats: What happens to further interactions of a user with the same item.
        time: The unit of the timestamps; "auto" recognizes it by their magnitude. "rows" takes the order of the rows.
        core: The least numbers of interactions of a user and of an item; None keeps all.
        match_ids: What ids of items may differ in from those of the catalogue.
        max_rejects: The share of the rows of each table, in [0, 1], that may be faulty.
    """

    columns: ColumnsByField = field(default_factory=dict[str, tuple[str, ...]])
    min_rating: float | None = None
    events: tuple[str, ...] = ()
    repeats: Repeats = "keep"
    time: TimeChoice = "auto"
    core: Core | None = None
    match_ids: tuple[str, ...] = ()
    max_rejects: float = 0.01


@dataclass(frozen=True)
class Imported:
    """A source in memory.

    Attributes:
        dataset: The data set, without pictures.
        report: The counts, which are not complete yet.
        rejects: The lines that were set aside.
        pictures: Item id -> what the source names as its picture.
    """

    dataset: Dataset
    report: Report
    rejects: Rejects
    pictures: Mapping[str, str]


def import_place(
    format_name: str,
    place: str,
    out: Path,
    options: ImportOptions | None = None,
    read_options: ReadOptions | None = None,
) -> Report:
    """Import a place of some format, and write a data folder: all or nothing.

    Args:
        format_name: The name of the format; "auto" finds it out.
        place: The path of a file or a folder, or another address that the format reads.
        out: The data folder to write. An earlier import there is replaced.
        options: What the user says about the import.
        read_options: What the user says about the place.

    Returns:
        The counts of the import, as in import.json.

    Raises:
        DataError: There is no such format, an option does not belong to it, something is missing or cannot be read, too
            many rows are faulty, or `out` holds something else.
    """
    one_format = format_of(format_name, place)
    read_options = read_options or ReadOptions()
    if stray := sorted(_given(read_options) - one_format.options):
        raise DataError(
            f"--{stray[0].replace('_', '-')} does not belong to {one_format.name}: mmsrarec import --help tells which "
            "format it is for"
        )
    source = one_format.read(place, read_options)
    if Path(place).exists() and Path(place).resolve() == Path(out).resolve():
        raise DataError(f"{out} is the source itself: choose another folder to write to")
    return import_source(source, out, options, made_by=f"import {one_format.name}")


def import_source(source: Source, out: Path, options: ImportOptions | None = None, made_by: str = "import") -> Report:
    """Import a source, and write a data folder: all or nothing.

    Args:
        source: The source.
        out: The data folder to write. An earlier import there is replaced.
        options: What the user says about the import.
        made_by: What made the data folder, for its manifest.

    Returns:
        The counts of the import, as in import.json.

    Raises:
        DataError: As `import_place`.
    """
    options = options or ImportOptions()
    imported = read_source(source, options)
    report, rejects = imported.report, imported.rejects
    report.format = made_by.removeprefix("import ")
    content = {
        "source": [file_hash(path) for path in source.files if path.is_file()],
        "columns": {name: list(columns) for name, columns in options.columns.items()},
        "min_rating": options.min_rating,
        "events": list(options.events),
        "repeats": options.repeats,
        "time": options.time,
        "core": options.core,
        "match_ids": list(options.match_ids),
        "max_rejects": options.max_rejects,
    }
    with writing_data(Path(out), made_by, imported.dataset.times, **content) as new:
        (new / IMAGES).mkdir()
        dataset = imported.dataset
        items = take_pictures(dataset.items, imported.pictures, source.pictures, new / IMAGES, report.broken_images)
        dataset = replace(dataset, items=items)
        without = {
            item.item_id: imported.pictures[item.item_id]
            for item in items
            if item.image is None and item.item_id in imported.pictures
        }
        by_id = sum(item.image is not None and item.item_id not in imported.pictures for item in items)
        if by_id:
            report.assumed.append(f"{by_id} pictures are those of the items whose ids are their names")
        say_pictures(report, imported.pictures, dataset)
        complete(dataset, report, rejects)
        write_tables(dataset, new, without)
        write_report(report, rejects, new)
    return report


def read_source(source: Source, options: ImportOptions, option: str = "--map") -> Imported:
    """Read the tables of a source into memory; pictures are not looked at.

    Args:
        source: The source.
        options: What the user says about the import.
        option: How the user says what a column means, for messages.

    Returns:
        The data set with the counts so far.

    Raises:
        DataError: As `import_place`.
    """
    check_repairs(options.match_ids)
    report, rejects, item_rejects = Report(notes=list(source.notes)), Rejects(), Rejects()
    catalogue = None
    if source.items is not None:
        catalogue = read_items(source, options.columns, options.max_rejects, item_rejects, option)
    table = source.interactions
    names = column_names(table, SAMPLE_RECORDS)
    columns = map_columns(
        "interactions", names, options.columns, source.columns, source.unused, option=option, file=table.file
    )
    maps = [columns, *([catalogue.map] if catalogue is not None and catalogue.map is not None else [])]
    check_named(options.columns, maps, option)
    if names or not isinstance(table, Records):
        needed(columns, ("user_id", "item_id"), option)
    source, options = _with_order(source, options, columns, report, option)
    filters = Filters(options.min_rating, options.events)
    _check_filters(filters, columns)
    exact = source.exact_repeats == "fold" and source.order == "column"
    log = read_raw_log(table, columns, filters, rejects, exact)
    assert options.time != "rows"
    how = LogOptions(options.time, options.max_rejects, options.repeats, options.core, options.match_ids)
    imported_log = make_dataset(log, catalogue, source, how, rejects, table.file)
    for one in (table, source.items):
        report.notes += one.notes if isinstance(one, Batches) else ()
    _report_log(report, log, imported_log, columns, filters, rejects, source, options.core)
    pictures: dict[str, str] = {}
    if catalogue is not None:
        _report_items(report, catalogue, imported_log, item_rejects)
        left = {item.item_id for item in imported_log.dataset.items}
        pictures = {name: picture for name, picture in catalogue.pictures.items() if name in left}
    unbalanced = [name for name, counts in report.rows.items() if not counts.accounted]
    if unbalanced:
        raise AssertionError(f"rows of {unbalanced[0]} are not accounted for: {report.rows[unbalanced[0]]}")
    return Imported(imported_log.dataset, report, item_rejects.with_others(rejects), pictures)


def _given(read_options: ReadOptions) -> set[str]:
    """The options that the user gave."""
    return {name for name in ReadOptions.__dataclass_fields__ if getattr(read_options, name) is not None}


def _with_order(
    source: Source, options: ImportOptions, columns: ColumnMap, report: Report, option: str
) -> tuple[Source, ImportOptions]:
    """The source and the options, with the order of the rows for times where nothing else is there."""
    if options.time == "rows":
        report.assumed.append("the order of the rows is taken for the times, as steps, as you said")
        return replace(source, order="rows"), replace(options, time="auto")
    if source.order == "column" and "timestamp" not in columns.fields:
        if option != "--map":
            report.assumed.append(
                "the interactions have no column of times: the order of their rows is taken for it, as steps"
            )
            return replace(source, order="rows"), options
        try:
            needed(columns, ("timestamp",), option)
        except DataError as error:
            raise DataError(f"{error}; or say --time rows, and the order of the rows tells the order of time") from None
    if source.order != "column" and options.time not in ("auto", "steps"):
        raise DataError(f"--time {options.time} does not belong to this source: it has no times, only an order")
    if source.order == "ends":
        report.times = ALIGNED
    return source, options


def _check_filters(filters: Filters, columns: ColumnMap) -> None:
    """Check that filters have a column. Raises DataError."""
    for wanted, name, flag in (
        (filters.min_rating is not None, "rating", "--min-rating"),
        (bool(filters.events), "event", "--events"),
    ):
        if wanted:
            try:
                needed(columns, (name,))
            except DataError as error:
                raise DataError(f"{flag} needs a column: {error}") from None


def _report_log(
    report: Report,
    log: RawLog,
    imported_log: LogDataset,
    columns: ColumnMap,
    filters: Filters,
    rejects: Rejects,
    source: Source,
    core: Core | None,
) -> None:
    """Add what became of the interactions to a report."""
    report.rows["interactions"] = RowCounts(
        log.read,
        len(imported_log.dataset.interactions),
        {why: count for why, count in imported_log.folded.items() if count},
        {why: count for why, count in (Counter(log.dropped) + Counter(imported_log.dropped)).items() if count},
        rejects.total(),
    )
    report.unit = imported_log.unit
    if core is not None:
        report.notes.append(
            f"the {core[0]},{core[1]} core is that of the whole log, before anything is held out: it looks at what is "
            "to be predicted, as most published splits do"
        )
    if imported_log.matched_ids:
        report.assumed.append(
            f"{imported_log.matched_ids} ids of items were matched to others of the catalogue, as you said"
        )
    if imported_log.added_items:
        count = imported_log.added_items
        report.notes.append(f"{count} items of the log are not in the table of items: they have no text")
    if log.times.without_zone:
        report.assumed.append(f"{log.times.without_zone} times have no zone: they are taken as UTC")
    if log.times.days:
        report.assumed.append(f"{log.times.days} times are days without a time of day: the order within a day is lost")
    uses = {
        "rating": _use("rating", log.ratings, filters.min_rating is not None, f"--min-rating {filters.min_rating}"),
        "event": _use("event", log.events, bool(filters.events), f"--events {','.join(filters.events)}"),
        "quantity": ("", "not used"),
    }
    fields = {column: name for name, held in columns.fields.items() for column in held}
    for column in columns.columns:
        name = fields.get(column, "")
        became, note = name, columns.sources.get(name, "")
        if name in uses:
            became, note = uses[name]
        elif not name:
            note = f"not used: {columns.ignored[column]}" if column in columns.ignored else "not used"
        elif name == "timestamp" and source.order != "column":
            became, note = "", "not used: the order of the rows is taken"
        report.columns.append(ColumnUse("interactions", column, became, None, note))
    for name, counts in (("rating", log.ratings), ("event", log.events)):
        if (column := columns.column(name)) is not None and counts:
            report.values[column] = distribution(counts)
            if not uses[name][0]:
                flag = "--min-rating" if name == "rating" else "--events"
                values = ", ".join(f"{one_line(value)} x {count}" for value, count in report.values[column].items())
                report.assumed.append(
                    f"every row counts as an interaction, whatever its {one_line(column)} ({values}): {flag} leaves "
                    "some out"
                )
    if log.negative_quantities:
        column = one_line(columns.column("quantity"))
        report.assumed.append(
            f"{log.negative_quantities} rows have a negative {column} (returns?): they count as interactions too"
        )


def _use(name: str, counts: "Counter[str]", used: bool, how: str) -> tuple[str, str]:
    """What a column of ratings or events became, and the remark on it."""
    if used:
        return name, how
    return "", f"not used: every {name} counts ({len(counts)} different)" if counts else "not used: it is empty"


def _report_items(report: Report, catalogue: ItemTable, imported_log: LogDataset, rejects: Rejects) -> None:
    """Add what became of the items to a report."""
    n_imported = sum(item.item_id in catalogue.items for item in imported_log.dataset.items)
    unused = len(catalogue.items) - n_imported
    report.rows["items"] = RowCounts(
        catalogue.read,
        n_imported,
        {why: count for why, count in catalogue.folded.items() if count},
        {"without interactions that are kept": unused} if unused else {},
        rejects.total(),
    )
    report.columns += catalogue.columns
    report.conversions = dict(sorted(catalogue.conversions.counts.items()))


def say_pictures(report: Report, pictures: Mapping[str, str], dataset: Dataset) -> None:
    """Add to a report how many pictures are addresses, and whether many files are not there."""
    names = {item.item_id for item in dataset.items} & pictures.keys()
    report.pictures_by_address = sum(is_address(pictures[name]) for name in names)
    files = len(names) - report.pictures_by_address
    lost = [name for name, reason in report.broken_images.items() if reason != ADDRESS and name in pictures]
    if report.pictures_by_address:
        report.notes.append(f"{report.pictures_by_address} pictures are addresses: fetch them with mmsrarec images")
    if lost and len(lost) > LOST_SHARE * files:
        name = lost[0]
        report.notes.append(
            f"{len(lost)} of {files} pictures named by items cannot be used, such as {one_line(pictures[name])[:60]!r} "
            f"of item {one_line(name)}: {one_line(report.broken_images[name])}"
        )
