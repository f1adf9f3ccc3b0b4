"""A file of answers to many: stopped anywhere and started again it is the same, and nothing finished is done twice."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from world import make_dataset, make_log

from mmsrarec.core.progress import Progress
from mmsrarec.errors import MmsrarecError, UnknownIdError
from mmsrarec.runs.answers.questions import Questions, Who
from mmsrarec.runs.answers.recommendations import TABLE, Recommendation, Recommendations
from mmsrarec.runs.batch_file import Parts, recommend_file
from mmsrarec.runs.recommender import Recommender

DATASET = make_dataset(make_log(np.random.default_rng(0), n_users=23, n_items=8, length=3))
USERS = list(DATASET.user_ids)


class Stopped(BaseException):
    """Stands for a kill: nothing catches it."""


class Answerer:
    """Answers in blocks of three, a row a user, and is stopped behind so many users."""

    block_size, dataset, questions = 3, DATASET, Questions(DATASET)

    def __init__(self, stop_behind: int = 10**6, available: int = 8) -> None:
        self.asked: list[str] = []
        self.stop_behind, self.available = stop_behind, np.arange(8) < available
        recipe = SimpleNamespace(model_dump=lambda **how: {})
        self.run_folder = SimpleNamespace(folder=Path("nowhere"), recipe=recipe)

    def answer_function(self, k: int = 10) -> Callable[..., list[Recommendations]]:
        def ask(questions: Sequence[Who], done: Callable[[], None]) -> list[Recommendations]:
            if len(self.asked) + len(questions) > self.stop_behind:
                raise Stopped
            self.asked += [who["user"] for who in questions]
            for _ in questions:
                done()
            return [
                Recommendations([Recommendation(f"{who['user']} {k}", "", 0.1, None, (), ("a", "b"))])
                for who in questions
            ]

        return ask


def write(table: pl.LazyFrame, path: Path) -> None:
    table.collect().write_parquet(path)


def go(
    answerer: Answerer, out: Path, users: list[str] | None = None, said: list[str] | None = None, **how: Any
) -> dict:
    say = Progress.of(said.append if said is not None else False)
    return recommend_file(cast(Recommender, answerer), users, out, write, say, **how)


@pytest.fixture(autouse=True)
def each_block_is_a_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mmsrarec.runs.batch_file.PART_SECONDS", 0.0)


def test_everybody_or_the_users_that_are_named_in_their_order(tmp_path: Path) -> None:
    assert go(Answerer(), tmp_path / "a.parquet") == {"out": tmp_path / "a.parquet", "users": 23, "rows": 23}
    table = pl.read_parquet(tmp_path / "a.parquet")
    assert dict(table.schema) == TABLE
    assert table["user_id"].to_list() == USERS
    go(Answerer(), tmp_path / "b.parquet", ["u7", "u1", "u7"], k=4)
    assert pl.read_parquet(tmp_path / "b.parquet")["item_id"].to_list() == ["u7 4", "u1 4", "u7 4"]
    assert go(Answerer(), tmp_path / "c.parquet", [])["rows"] == 0
    assert dict(pl.read_parquet(tmp_path / "c.parquet").schema) == TABLE
    assert {path.name for path in tmp_path.iterdir()} == {"a.parquet", "b.parquet", "c.parquet"}  # no parts are left


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(0, 25), max_size=4))
def test_stopped_anywhere_and_often_nobody_is_asked_twice_and_nobody_is_missing(
    tmp_path_factory: pytest.TempPathFactory, stops: list[int]
) -> None:
    out = tmp_path_factory.mktemp("stopped") / "a.parquet"
    asked: list[str] = []
    for stop in [*stops, 10**6]:
        answerer = Answerer(stop)
        try:
            go(answerer, out)
            asked += answerer.asked
            break
        except Stopped:
            asked += answerer.asked
    assert asked == USERS  # each block is kept as soon as it is finished
    assert pl.read_parquet(out)["user_id"].to_list() == USERS


def test_blocks_that_take_no_time_share_a_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mmsrarec.runs.batch_file.PART_SECONDS", 60.0)
    kept: list[tuple[int, int]] = []
    keep = Parts.keep
    monkeypatch.setattr(
        Parts, "keep", lambda self, first, end, rows: (kept.append((first, end)), keep(self, first, end, rows))
    )
    go(Answerer(), tmp_path / "a.parquet")
    assert kept == [(0, 23)]
    assert pl.read_parquet(tmp_path / "a.parquet")["user_id"].to_list() == USERS


def test_it_is_said_how_far_an_earlier_call_came(tmp_path: Path) -> None:
    said: list[str] = []
    with pytest.raises(Stopped):
        go(Answerer(stop_behind=7), tmp_path / "a.parquet")
    go(Answerer(), tmp_path / "a.parquet", said=said)
    assert said[0] == "6 of 23 users were answered by an earlier call: going on behind them"
    assert said[-1].startswith("recommending: 17/17")


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({}, {"how": {"k": 3}}),
        ({}, {"users": USERS[:9]}),
        ({}, {"users": USERS[::-1]}),
        ({}, {"answerer": {"available": 7}}),
    ],
)
def test_parts_of_another_question_are_thrown_away_and_that_is_said(
    tmp_path: Path, first: dict[str, Any], second: dict[str, Any]
) -> None:
    out, said, answerer = tmp_path / "a.parquet", [], Answerer(**second.get("answerer", {}))
    with pytest.raises(Stopped):
        go(Answerer(stop_behind=6), out)
    users = second.get("users")
    go(answerer, out, users, said, **second.get("how", {}))
    assert "its parts are thrown away" in said[0]
    assert answerer.asked == (users or USERS)
    k = second.get("how", {}).get("k", 10)
    assert pl.read_parquet(out)["item_id"].to_list() == [f"{user} {k}" for user in users or USERS]


@pytest.mark.parametrize("damage", [b"", b"PAR1 and nothing more"])
def test_a_damaged_part_is_made_again(tmp_path: Path, damage: bytes) -> None:
    out, answerer = tmp_path / "a.parquet", Answerer()
    with pytest.raises(Stopped):
        go(Answerer(stop_behind=9), out)
    second = sorted(Parts.of(out).folder.glob("*.parquet"))[1]
    second.write_bytes(damage)
    go(answerer, out)
    assert answerer.asked == [*USERS[3:6], *USERS[9:]]
    assert pl.read_parquet(out)["user_id"].to_list() == USERS


@pytest.mark.parametrize("n", [1, 2, 3, 5, 12])
def test_shards_share_the_users_and_are_joined(tmp_path: Path, n: int) -> None:
    out, asked = tmp_path / "a.parquet", []
    for i in reversed(range(n)):
        answerer = Answerer()
        told = go(answerer, out, shard=(i, n))
        assert told == {"out": out, "shard": f"{i + 1}/{n}", "users": len(answerer.asked)}
        assert not out.exists()
        asked += answerer.asked
    assert sorted(asked) == sorted(USERS)
    last = Answerer()
    go(last, out)
    assert last.asked == []
    assert pl.read_parquet(out)["user_id"].to_list() == USERS


def test_two_calls_do_not_write_one_file(tmp_path: Path) -> None:
    out = tmp_path / "a[1].parquet"

    class Meanwhile(Answerer):
        def answer_function(self, k: int = 10) -> Callable[..., list[Recommendations]]:
            def ask(questions: Sequence[Who], done: Callable[[], None]) -> list[Recommendations]:
                with pytest.raises(MmsrarecError, match="another process is writing"):
                    go(Answerer(), out)
                return super(Meanwhile, self).answer_function(k)(questions, done)

            return ask

    go(Meanwhile(), out, shard=(0, 2))
    go(Meanwhile(), out)
    assert pl.read_parquet(out, glob=False)["user_id"].to_list() == USERS


def test_a_wrong_question_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(UnknownIdError, match="nobody"):
        go(Answerer(), tmp_path / "deep" / "a.parquet", ["u1", "nobody"])
    assert not (tmp_path / "deep").exists()
    (tmp_path / "file").touch()
    with pytest.raises(MmsrarecError, match="cannot be written"):
        go(Answerer(), tmp_path / "file" / "a.parquet")


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system kills in another way")
def test_a_real_run_that_is_killed_goes_on_and_writes_the_table_of_an_undisturbed_call(
    finished: Path, tmp_path: Path
) -> None:
    out, recommender = tmp_path / "a.parquet", Recommender.load(finished / "run")
    users = list(recommender.dataset.user_ids) * 4  # work for long enough to be killed at it
    (tmp_path / "users.txt").write_text("".join(f"{user}\n" for user in users))
    line = [sys.executable, "-m", "mmsrarec", "recommend", str(finished / "run"), "--k", "2"]
    line += ["--users", str(tmp_path / "users.txt")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
    child = subprocess.Popen([*line, "--out", str(out)], stderr=subprocess.DEVNULL, env=environment)
    until = time.monotonic() + 120
    while not any(Parts.of(out).folder.glob("*.parquet")) and time.monotonic() < until and child.poll() is None:
        time.sleep(0.01)
    assert child.poll() is None, "it was to be killed at work"
    child.kill()
    child.wait()
    assert not out.exists()
    done = subprocess.run([*line, "--out", str(out)], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    assert "users were answered by an earlier call" in done.stderr
    assert "recommending: " in done.stderr  # a line though standard error is no terminal
    assert pl.read_parquet(out).equals(recommender.recommend(users=users, k=2))
