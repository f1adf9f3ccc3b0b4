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

from mmsrarec.errors import MmsrarecError
from mmsrarec.summarize.store import Job, Store

JOB = Job("text", "tiny", "p", "d")


def test_answers_come_back_for_the_same_job_only(tmp_path: Path) -> None:
    with Store(tmp_path / "new" / "a.sqlite") as store:
        store.add(JOB, [("c1", "mug, clay", None), ("c2", "", None)])
    others = (Job("picture", "tiny", "p", "d"), Job("text", "big", "p", "d"), Job("text", "tiny", "p", "e"))
    with Store(tmp_path / "new" / "a.sqlite") as store:
        assert store.answers(JOB) == {"c1": "mug, clay", "c2": ""}
        assert not any(store.answers(other) for other in others)


def test_failures_are_kept_with_their_reason_until_they_succeed(tmp_path: Path) -> None:
    with Store(tmp_path / "a.sqlite") as store:
        store.add(JOB, [("c1", None, "out of memory")])
        assert store.answers(JOB) == {}
        assert store.failures(JOB) == {"c1": "out of memory"}
        store.add(JOB, [("c1", "mug", None)])
        assert store.answers(JOB) == {"c1": "mug"}
        assert store.failures(JOB) == {}


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
            store.add(JOB, [("c1", "mug", None), ("c2", object(), None)])  # pyright: ignore
        assert store.answers(JOB) == {}
        store.add(JOB, [("c3", "box", None)])
        assert store.answers(JOB) == {"c3": "box"}


WRITER = """
import sys
from mmsrarec.summarize.store import Job, Store
with Store(sys.argv[1]) as store:
    start = len(store.answers(Job("text", "tiny", "p", "d"))) // 20
    for n in range(start, 100_000):
        store.add(Job("text", "tiny", "p", "d"), [(f"{n}-{i}", "mug, clay " * 20, None) for i in range(20)])
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
