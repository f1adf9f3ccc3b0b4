"""A database: the interactions and the items are what queries give, through a SQLAlchemy URL.

The answer of the query of interactions is written once to temporary Parquet files, so that a log of any length passes
through little memory and is the same each time it is read.
"""

import json
import logging
import tempfile
from collections.abc import Collection, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from decimal import Decimal
from itertools import chain
from pathlib import Path
from types import ModuleType
from typing import Any, cast

import polars as pl

from mmsrarec.core.terminal import one_line
from mmsrarec.data.importers.source import Batch, Batches, Format, ReadOptions, Record, Records, Source
from mmsrarec.errors import DataError, MissingDependencyError

BATCH_ROWS = 50_000
SCHEMES = ("postgresql", "postgres", "sqlite", "mysql", "mariadb", "oracle", "mssql", "duckdb")
POSTGRES_DRIVERS = {"psycopg": "psycopg", "psycopg2": "psycopg2", "pg8000": "pg8000"}
"""Package -> the name of the driver in a URL, in the order in which they are tried."""
INSTALL = "pip install 'mmsrarec[sql]'"


def read(place: str, options: ReadOptions) -> Source:
    """Ask a database for the interactions and, if a query says so, for the items."""
    if options.query is None:
        raise DataError("a database needs a query: --query 'SELECT user_id, item_id, created_at FROM orders'")
    alchemy = _sqlalchemy()
    url = _url(place, alchemy)
    spool = tempfile.TemporaryDirectory(prefix="mmsrarec-sql-")
    engine = alchemy.create_engine(url)
    items: Records | None = None
    try:
        with _reading(engine, url, alchemy) as connection:
            columns, parts = _ask(connection, options.query, alchemy)
            files = _write(columns, parts, Path(spool.name))
            if options.items_query is not None:
                names, parts = _ask(connection, options.items_query, alchemy)
                rows = (_record(row, names) for part in parts for row in part)
                items = Records("items query", list(enumerate(rows, start=1)), tuple(names))
    finally:
        engine.dispose()
    return Source(
        name=Path(url.database or url.drivername).stem,
        interactions=Batches("query", tuple(columns), _Spool(spool, files)),
        items=items,
        pictures=options.pictures,
        unknown_items="refuse" if items is not None else "add",
        notes=("Times without a zone are read as UTC.",),
        files=files,
    )


def recognises(place: str) -> bool:
    """Whether a place is the URL of a database."""
    scheme, separator, _ = place.partition("://")
    return bool(separator) and scheme.partition("+")[0].lower() in SCHEMES


FORMAT = Format(
    "sql",
    "the URL of a database, sqlite:///shop.db or postgresql://me@host/shop, and --query",
    recognises,
    read,
    frozenset({"query", "items_query", "pictures"}),
)


class _Spool:
    """Reads the rows that a query gave, from temporary files that are deleted with this object."""

    def __init__(self, folder: "tempfile.TemporaryDirectory[str]", files: tuple[Path, ...]):
        self.folder, self.files = folder, files

    def __call__(self, wanted: Collection[str]) -> Iterator[Batch]:
        first = 1
        for path in self.files:
            rows = pl.read_parquet(path, columns=list(wanted))
            lines = pl.int_range(first, first + len(rows), dtype=pl.Int64, eager=True).alias("line")
            yield Batch(rows, lines)
            first += len(rows)


def _sqlalchemy() -> ModuleType:
    """The package sqlalchemy. Raises MissingDependencyError without it."""
    try:
        import sqlalchemy
    except ImportError:
        raise MissingDependencyError(f"a database needs the package sqlalchemy: {INSTALL}") from None
    log = logging.getLogger("sqlalchemy")  # without a handler it prints a traceback after an error that is caught here
    if not log.handlers:
        log.addHandler(logging.NullHandler())
    return sqlalchemy


def _url(place: str, alchemy: ModuleType) -> Any:
    """The URL of a place, with a driver that is installed."""
    try:
        url = alchemy.make_url(place)
    except alchemy.exc.ArgumentError:
        raise DataError(
            "SOURCE is no URL of a database, such as sqlite:///shop.db or postgresql://me@host/shop"
        ) from None
    names_file = url.drivername == "sqlite" and url.database and not url.database.startswith((":memory:", "file:"))
    if names_file and not Path(url.database).is_file():
        raise DataError(
            f"{url.database} is not a file: sqlite:///FOLDER/NAME.db names one from here on, with 3 slashes"
        )
    if url.drivername in ("postgresql", "postgres"):
        url = url.set(drivername=f"postgresql+{_postgres_driver()}")
    return url


def _postgres_driver() -> str:
    """The first driver of PostgreSQL that is installed."""
    from importlib.util import find_spec

    for package, driver in POSTGRES_DRIVERS.items():
        if find_spec(package) is not None:
            return driver
    raise MissingDependencyError(f"PostgreSQL needs a driver, such as pg8000: {INSTALL}")


@contextmanager
def _reading(engine: Any, url: Any, alchemy: ModuleType) -> Generator[Any]:
    """A connection in one transaction that only reads; errors become one line without the password."""
    try:
        with engine.connect() as connection:
            if url.drivername.startswith("sqlite"):
                connection.exec_driver_sql("PRAGMA query_only = ON")
            elif url.drivername.startswith("postgresql"):
                connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            yield connection
    except (alchemy.exc.SQLAlchemyError, ImportError) as error:
        cause = getattr(error, "orig", None) or error
        where = url.render_as_string(hide_password=True)
        raise DataError(f"{where}: {one_line(_message(cause))[:300]}") from None


def _message(error: BaseException) -> str:
    """What a driver says, without its dictionary of fields."""
    fields = error.args[0] if error.args else ""
    return str(cast(dict[str, object], fields).get("M")) if isinstance(fields, dict) else str(error)


def _ask(connection: Any, query: str, alchemy: ModuleType) -> tuple[list[str], Iterable[Sequence[Sequence[object]]]]:
    """The names of the columns that a query gives, and its rows in parts."""
    clause = alchemy.text(query.strip().rstrip(";").replace(":", r"\:"))  # a colon is no parameter, as in x::int
    result = connection.execution_options(stream_results=True, yield_per=BATCH_ROWS).execute(clause)
    if not result.returns_rows:
        raise DataError("the query gives no rows: it must be a SELECT")
    names = [str(name) for name in cast(Iterable[object], result.keys())]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise DataError(f"the query gives the column {twice} twice: name one of them otherwise, by AS")
    return names, result.partitions(BATCH_ROWS)


def _write(names: list[str], parts: Iterable[Sequence[Sequence[object]]], folder: Path) -> tuple[Path, ...]:
    """Write rows as text into Parquet files, one for each part and at least one."""
    schema = pl.Schema(dict.fromkeys(names, pl.String))
    paths: list[Path] = []
    for part in chain(parts, ([],)):
        if part or not paths:
            rows = [[_text(value, name) for value, name in zip(row, names, strict=True)] for row in part]
            paths.append(folder / f"{len(paths):06}.parquet")
            pl.DataFrame(rows, schema, orient="row").write_parquet(paths[-1])
    return tuple(paths)


def _record(row: Sequence[object], names: list[str]) -> Record:
    """A row as a record; lists and objects stay what they are."""
    return {
        name: cast(object, value) if value is None or isinstance(value, list | dict) else _text(value, name)
        for name, value in zip(names, row, strict=True)
    }


def _text(value: object, column: str) -> str:
    """A value as text: times in ISO 8601, nothing as ""."""
    if isinstance(value, bytes | bytearray | memoryview):
        raise DataError(f"the column {column} holds bytes: leave it out of the query, or encode it")
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, list | dict | bool):
        return json.dumps(value, default=str, ensure_ascii=False)
    return "" if value is None else str(value)
