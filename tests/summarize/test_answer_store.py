"""The store of answers: nothing twice, nothing lost to a kill, one writer."""

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from mmsrarec.engines.protocol import Answer, Usage
from mmsrarec.errors import MmsrarecError
from mmsrarec.summarize.answer_store import Job, Store

JOB = Job("text", "tiny", "p", "d")


def test_answers_come_back_for_the_same_job_only(tmp_path: Path) -> None:
    with Store(tmp_path / "new" / "a.sqlite") as store:
        store.add(JOB, [Answer("c1", "mug, clay"), Answer("c2", "")])
    others = (Job("picture", "tiny", "p", "d"), Job("text", "big", "p", "d"), Job("text", "tiny", "p", "e"))
    with Store(tmp_path / "new" / "a.sqlite") as store:
        assert store.answers(JOB) == {"c1": "mug, clay", "c2": ""}
        assert not any(store.answers(other) for other in others)


def test_failures_are_kept_with_their_reason_until_they_succeed(tmp_path: Path) -> None:
    with Store(tmp_path / "a.sqlite") as store:
        store.add(JOB, [Answer("c1", None, "out of memory")])
        assert store.answers(JOB) == {}
        assert store.failures(JOB) == {"c1": "out of memory"}
        store.add(JOB, [Answer("c1", "mug")])
        assert store.answers(JOB) == {"c1": "mug"}
        assert store.failures(JOB) == {}


def test_costs_are_kept_with_their_answers_and_taken_over_from_shards(tmp_path: Path) -> None:
    costs = [Answer("c1", "mug", None, Usage(10, 2, 1)), Answer("c2", None, "refused", Usage(7, 0)), Answer("c3", "")]
    with Store(tmp_path / "a.sqlite") as store:
        store.add(JOB, costs)
        assert store.usage(JOB) == (2, Usage(17, 2, 1))
        store.add(JOB, [Answer("c2", "lamp", None, Usage(7, 3))])  # asked again
        assert store.usage(JOB) == (2, Usage(17, 5, 1))
        assert store.usage(Job("picture", "tiny", "p", "d")) == (0, Usage())
    with Store(tmp_path / "b.sqlite") as store:
        store.adopt(tmp_path / "a.sqlite")
        assert store.usage(JOB) == (2, Usage(17, 5, 1))


def test_a_store_of_before_there_were_costs_is_read(tmp_path: Path) -> None:
    with Store(tmp_path / "a.sqlite") as store:
        store.add(JOB, [Answer("c1", "mug")])
    with closing(sqlite3.connect(tmp_path / "a.sqlite")) as db:
        db.execute("DROP TABLE usage")
    with Store(tmp_path / "b.sqlite") as store:
        assert store.adopt(tmp_path / "a.sqlite")["answers"] == 1
    with Store(tmp_path / "a.sqlite") as store:
        assert store.usage(JOB) == (0, Usage())


def test_a_second_writer_is_refused(tmp_path: Path) -> None:
    with Store(tmp_path / "a.sqlite"), pytest.raises(MmsrarecError, match="another process"):
        Store(tmp_path / "a.sqlite")
    with Store(tmp_path / "a.sqlite") as store:  # and welcome when the first is done
        assert store.answers(JOB) == {}


def test_a_file_that_is_no_store_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "a.sqlite").write_text("these are notes, not a database\n" * 40)
    with pytest.raises(MmsrarecError, match="cannot use the answers in"):
        Store(tmp_path / "a.sqlite")
    with pytest.raises(MmsrarecError, match="cannot open"):
        Store(tmp_path / "a.sqlite" / "below")


def test_a_batch_is_kept_as_a_whole_or_not_at_all(tmp_path: Path) -> None:
    with Store(tmp_path / "a.sqlite") as store:
        with pytest.raises(MmsrarecError, match="cannot keep answers"):
            store.add(JOB, [Answer("c1", "mug"), Answer("c2", object())])  # pyright: ignore
        assert store.answers(JOB) == {}
        store.add(JOB, [Answer("c3", "box")])
        assert store.answers(JOB) == {"c3": "box"}


WRITER = """
import sys
from mmsrarec.engines.protocol import Answer
from mmsrarec.summarize.answer_store import Job, Store
with Store(sys.argv[1]) as store:
    start = len(store.answers(Job("text", "tiny", "p", "d"))) // 20
    for n in range(start, 100_000):
        store.add(Job("text", "tiny", "p", "d"), [Answer(f"{n}-{i}", "mug, clay " * 20) for i in range(20)])
        print(n, flush=True)
"""


def test_killed_at_any_time_the_store_is_whole_and_has_all_that_was_reported(tmp_path: Path) -> None:
    path, rng, reported = tmp_path / "a.sqlite", random.Random(0), -1
    for _ in range(12):
        command = [sys.executable, "-c", WRITER, str(path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ) as writer:
            assert writer.stdout is not None
            first = writer.stdout.readline()
            time.sleep(rng.uniform(0, 0.05))
            writer.send_signal(signal.SIGKILL)
            lines = [line for line in (first + writer.stdout.read()).split("\n")[:-1] if line]
        assert lines
        reported = int(lines[-1])
        with Store(path) as store:
            kept = store.answers(JOB)
        assert len(kept) % 20 == 0
        assert len(kept) >= (reported + 1) * 20
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def rows_of(path: Path, table: str) -> list[tuple]:
    with closing(sqlite3.connect(path)) as db:
        return db.execute(f"SELECT * FROM {table} ORDER BY content").fetchall()


def test_support_comes_back_and_is_never_overwritten(tmp_path: Path) -> None:
    with Store(tmp_path / "a.sqlite") as store:
        store.add_support("tiny", "p", [("c1", "star", -1.5), ("c1", "star, red", float("-inf"))])
        store.add_support("tiny", "p", [("c1", "star", -9.0), ("c2", "star", -2.0)])
    kept = {("c1", "star"): -1.5, ("c1", "star, red"): float("-inf"), ("c2", "star"): -2.0}
    with Store(tmp_path / "a.sqlite") as store:
        assert store.support("tiny", "p") == kept
        assert store.support("tiny", "q") == store.support("big", "p") == {}


def make_older(path: Path) -> None:
    """A store as the first version wrote it."""
    with Store(path) as store:
        store.add(JOB, [Answer("c1", "mug")])
    with closing(sqlite3.connect(path)) as db:
        db.execute("DROP TABLE support")
        db.commit()


def test_an_older_file_without_support_goes_on_working(tmp_path: Path) -> None:
    make_older(tmp_path / "a.sqlite")
    with Store(tmp_path / "a.sqlite") as store:
        assert store.answers(JOB) == {"c1": "mug"}
        assert store.support("tiny", "p") == {}
        store.add_support("tiny", "p", [("c1", "star", -1.0)])
        assert store.support("tiny", "p") == {("c1", "star"): -1.0}
    make_older(tmp_path / "b.sqlite")
    with Store(tmp_path / "c.sqlite") as store:
        assert store.adopt(tmp_path / "b.sqlite") == {"answers": 1, "support": 0}


def test_adopting_copies_what_is_answered_and_overwrites_nothing(tmp_path: Path) -> None:
    with Store(tmp_path / "other.sqlite") as other:
        other.add(
            JOB, [Answer("c1", "theirs"), Answer("c2", "lamp"), Answer("c3", None, "failed"), Answer("c4", "late")]
        )
        other.add_support("tiny", "p", [("c1", "star", -2.0), ("c2", "star", -2.0)])
    with Store(tmp_path / "ours.sqlite") as ours:
        ours.add(JOB, [Answer("c1", "ours"), Answer("c4", None, "out of memory")])
        ours.add_support("tiny", "p", [("c1", "star", -1.0)])
        assert ours.adopt(tmp_path / "other.sqlite") == {"answers": 2, "support": 1}
        assert ours.adopt(tmp_path / "other.sqlite") == {"answers": 0, "support": 0}
        assert ours.answers(JOB) == {"c1": "ours", "c2": "lamp", "c4": "late"}
        assert ours.failures(JOB) == {}
        assert ours.support("tiny", "p") == {("c1", "star"): -1.0, ("c2", "star"): -2.0}
    theirs = {row[4]: row for row in rows_of(tmp_path / "other.sqlite", "answers")}
    adopted = {row[4]: row for row in rows_of(tmp_path / "ours.sqlite", "answers")}
    assert adopted["c2"] == theirs["c2"]  # the time of its making included


def test_adopting_takes_no_rows_of_a_kind_that_no_store_writes(tmp_path: Path) -> None:
    with Store(tmp_path / "other.sqlite") as other:
        other.add(JOB, [Answer("c1", "mug")])
    with closing(sqlite3.connect(tmp_path / "other.sqlite")) as db:
        db.execute("UPDATE answers SET answer = x'00ff'")
        db.execute("INSERT INTO support VALUES ('tiny', 'p', 'c1', 'star', 'much')")
        db.commit()
    with Store(tmp_path / "ours.sqlite") as ours:
        assert ours.adopt(tmp_path / "other.sqlite") == {"answers": 0, "support": 0}


def test_a_file_that_cannot_be_adopted_says_what_to_do_and_changes_nothing(tmp_path: Path) -> None:
    with Store(tmp_path / "damaged.sqlite") as other:
        other.add(JOB, [Answer(f"c{n}", "mug " * 50) for n in range(500)])
    data = (tmp_path / "damaged.sqlite").read_bytes()
    (tmp_path / "damaged.sqlite").write_bytes(data[: len(data) // 2])
    (tmp_path / "notes").write_text("these are notes, not a database\n" * 40)
    sqlite3.connect(tmp_path / "foreign").execute("CREATE TABLE notes (a)").connection.close()
    with Store(tmp_path / "ours.sqlite") as ours:
        for name in ("damaged.sqlite", "notes", "foreign", "missing"):
            with pytest.raises(
                MmsrarecError, match=f"cannot adopt the answers in .*{name}.*summarize that shard again"
            ):
                ours.adopt(tmp_path / name)
        assert not (tmp_path / "missing").exists()
        with Store(tmp_path / "busy"), pytest.raises(MmsrarecError, match="another process is writing it; wait"):
            ours.adopt(tmp_path / "busy")
        assert ours.answers(JOB) == {}
        ours.add(JOB, [Answer("c1", "mug")])


def test_what_a_killed_writer_had_kept_is_adopted(tmp_path: Path) -> None:
    command = [sys.executable, "-c", WRITER, str(tmp_path / "other.sqlite")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ) as writer:
        assert writer.stdout is not None
        writer.stdout.readline()
        writer.send_signal(signal.SIGKILL)
        reported = 1 + len(writer.stdout.read().split("\n")[:-1])
    with Store(tmp_path / "ours.sqlite") as ours:
        assert ours.adopt(tmp_path / "other.sqlite")["answers"] >= 20 * reported
