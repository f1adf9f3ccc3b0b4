"""Opens the database of a server's state: SQLite in WAL mode, or PostgreSQL, by a URL of SQLAlchemy."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, func, inspect, make_url, select, text
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.pool import StaticPool

from mmsrarec.core.terminal import one_line
from mmsrarec.errors import MissingDependencyError, MmsrarecError
from mmsrarec.serve.state.change_log import CHANGES, ERASURES
from mmsrarec.serve.state.tables import FEWER_TABLES, USER_COLUMNS, VERSION, facts, metadata, receipts

POSTGRES_DRIVERS = {"psycopg": "psycopg", "pg8000": "pg8000"}
"""Package -> driver in a URL, in the order in which they are tried."""
BUSY_MS = 10_000
"""Milliseconds that SQLite waits for another process."""


def open_database(place: str) -> Engine:
    """An engine whose tables are there.

    Args:
        place: A file of SQLite, or the URL of a database.

    Raises:
        MmsrarecError: It cannot be opened, or holds something else.
    """
    url = database_url(place)
    try:
        engine = _engine(url)
        with engine.begin() as connection:
            _make_tables(connection)
    except (SQLAlchemyError, OSError, ImportError) as error:
        cause = getattr(error, "orig", None) or error
        where = url.render_as_string(hide_password=True)
        raise MmsrarecError(f"the state cannot be kept in {where}: {one_line(cause)[:300]}") from None
    return engine


def database_url(place: str) -> URL:
    """The URL of a place, with a driver that is installed.

    Raises:
        MmsrarecError: The place is a URL of another kind of database.
        MissingDependencyError: PostgreSQL has no driver here.
    """
    if "://" not in place:
        return URL.create("sqlite", database=str(Path(place).expanduser()))
    try:
        url = make_url(place)
    except ArgumentError:
        raise MmsrarecError("--state is a file, or a URL such as postgresql://me@host/shop") from None
    kind = url.drivername.partition("+")[0]
    if kind == "sqlite":
        return url
    if kind not in ("postgresql", "postgres"):
        raise MmsrarecError(f"--state: {kind} is not supported; give a file, or postgresql://me@host/shop")
    if "+" in url.drivername:
        return url
    for package, driver in POSTGRES_DRIVERS.items():
        if find_spec(package) is not None:
            return url.set(drivername=f"postgresql+{driver}")
    raise MissingDependencyError("PostgreSQL needs a driver: pip install 'mmsrarec[serve]'")


def is_sqlite(engine: Engine) -> bool:
    """Whether the state is a file of SQLite."""
    return engine.dialect.name == "sqlite"


def is_shared(engine: Engine) -> bool:
    """Whether another process can open the same database."""
    return not (is_sqlite(engine) and engine.url.database in (None, "", ":memory:"))


def _engine(url: URL) -> Engine:
    if url.get_backend_name() != "sqlite":
        return create_engine(url, pool_size=4, max_overflow=0, pool_pre_ping=True)
    if url.database in (None, "", ":memory:"):
        engine = create_engine(url, poolclass=StaticPool, connect_args={"check_same_thread": False})
    else:
        Path(str(url.database)).parent.mkdir(parents=True, exist_ok=True)
        engine = create_engine(url, connect_args={"check_same_thread": False, "timeout": BUSY_MS / 1000})
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin)
    return engine


def _prepare_sqlite(connection: Any, record: object) -> None:
    """An acknowledged row survives a crash (FULL), and an erased one leaves no bytes behind (secure_delete)."""
    connection.isolation_level = None  # the driver begins no transactions by itself: savepoints need that
    cursor = connection.cursor()
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "secure_delete = ON", f"busy_timeout = {BUSY_MS}"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin(connection: Connection) -> None:
    """Begin as a writer at once: a reader that becomes one later may have to give up."""
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _make_tables(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":  # two servers may start at once
        connection.execute(text("SELECT pg_advisory_xact_lock(20260001)"))
    there = set(inspect(connection).get_table_names()) & set(metadata.tables)
    if there and facts.name not in there:
        raise MmsrarecError(
            f"the database holds other tables of these names ({', '.join(sorted(there))}): name another"
        )
    metadata.create_all(connection)
    known = dict(connection.execute(select(facts.c.name, facts.c.value)).tuples().all())
    version = known.get("version")
    if version is None or version in FEWER_TABLES:
        n_erased = connection.execute(select(func.count()).select_from(receipts)).scalar_one()
        first = {"version": VERSION, CHANGES: int(known.get("revision", 0)), ERASURES: n_erased}
        connection.execute(facts.delete())
        connection.execute(facts.insert(), [{"name": name, "value": str(value)} for name, value in first.items()])
        if connection.dialect.name == "postgresql":
            for table, column in USER_COLUMNS:
                connection.execute(text(f'ALTER TABLE {table} ALTER COLUMN "{column}" SET STATISTICS 0'))
    elif version != str(VERSION):
        raise MmsrarecError(
            f"the state was written by another version (tables {version}, here {VERSION}): name another with --state"
        )
