"""The verb that brings data in, and the table that it prints."""

from pathlib import Path
from typing import Annotated, Any

import typer

from mmsrarec.cli.app import verb
from mmsrarec.cli.formats.plain_text import text
from mmsrarec.data.units import Repeats, TimeChoice
from mmsrarec.errors import MmsrarecError

FORMATS = "tables, sequences, movielens, microlens, amazon, recbole, mmrec, goodreads, hm, kuairec, steam, yelp, sql"
MAX_BROKEN = 10
"""So many pictures that cannot be used are shown to people; --json has all."""


def import_text(report: dict[str, Any]) -> str:
    """What an import did, as plain JSON values, for people."""
    columns = [
        {
            "table": use["table"],
            "column": use["column"],
            "became": use["became"] or "-",
            "rows": "" if use["values"] is None else use["values"],
            "": use["note"],
        }
        for use in report["columns"]
    ]
    parts = [text({"columns": columns})] if columns else []
    for column, values in report["values"].items():
        parts.append(f"{column}: " + ", ".join(f"{value} x {count}" for value, count in values.items()))
    for table, counts in report["rows"].items():
        reasons = [f"{count} folded ({why})" for why, count in counts["folded"].items()]
        reasons += [f"{count} dropped ({why})" for why, count in counts["dropped"].items()]
        reasons += [f"{counts['rejected']} set aside in rejects.parquet"] if counts["rejected"] else []
        reasons = [f"{counts['read']} read", f"{counts['imported']} kept", *reasons]
        parts.append(f"rows of {table}: {', '.join(reasons)}")
    set_aside = {name: report[name] for name in ("null_users", "null_items", "unknown_times") if report[name]}
    counts = {name: report[name] for name in ("format", "users", "items", "interactions")}
    counts["times"] = f"{report['first_time']} to {report['last_time']} ({_times(report)})"
    counts |= {"tied_share": report["tie_share"], **set_aside}
    counts |= {name: report[name] for name in ("items_without_text", "items_without_image")}
    counts |= {name: report[name] for name in ("placeholder_users", "placeholder_items", "conversions") if report[name]}
    if broken := report["broken_images"]:
        first = dict(list(broken.items())[:MAX_BROKEN])
        more = {"...": f"and {len(broken) - MAX_BROKEN} more: --json names all"} if len(broken) > MAX_BROKEN else {}
        counts["broken_images"] = first | more
    parts.append(text(counts))
    parts += [f"assumed: {sentence}" for sentence in report["assumed"]]
    parts += [f"note: {sentence}" for sentence in report["notes"]]
    return "\n".join(parts)


def _times(report: dict[str, Any]) -> str:
    """The unit of times, as a remark."""
    return report["times"] if report["times"].startswith("steps") else f"read from {report['unit']}, in UTC"


@verb("import", people=import_text)
def import_(
    kind: Annotated[
        str,
        typer.Argument(metavar="FORMAT", help=f"What SOURCE is: {FORMATS}; auto, or nothing, finds it out."),
    ],
    source: Annotated[
        str | None,
        typer.Argument(help="A folder or a file; for sql the URL of a database: sqlite:///FILE, postgresql://..."),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="The data folder to write.")] = None,
    mapping: Annotated[
        list[str] | None,
        typer.Option(
            "--map",
            "--columns",
            metavar="FIELD=COLUMN,...",
            help="Which column holds what: item_id=sku,title=name,text=body_html+brand. Fields: user_id, item_id, "
            "timestamp, rating, event, quantity; title, text, categories, image, year; ignore leaves columns out.",
        ),
    ] = None,
    mapping_file: Annotated[
        Path | None, typer.Option("--mapping", metavar="TOML", help="A file with the same, which can be kept.")
    ] = None,
    items: Annotated[
        Path | None,
        typer.Option(
            "--items", "--products", "--titles", metavar="FILE", help="The table of items, if it is elsewhere."
        ),
    ] = None,
    pictures: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="The folder of pictures, where it is elsewhere.")
    ] = None,
    min_rating: Annotated[float | None, typer.Option(help="The least rating that counts as an interaction.")] = None,
    events: Annotated[
        str | None, typer.Option(metavar="A,B", help="The events that count as interactions: purchase,cart.")
    ] = None,
    repeats: Annotated[
        Repeats, typer.Option(help="Further interactions of a user with the same item: kept, or the first or last one.")
    ] = "keep",
    time: Annotated[
        TimeChoice,
        typer.Option(
            help="What timestamps count; told by their size unless given. steps: numbers that tell the order and no "
            "dates. rows: the order of the rows, where there is no time."
        ),
    ] = "auto",
    core: Annotated[
        str | None,
        typer.Option(
            metavar="U,I",
            help="Keep only users with U interactions or more and items with I or more, until all have: "
            "6,5. users=6 or items=5 limits one side.",
        ),
    ] = None,
    match_ids: Annotated[
        str | None,
        typer.Option(
            "--match-ids", metavar="A,B", help="What ids of items may differ in: trim, nfc, decimal, zeros, case."
        ),
    ] = None,
    max_rejects: Annotated[float, typer.Option(min=0, max=1, help="Share of bad rows that is still accepted.")] = 0.01,
    encoding: Annotated[
        str | None, typer.Option(help="The encoding of text files, such as latin-1; UTF-8 or UTF-16 by its mark.")
    ] = None,
    separator: Annotated[str | None, typer.Option(help="What parts columns, such as ';'.")] = None,
    names: Annotated[
        str | None, typer.Option(metavar="A,B,C", help="The columns of a table of interactions without a header.")
    ] = None,
    query: Annotated[str | None, typer.Option(metavar="SQL", help="sql: the query for the interactions.")] = None,
    items_query: Annotated[str | None, typer.Option(metavar="SQL", help="sql: the query for the items.")] = None,
) -> Any:
    """Bring data from elsewhere into a data folder, and say what became of every row and column."""
    from mmsrarec.data.importers.columns import parse_map, read_map
    from mmsrarec.data.importers.formats import AUTO
    from mmsrarec.data.importers.importing import ImportOptions, import_place
    from mmsrarec.data.importers.source import ReadOptions

    if source is None:
        kind, source = AUTO, kind
    if out is None:
        raise MmsrarecError("say where the data go: --out DATA")
    columns = read_map(mapping_file) if mapping_file is not None else {}
    if mapping:
        columns |= parse_map(",".join(mapping))
    options = ImportOptions(
        columns=columns,
        min_rating=min_rating,
        events=_words(events),
        repeats=repeats,
        time=time,
        core=core_sizes(core),
        match_ids=_words(match_ids),
        max_rejects=max_rejects,
    )
    places = ReadOptions(
        items=items,
        pictures=pictures,
        encoding=encoding,
        separator={"\\t": "\t", "tab": "\t"}.get(separator or "", separator),
        names=_words(names) or None,
        query=query,
        items_query=items_query,
    )
    return import_place(kind, source, out, options, places)


def core_sizes(argument: str | None) -> tuple[int, int] | None:
    """(6, 5) from "6,5"; one side alone may be named: "users=6"."""
    if argument is None:
        return None
    sides = {"users": 0, "items": 0}
    parts = argument.split(",")
    for place, part in enumerate(parts):
        side, equals, number = part.rpartition("=")
        side = side.strip() if equals else tuple(sides)[min(place, 1)]
        if side not in sides or not (number.strip().isdecimal() and len(number) < 10) or len(parts) > 2:
            break
        sides[side] = int(number)
    else:
        if len(parts) == 2 or "=" in argument:
            return sides["users"], sides["items"]
    raise MmsrarecError(
        f"--core {argument}: expected U,I, interactions of a user and of an item, such as --core 6,5 or users=6"
    )


def _words(argument: str | None) -> tuple[str, ...]:
    """("a", "b") from "a,b"."""
    return tuple(word.strip() for word in (argument or "").split(",") if word.strip())
