"""Erases a user from the database, to the last byte on the disk."""

import sqlite3
import time
import uuid
from dataclasses import dataclass
from typing import Any, cast

from sqlalchemy import Connection, Engine, delete

from mmsrarec.serve.state import kept_answers
from mmsrarec.serve.state.change_log import tell_erasure
from mmsrarec.serve.state.database import is_sqlite
from mmsrarec.serve.state.tables import events, keywords, receipts


@dataclass(frozen=True)
class Receipt:
    """The proof of an erasure; it holds no id of a user.

    Attributes:
        receipt: A random number.
        time: Seconds since 1970.
        events: How many events were erased.
    """

    receipt: str
    time: int
    events: int


def erase_rows(connection: Connection, user: str, server: str = "") -> Receipt:
    """Delete everything of a user, write the receipt, and tell the other servers that somebody was erased.

    Args:
        connection: In a transaction.
        user: The user's id.
        server: Who erases.
    """
    tell_erasure(connection, server, user)
    n_events = connection.execute(delete(events).where(events.c.user_id == user)).rowcount
    connection.execute(delete(keywords).where(keywords.c.user_id == user))
    kept_answers.drop_naming(connection, user)
    receipt = Receipt(uuid.uuid4().hex, int(time.time()), n_events)
    row = {"receipt": receipt.receipt, "time": receipt.time, "events": receipt.events}
    connection.execute(receipts.insert().values(row))
    return receipt


def wipe(engine: Engine) -> bool:
    """Remove deleted rows from the files; whether nothing of them is left.

    Both databases write their tables anew: SQLite overwrites what is deleted (secure_delete), but not the copies that
    moving rows between pages leaves behind. SQLite's log is emptied; PostgreSQL's log (WAL) is not looked at.
    """
    if is_sqlite(engine):
        connection = engine.raw_connection()  # the log is emptied outside of a transaction
        try:
            cursor = connection.cursor()
            cursor.execute("VACUUM")
            busy, _, _ = cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            cursor.close()
        except sqlite3.OperationalError:  # another process holds the file
            return False
        finally:
            connection.close()
        return not busy
    connection = engine.raw_connection()
    try:
        connection.rollback()  # a driver may have begun a transaction, and no table is written anew inside of one
        driver = cast(Any, connection.driver_connection)
        driver.autocommit = True
        cursor = connection.cursor()
        for table in ("events", "user_keywords", "answers", "changes"):
            cursor.execute(f"VACUUM FULL {table}")
        cursor.close()
        driver.autocommit = False
    finally:
        connection.close()
    return True
