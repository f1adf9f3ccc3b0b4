"""What servers of one database tell each other: who or what is other since a number.

A number is drawn while the row that counts is locked, and the lock lasts until the transaction ends. So numbers are
committed in their order, and whoever has read up to a number has missed none below it. Every transaction that writes
takes this lock before any other, so no two wait for each other.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Connection, Engine, create_engine, delete, select
from sqlalchemy.exc import SQLAlchemyError

from mmsrarec.serve.state.tables import changes, facts

Kind = Literal["user", "item", "erasure", "files"]
"""Somebody's events or keywords; an item; a user who was erased, without the id; files of runs that were rewritten."""
CHANGES, ERASURES = "changes", "erasures"
"""Names of facts: the number of the newest change, and how many users were erased."""
MAX_KEPT = 10_000
"""Changes that are kept. A server that missed more takes everything for changed."""
PRUNE_EVERY = 1000


@dataclass(frozen=True)
class Heard:
    """What is other since a number.

    Attributes:
        newest: The number of the newest change.
        users: Ids of users whose state is other.
        items: Ids of items that are other.
        erased: Whether a user was erased.
        files: Whether files of a run were rewritten.
        missed: Whether changes were dropped before they were read: anything may be other.
    """

    newest: int
    users: frozenset[str] = frozenset()
    items: frozenset[str] = frozenset()
    erased: bool = False
    files: bool = False
    missed: bool = False


def tell(connection: Connection, server: str, kind: Kind, users: Sequence[str] = (), items: Sequence[str] = ()) -> int:
    """Tell the other servers of a change that this transaction makes.

    Args:
        connection: In the transaction of the change.
        server: Who tells it.
        kind: What it is of.
        users: Ids of users.
        items: Ids of items.

    Returns:
        The number of the newest change.
    """
    entries = [(user, None) for user in users] + [(None, item) for item in items] or [(None, None)]
    before = lock(connection)
    newest = before + len(entries)
    _set(connection, CHANGES, newest)
    rows = [
        {"number": number, "server": server, "kind": kind, "user_id": user, "item_id": item}
        for number, (user, item) in enumerate(entries, start=before + 1)
    ]
    connection.execute(changes.insert(), rows)
    if newest // PRUNE_EVERY != before // PRUNE_EVERY:
        connection.execute(delete(changes).where(changes.c.number <= newest - MAX_KEPT))
    return newest


def lock(connection: Connection) -> int:
    """Be the only one who writes until this transaction ends; the number of the newest change."""
    return int(connection.execute(_value_of(CHANGES).with_for_update()).scalar_one())


def tell_erasure(connection: Connection, server: str, user: str) -> None:
    """Forget that a user was ever told of, and tell that somebody was erased."""
    tell(connection, server, "erasure")
    connection.execute(delete(changes).where(changes.c.user_id == user))
    _set(connection, ERASURES, erasures(connection) + 1)


def erasures(connection: Connection) -> int:
    """How many users were erased. After `lock` no more are until the transaction ends."""
    return int(connection.execute(_value_of(ERASURES)).scalar_one())


def newest_change(connection: Connection) -> int:
    """The number of the newest change."""
    return int(connection.execute(_value_of(CHANGES)).scalar_one())


def heard_since(connection: Connection, number: int, server: str) -> Heard:
    """What other servers changed since a number.

    Args:
        connection: In a transaction.
        number: Up to which changes are known.
        server: Who asks; its own changes are left out.
    """
    newest = newest_change(connection)
    rows = connection.execute(select(changes).where(changes.c.number > number, changes.c.number <= newest)).all()
    others = [row for row in rows if row.server != server]
    kinds = {row.kind for row in others}
    return Heard(
        newest,
        frozenset(row.user_id for row in others if row.user_id is not None),
        frozenset(row.item_id for row in others if row.item_id is not None),
        "erasure" in kinds,
        "files" in kinds,
        newest - number > MAX_KEPT,
    )


class Watcher:
    """Looks for the number of the newest change, outside of any transaction and without a lock. Of one thread.

    It keeps one connection, of its own, to the database of an engine; where that fails, the next look makes another.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = create_engine(engine.url, isolation_level="AUTOCOMMIT", pool_size=1, max_overflow=0)
        self._connection: Connection | None = None

    def look(self) -> int:
        """The number of the newest change."""
        try:
            if self._connection is None:
                self._connection = self._engine.connect()
            return newest_change(self._connection)
        except SQLAlchemyError:
            self.close()
            raise

    def close(self) -> None:
        """Leave the database."""
        connection, self._connection = self._connection, None
        with suppress(SQLAlchemyError):
            if connection is not None:
                connection.close()
        self._engine.dispose()


def _value_of(name: str) -> Any:
    return select(facts.c.value).where(facts.c.name == name)


def _set(connection: Connection, name: str, number: int) -> None:
    connection.execute(facts.update().where(facts.c.name == name).values(value=str(number)))
