"""What servers of one database tell each other: in order, once, without own changes, and without an erased id."""

import threading

import pytest
from sqlalchemy import Engine, select, text
from state_tables import tables_hold

from mmsrarec.serve.state import change_log
from mmsrarec.serve.state.change_log import Heard, Watcher, erasures, heard_since, lock, newest_change, tell
from mmsrarec.serve.state.database import open_database
from mmsrarec.serve.state.erasing import erase_rows
from mmsrarec.serve.state.tables import VERSION, changes


def test_others_hear_what_one_tells(engine: Engine) -> None:
    with engine.begin() as connection:
        assert tell(connection, "a", "user", ["u1", "u2"]) == 2
        assert tell(connection, "a", "item", items=["i1"]) == newest_change(connection) == 3
        assert tell(connection, "b", "files") == 4
        assert heard_since(connection, 0, "b") == Heard(3 + 1, frozenset({"u1", "u2"}), frozenset({"i1"}))
        assert heard_since(connection, 2, "c") == Heard(4, items=frozenset({"i1"}), files=True)
        assert heard_since(connection, 3, "b") == heard_since(connection, 4, "a") == Heard(4)


def test_an_erasure_is_told_without_the_id(engine: Engine) -> None:
    with engine.begin() as connection:
        tell(connection, "a", "user", ["somebody-77"])
    assert tables_hold(engine, "somebody-77") == ["changes"]
    with engine.begin() as connection:
        erase_rows(connection, "somebody-77", "a")
        assert erasures(connection) == 1
        assert heard_since(connection, 0, "b") == Heard(2, erased=True)
    assert tables_hold(engine, "somebody-77") == []


def test_who_missed_more_than_is_kept_is_told_so(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(change_log, "MAX_KEPT", 10)
    monkeypatch.setattr(change_log, "PRUNE_EVERY", 5)
    with engine.begin() as connection:
        for number in range(40):
            tell(connection, "a", "user", [f"u{number}"])
        assert len(connection.execute(select(changes.c.number)).all()) <= 15
        assert heard_since(connection, 29, "b").missed
        late = heard_since(connection, 30, "b")
        assert (late.missed, len(late.users)) == (False, 10)


def test_numbers_are_committed_in_their_order(engine: Engine) -> None:
    """A second writer waits for the first, so that nobody who has read up to a number misses one below it."""
    order = list[str]()

    def second() -> None:
        with engine.begin() as connection:
            lock(connection)
            order.append(f"second: {tell(connection, 'b', 'item', items=['y'])}")

    with engine.begin() as connection:
        number = tell(connection, "a", "item", items=["x"])
        waiting = threading.Thread(target=second)
        waiting.start()
        waiting.join(0.3)
        order.append(f"first: {number}")
    waiting.join(10)
    assert order == ["first: 1", "second: 2"]


def test_a_watcher_sees_what_is_committed_and_nothing_before(engine: Engine) -> None:
    watcher = Watcher(engine)
    assert watcher.look() == 0
    with engine.begin() as connection:
        tell(connection, "a", "user", ["u"])
        assert watcher.look() == 0  # it waits for no writer
    assert watcher.look() == 1
    watcher.close()
    assert watcher.look() == 1
    watcher.close()


def test_a_state_without_these_tables_is_taken_over(engine: Engine, place: str) -> None:
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE changes"))
        connection.execute(text("DELETE FROM facts"))
        connection.execute(text("INSERT INTO facts VALUES ('version', '1'), ('revision', '7')"))
        connection.execute(text("INSERT INTO receipts VALUES ('r', 1, 0)"))
    again = open_database(place)
    with again.begin() as connection:
        assert (newest_change(connection), erasures(connection)) == (7, 1)
        assert tell(connection, "a", "item", items=["x"]) == 8
        assert connection.execute(text("SELECT value FROM facts WHERE name = 'version'")).scalar() == str(VERSION)
    again.dispose()
