"""The tables of the state, the same on every engine.

No statistics are collected of columns with ids of users: PostgreSQL would keep samples of them elsewhere.
"""

from sqlalchemy import BigInteger, Boolean, Column, Integer, LargeBinary, MetaData, String, Table, Text

VERSION = 2
"""Of the tables. A file of another version is refused, but for those that only lack tables."""
FEWER_TABLES = ("1",)
"""Earlier versions that lack tables and are otherwise the same."""

metadata = MetaData()
_big = BigInteger().with_variant(Integer, "sqlite")  # SQLite counts up only what is declared INTEGER

facts = Table("facts", metadata, Column("name", String, primary_key=True), Column("value", String, nullable=False))
"""The version of the tables, and two numbers: of the newest change, and of the newest change of an item."""

events = Table(
    "events",
    metadata,
    Column("number", _big, primary_key=True, autoincrement=True),
    Column("key", String, nullable=False, unique=True),
    Column("user_id", String, nullable=False, index=True),
    Column("item_id", String, nullable=False),
    Column("kind", String, nullable=False),
    Column("time", BigInteger, nullable=False),
)
"""What users did. The key, behind the user and a line break, makes an event that is sent again count once."""

items = Table(
    "items",
    metadata,
    Column("item_id", String, primary_key=True),
    Column("revision", BigInteger, nullable=False),
    Column("described", Boolean, nullable=False),
    Column("deleted", Boolean, nullable=False),
    Column("in_stock", Boolean, nullable=False),
    Column("title", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("categories", Text, nullable=False),
    Column("summary", Text, nullable=False),
    Column("picture", LargeBinary),
    Column("feature", LargeBinary),
)
"""Items that were written or changed here; `described` tells those with a text of their own from those whose text is
the run's, and which are out of stock or deleted."""

keywords = Table(
    "user_keywords",
    metadata,
    Column("user_id", String, primary_key=True),
    Column("more", Text, nullable=False),
    Column("less", Text, nullable=False),
)
"""Keywords that stay with a user."""

answers = Table(
    "answers",
    metadata,
    Column("digest", String, primary_key=True),
    Column("user_id", String, index=True),
    Column("body", Text, nullable=False),
    Column("number", BigInteger, nullable=False, index=True),
)
"""Kept answers by a hash of everything that they depend on; those of a user go with the user's next event."""

receipts = Table(
    "receipts",
    metadata,
    Column("receipt", String, primary_key=True),
    Column("time", BigInteger, nullable=False),
    Column("events", BigInteger, nullable=False),
)
"""Erasures: a number and a time, and no id."""

changes = Table(
    "changes",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("server", String, nullable=False),
    Column("kind", String, nullable=False),
    Column("user_id", String, index=True),
    Column("item_id", String),
)
"""What servers of one database tell each other, in the order in which it was committed; the newest of it is kept."""

USER_COLUMNS = (
    *(("events", "user_id"), ("events", "key"), ("user_keywords", "user_id"), ("answers", "user_id")),
    ("changes", "user_id"),
)
"""Columns that hold ids of users."""
