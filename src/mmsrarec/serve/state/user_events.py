"""Events and keywords of users in the database; what a server holds of a user in memory."""

import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, func, select
from sqlalchemy.dialects import postgresql, sqlite

from mmsrarec.serve.state.tables import answers, events, keywords

MAX_REMEMBERED = 1000
"""Events of a user that have a part in answers: the newest."""
NOT_INTERESTED = "not_interested"
LIFTING = frozenset(("like", "cart", "purchase"))
"""Kinds that take an earlier "not_interested" in the same item back."""


@dataclass(frozen=True)
class Event:
    """One thing that a user did.

    Attributes:
        user: The user's id.
        item: The item's id.
        kind: As `schema.changing.EventKind`.
        time: Seconds since 1970.
        key: Counted once of this user, however often it is sent.
    """

    user: str
    item: str
    kind: str
    time: int
    key: str


@dataclass(frozen=True)
class UserState:
    """What the state knows of a user.

    Attributes:
        events: The newest events, in the order of their times, then of their arrival.
        n_events: Number of all events.
        newest: Number of the newest event: another one makes other answers.
        more: Keywords that stay.
        less: Keywords that stay.
    """

    events: tuple[Event, ...] = ()
    n_events: int = 0
    newest: int = 0
    more: tuple[str, ...] = ()
    less: tuple[str, ...] = ()

    @property
    def chosen(self) -> list[str]:
        """The items that join the history, oldest first."""
        return [event.item for event in self.events if event.kind != NOT_INTERESTED]

    @property
    def refused(self) -> list[str]:
        """The items that are not recommended to this user: the newest event that says so decides."""
        newest_kinds = {event.item: event.kind for event in self.events if event.kind in (NOT_INTERESTED, *LIFTING)}
        return [item for item, kind in newest_kinds.items() if kind == NOT_INTERESTED]


def _stored_key(user: str, key: str) -> str:
    """The key of an event among those of all users. Neither part holds a line break, so no two pairs are one key."""
    return f"{user}\n{key}"


def new_key() -> str:
    """A key for an event that came without one."""
    return uuid.uuid4().hex


def insert_once(connection: Connection, table: Any) -> Any:
    """An INSERT that leaves rows alone whose key is there."""
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    return insert(table)


def add_events(connection: Connection, rows: Sequence[Event]) -> int:
    """Insert events, and drop the kept answers of their users; how many were new."""
    values = [
        {
            "key": _stored_key(row.user, row.key),
            "user_id": row.user,
            "item_id": row.item,
            "kind": row.kind,
            "time": row.time,
        }
        for row in rows
    ]
    insert = insert_once(connection, events).values(values).on_conflict_do_nothing(index_elements=["key"])
    n_new = len(connection.execute(insert.returning(events.c.number)).all())
    drop_answers(connection, sorted({row.user for row in rows}))
    return n_new


def drop_answers(connection: Connection, users: Sequence[str]) -> None:
    """Drop the kept answers of users."""
    connection.execute(delete(answers).where(answers.c.user_id.in_(users)))


def load_user(connection: Connection, user: str) -> UserState:
    """What the database knows of a user."""
    columns = (events.c.number, events.c.item_id, events.c.kind, events.c.time, events.c.key)
    newest_first = (
        select(*columns).where(events.c.user_id == user).order_by(events.c.time.desc(), events.c.number.desc())
    )
    rows = connection.execute(newest_first.limit(MAX_REMEMBERED)).all()
    counted = select(func.count(), func.max(events.c.number)).where(events.c.user_id == user)
    n_events, newest = connection.execute(counted).one()
    words = connection.execute(select(keywords.c.more, keywords.c.less).where(keywords.c.user_id == user)).first()
    more, less = (tuple(json.loads(part)) for part in words) if words else ((), ())
    remembered = tuple(
        Event(user, item, kind, time, key.rpartition("\n")[2]) for _, item, kind, time, key in reversed(rows)
    )
    return UserState(remembered, int(n_events), int(newest or 0), more, less)


def set_keywords(connection: Connection, user: str, more: Sequence[str], less: Sequence[str]) -> None:
    """Replace the keywords that stay with a user."""
    connection.execute(delete(keywords).where(keywords.c.user_id == user))
    if more or less:
        row = {"user_id": user, "more": json.dumps(list(more)), "less": json.dumps(list(less))}
        connection.execute(keywords.insert().values(row))
    drop_answers(connection, [user])
