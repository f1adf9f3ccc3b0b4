"""Plain tables as people export them: a table of interactions, and, if there are any, one of items and pictures."""

from pathlib import Path

from mmsrarec.core.terminal import one_line
from mmsrarec.data.importers.source import Format, ReadOptions, Source
from mmsrarec.data.reading.files import find
from mmsrarec.data.reading.tables_by_content import read_table
from mmsrarec.errors import DataError

LOGS = ("interactions", "ratings", "events", "reviews", "transactions", "purchases", "orders", "log", "clicks")
"""The names of a table of interactions, the better ones first."""
CATALOGUES = ("items", "products", "movies", "books", "articles", "catalogue", "catalog", "metadata", "meta")
"""The names of a table of items."""
ENDINGS = (".csv", ".tsv", ".parquet", ".jsonl", ".ndjson", ".json", ".txt", ".inter", ".item", ".xlsx", ".dat")
IMAGES = ("images", "pictures", "covers", "posters", "img")


def recognises(place: str) -> bool:
    """Whether a place holds a table of interactions under a usual name."""
    path = Path(place)
    try:
        return path.is_file() or (path.is_dir() and _table(path, LOGS) is not None)
    except (OSError, DataError):
        return False


def read(place: str, options: ReadOptions) -> Source:
    """Open a folder of tables, or one table of interactions.

    Raises:
        DataError: There is no table of interactions, or one cannot be opened.
    """
    path = Path(place)
    if not path.exists():
        raise DataError(f"{one_line(place)} does not exist: name a folder of tables, or a table of interactions")
    items: Path | None = None
    pictures: Path | None = None
    if path.is_dir():
        log = _table(path, LOGS)
        items = _table(path, CATALOGUES)
        if log is None:
            names = ", ".join(sorted(one_line(one.name) for one in path.iterdir())[:12]) or "nothing"
            raise DataError(
                f"{path}: no table of interactions (such as interactions.csv) is there; it holds {names}: name the "
                "file itself as SOURCE, and by --items the table of items"
            )
        if items is None and options.items is None:
            raise DataError(
                f"{path / 'items.jsonl'} does not exist, nor another table of items ({', '.join(CATALOGUES[:4])}, "
                f"...): name it by --items, or name {log.name} itself as SOURCE to import without texts"
            )
        pictures = next((path / name for name in IMAGES if (path / name).is_dir()), None)
    else:
        log = path
    items = options.items or items
    if options.items is not None and not options.items.is_file():
        raise DataError(f"{options.items} is not a file: name the table of items")
    if options.pictures is not None and not options.pictures.is_dir():
        raise DataError(f"{options.pictures} is not a folder: name the one that holds the pictures")
    return Source(
        name=path.resolve().name.partition(".")[0],
        interactions=read_table(log, encoding=options.encoding, separator=options.separator, names=options.names),
        items=None if items is None else read_table(items, encoding=options.encoding),
        pictures=options.pictures or pictures,
        files=tuple(one for one in (log, items) if one is not None),
    )


def _table(folder: Path, names: tuple[str, ...]) -> Path | None:
    """The only file with one of some names. Raises DataError where two of one name are there."""
    for name in names:
        paths = {path for ending in ENDINGS if (path := find(folder, name + ending)).is_file()}
        if len(paths) > 1:
            both = " and ".join(sorted(path.name for path in paths))
            raise DataError(f"{folder} holds both {both}: remove one, or name the file itself as SOURCE")
        if paths:
            return paths.pop()
    return None


FORMAT = Format(
    "tables",
    "a folder with a table of interactions, one of items, and images/; or one table of interactions",
    recognises,
    read,
    frozenset({"items", "pictures", "encoding", "separator", "names"}),
)
