"""The state is opened on both databases, and what cannot be opened is one line without the password."""

import sqlite3
import threading
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from mmsrarec.errors import MmsrarecError
from mmsrarec.serve.state.database import database_url, is_sqlite, open_database


def test_it_is_opened_again_as_it_was(place: str) -> None:
    for _ in range(2):
        engine = open_database(place)
        with engine.connect() as connection:
            names = {row[0] for row in connection.execute(text("SELECT name FROM facts"))}
        assert "version" in names
        engine.dispose()


def test_two_may_make_the_tables_at_once(place: str) -> None:
    failures = list[Exception]()

    def make() -> None:
        try:
            open_database(place).dispose()
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=make) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_a_state_of_another_version_is_refused(engine: Engine, place: str) -> None:
    with engine.begin() as connection:
        connection.execute(text("UPDATE facts SET value = '99' WHERE name = 'version'"))
    with pytest.raises(MmsrarecError, match="another version"):
        open_database(place)


def test_sqlite_waits_for_the_disk_and_overwrites_what_is_deleted(tmp_path: Path) -> None:
    engine = open_database(str(tmp_path / "deep" / "er" / "s.sqlite"))
    assert is_sqlite(engine)
    with engine.connect() as connection:
        values = [
            connection.execute(text(f"PRAGMA {name}")).scalar()
            for name in ("journal_mode", "synchronous", "secure_delete")
        ]
    assert values == ["wal", 2, 1]
    engine.dispose()


@pytest.mark.parametrize(
    "place", ["mysql://u:s3cret@h/d", "://", "postgresql://u:s3cret@127.0.0.1:1/d", "postgresql+nothing://u:s3cret@h/d"]
)
def test_what_cannot_be_opened_is_one_line(place: str) -> None:
    with pytest.raises(MmsrarecError) as refused:
        open_database(place)
    assert "s3cret" not in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no database " * 100)
    for path in (tmp_path / "text", tmp_path):
        with pytest.raises(MmsrarecError, match="cannot be kept"):
            open_database(str(path))


def test_a_foreign_database_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "theirs.sqlite"
    with sqlite3.connect(file) as theirs:
        theirs.execute("CREATE TABLE events (id INTEGER)")
    with pytest.raises(MmsrarecError):
        open_database(str(file))


def test_a_driver_is_chosen() -> None:
    assert database_url("postgresql://h/d").drivername in ("postgresql+psycopg", "postgresql+pg8000")
    assert database_url("postgresql+pg8000://h/d").drivername == "postgresql+pg8000"
    assert database_url("a/b.sqlite").drivername == "sqlite"
