"""A server that is killed while it writes loses no event that it acknowledged, and leaves a sound database."""

import os
import random
import signal
import sqlite3
import threading
from pathlib import Path

import pytest
from kills import start
from sqlalchemy import Connection, select

from mmsrarec.serve.state.change_log import newest_change, tell
from mmsrarec.serve.state.database import open_database
from mmsrarec.serve.state.item_rows import ItemRow, load_items, load_picture, save_item
from mmsrarec.serve.state.kept_answers import keep_answer
from mmsrarec.serve.state.state_writer import StateWriter
from mmsrarec.serve.state.tables import changes, events
from mmsrarec.serve.state.user_events import Event, add_events

KILLS = 100
WRITERS = 4


def write_without_end(place: str, notebook: str, child: int) -> None:
    """Write events, items and answers; note each event once it is acknowledged."""
    from mmsrarec.data.dataset import Item

    writer = StateWriter(open_database(place), 1000)
    notes = os.open(notebook, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def write(number: int) -> None:
        count = 0
        while True:
            keys = [f"{child}-{number}-{count}-{place}" for place in range(3)]
            rows = [Event(f"u{number}", f"i{count}", "click", count, key) for key in keys]
            writer.submit(lambda connection, rows=rows: told(connection, rows)).result()
            os.write(notes, "".join(f"{key}\n" for key in keys).encode())
            item = ItemRow(Item(f"i{count % 5}", f"title {count}"), described=True, picture=bytes(5000))
            writer.submit(lambda connection, item=item: save_item(connection, item)).result()
            writer.submit(lambda connection, keys=keys: keep_answer(connection, keys[0], "u", "x" * 2000)).result()
            count += 1

    threads = [threading.Thread(target=write, args=(number,)) for number in range(WRITERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def told(connection: Connection, rows: list[Event]) -> None:
    """Add events as a server does."""
    tell(connection, "a server", "user", [rows[0].user])
    add_events(connection, rows)


def check(place: str, notebook: Path) -> int:
    """That every noted event is there once; how many were noted."""
    noted = notebook.read_text().splitlines() if notebook.exists() else []
    engine = open_database(place)
    with engine.connect() as connection:
        keys = [row[0].rpartition("\n")[2] for row in connection.execute(select(events.c.key))]  # behind the user
        assert len(keys) == len(set(keys))
        assert set(noted) <= set(keys)
        batches = {key.rpartition("-")[0] for key in keys}
        assert len(keys) == 3 * len(batches)  # a batch is there whole or not at all
        names = [row.item.item_id for row in load_items(connection)]
        assert all(len(load_picture(connection, name) or b"") == 5000 for name in names)
        numbers = list(connection.execute(select(changes.c.number).order_by(changes.c.number)).scalars())
        newest = newest_change(connection)
        assert numbers == list(range(newest - len(numbers) + 1, newest + 1))  # each is there once, and none is missing
    engine.dispose()
    if "://" not in place:
        with sqlite3.connect(place) as file:
            assert file.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    return len(noted)


def kill_often(place: str, notebook: Path, times: int) -> int:
    """Kill so many children, each at a random time after its first acknowledged events; how many events were noted."""
    rng = random.Random(place[:5])
    for number in range(times):
        child = start(write_without_end, (place, str(notebook), number))
        while not (notebook.exists() and f"\n{number}-" in "\n" + notebook.read_text()[-100_000:]):
            assert child.is_alive(), f"the child ended with {child.exitcode}"
            child.join(0.01)
        child.join(rng.uniform(0, 0.4))
        child.kill()
        child.join()
        assert child.exitcode == -signal.SIGKILL
        if number % 10 == 9:
            check(place, notebook)
    return check(place, notebook)


def test_a_few_kills(place: str, tmp_path: Path) -> None:
    kill_often(place, tmp_path / "noted", 2)


@pytest.mark.slow
def test_many_kills(place: str, tmp_path: Path) -> None:
    assert kill_often(place, tmp_path / "noted", KILLS) > KILLS
