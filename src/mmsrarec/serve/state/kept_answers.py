"""Kept answers in the database, so that a restart begins warm."""

import json
import time

from sqlalchemy import Connection, delete, func, or_, select

from mmsrarec.serve.state.tables import answers
from mmsrarec.serve.state.user_events import insert_once

MAX_ANSWERS = 20_000
"""Answers that are kept; the oldest go first."""


def find_answer(connection: Connection, digest: str) -> str | None:
    """A kept answer as JSON."""
    return connection.execute(select(answers.c.body).where(answers.c.digest == digest)).scalar()


def keep_answer(connection: Connection, digest: str, user: str | None, body: str) -> None:
    """Keep an answer as JSON."""
    row = {"digest": digest, "user_id": user, "body": body, "number": time.time_ns() // 1000}
    connection.execute(insert_once(connection, answers).values(row).on_conflict_do_nothing())


def as_in_body(user: str) -> str:
    """An id as the JSON of an answer holds it."""
    return json.dumps(user, ensure_ascii=False)[1:-1]


def drop_naming(connection: Connection, user: str) -> None:
    """Drop the answers to a user, and those to others that name the id, such as one of a history that is no item."""
    naming = answers.c.body.contains(as_in_body(user), autoescape=True)
    of_user = answers.c.user_id == user
    connection.execute(delete(answers).where(or_(of_user, naming) if user else of_user))


def drop_oldest(connection: Connection, most: int = MAX_ANSWERS) -> None:
    """Leave the newest answers only."""
    n_answers = connection.execute(select(func.count()).select_from(answers)).scalar_one()
    if n_answers > most:
        oldest = select(answers.c.digest).order_by(answers.c.number).limit(n_answers - most * 9 // 10)
        connection.execute(delete(answers).where(answers.c.digest.in_(oldest)))
