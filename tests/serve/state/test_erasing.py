"""An erased user is in no table and in no byte of the files, on both databases."""

import subprocess
from pathlib import Path

import pytest
from sqlalchemy import Engine, text
from state_tables import tables_hold

from mmsrarec.serve.schema import schema_examples
from mmsrarec.serve.schema.recommending import RecommendAnswered
from mmsrarec.serve.state.erasing import erase_rows, wipe
from mmsrarec.serve.state.kept_answers import find_answer, keep_answer
from mmsrarec.serve.state.user_events import Event, add_events, load_user, set_keywords

ID = "unmistakable-4711"


def fill(engine: Engine) -> None:
    with engine.begin() as connection:
        add_events(connection, [Event(ID, "i1", "click", n, f"{ID}-{n}") for n in range(300)])
        add_events(connection, [Event(f"u{n}", "i1", "click", n, f"key-{n}") for n in range(300)])
    with engine.begin() as connection:
        set_keywords(connection, ID, ["red"], [])
        keep_answer(connection, "digest", ID, '{"user": "' + ID + '"}')


def test_nothing_is_left_in_the_tables(engine: Engine) -> None:
    fill(engine)
    assert tables_hold(engine, ID) == ["answers", "events", "user_keywords"]
    with engine.begin() as connection:
        receipt = erase_rows(connection, ID)
    assert receipt.events == 300
    assert tables_hold(engine, ID) == []
    assert tables_hold(engine, receipt.receipt) == ["receipts"]
    with engine.connect() as connection:
        assert load_user(connection, "u7").n_events == 1
        assert load_user(connection, ID).n_events == 0


def test_nothing_is_left_in_the_files(engine: Engine, place: str, tmp_path: Path) -> None:
    fill(engine)
    with engine.begin() as connection:
        erase_rows(connection, ID)
    assert wipe(engine)
    if "://" not in place:
        assert b"key-7" in b"".join(path.read_bytes() for path in tmp_path.iterdir())
        assert [path.name for path in tmp_path.iterdir() if ID.encode() in path.read_bytes()] == []
        return
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("CHECKPOINT"))
        folder = connection.execute(text("SHOW data_directory")).scalar_one()
    holding = subprocess.run(
        ["grep", "-rl", "--binary-files=text", "--exclude-dir=pg_wal", ID, str(folder)], capture_output=True, text=True
    )
    assert holding.stdout == ""


def test_an_open_reader_is_said(tmp_path: Path) -> None:
    from mmsrarec.serve.state.database import open_database

    engine = open_database(str(tmp_path / "s.sqlite"))
    fill(engine)
    import sqlite3

    reader = sqlite3.connect(tmp_path / "s.sqlite", isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM events").fetchone()
    with engine.begin() as connection:
        connection.execute(text("PRAGMA busy_timeout = 50"))
        erase_rows(connection, ID)
    assert not wipe(engine)
    reader.close()
    assert wipe(engine)


@pytest.mark.parametrize("user", ["nobody", "", "%", "u_"])
def test_erasing_nobody_erases_nothing(engine: Engine, user: str) -> None:
    fill(engine)
    with engine.begin() as connection:
        assert erase_rows(connection, user).events == 0
        assert load_user(connection, ID).n_events == 300


@pytest.mark.parametrize("user", [ID, 'a"b\\c', "100%_x", "粘土", "<b>"])
def test_answers_to_others_that_name_the_id_go(engine: Engine, user: str) -> None:
    body = RecommendAnswered.model_validate(schema_examples.ANSWER)
    naming = {"left_out": body.model_copy(update={"left_out": ["001", user]})}
    naming["notes"] = body.model_copy(update={"notes": [f"exclude: the run does not know 1 of these items ({user})"]})
    with engine.begin() as connection:
        for digest, answer in naming.items():
            keep_answer(connection, digest, None, answer.model_dump_json())
        keep_answer(connection, "other", None, body.model_dump_json())
        erase_rows(connection, user)
        kept = [digest for digest in (*naming, "other") if find_answer(connection, digest) is not None]
    assert kept == ["other"]
