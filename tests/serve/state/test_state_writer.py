"""What waits together is one transaction; a step that fails leaves the others alone; a lost database is said."""

import threading

import pytest
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import SQLAlchemyError

from mmsrarec.serve.state.database import open_database
from mmsrarec.serve.state.state_writer import StateWriter
from mmsrarec.serve.state.user_events import Event, add_events, load_user


def add(number: int):
    return lambda connection: add_events(connection, [Event("u", f"i{number}", "click", number, str(number))])


def test_steps_that_wait_together_are_one_transaction(engine: Engine) -> None:
    writer, gate, started = StateWriter(engine, 100), threading.Event(), threading.Event()
    writer.submit(lambda connection: (started.set(), gate.wait(10)))
    assert started.wait(10)

    def fail(connection: Connection) -> None:
        add(99)(connection)
        raise ValueError("no")

    steps = [writer.submit(add(number)) for number in range(5)]
    failing, late = writer.submit(fail), writer.submit(add(7))
    gate.set()
    assert [step.result(10) for step in (*steps, late)] == [1] * 6
    with pytest.raises(ValueError, match="no"):
        failing.result(10)
    assert writer.worker.batches == 2
    state = writer.submit(lambda connection: load_user(connection, "u")).result(10)
    assert state.chosen == ["i0", "i1", "i2", "i3", "i4", "i7"]  # nothing of the step that failed
    writer.close()


def test_an_acknowledged_step_is_there_for_others(engine: Engine, place: str) -> None:
    writer = StateWriter(engine, 100)
    writer.submit(add(1)).result(10)
    other = open_database(place)
    with other.connect() as connection:
        assert load_user(connection, "u").n_events == 1
    other.dispose()
    writer.close()


def test_a_transaction_that_fails_is_said(engine: Engine) -> None:
    failures = list[int]()
    writer = StateWriter(engine, 100, lambda: failures.append(1))
    with pytest.raises(SQLAlchemyError):
        writer.submit(lambda connection: connection.execute(text("SELECT * FROM nowhere"))).result(10)
    assert failures == [1]
    assert writer.submit(add(1)).result(10) == 1
    writer.close()
