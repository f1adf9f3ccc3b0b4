"""Several processes answer shares of many users: the same table as one, and a failure is one line."""

from pathlib import Path

import polars as pl
import pytest

from mmsrarec.cli import commands
from mmsrarec.errors import MmsrarecError
from mmsrarec.runs.answers.batch_processes import answer_shares


def test_the_table_is_that_of_one_process(finished: Path, tmp_path: Path) -> None:
    command = ["recommend", str(finished / "run"), "--users", "all", "--k", "3", "--more", "red"]
    for processes in (1, 2):
        out = ["--out", str(tmp_path / f"{processes}.parquet"), "--processes", str(processes)]
        assert commands.call([*command, *out]) == 0
    one, two = (pl.read_parquet(tmp_path / f"{processes}.parquet") for processes in (1, 2))
    assert one.drop("score").equals(two.drop("score"))
    assert two["score"].to_numpy() == pytest.approx(one["score"].to_numpy(), abs=1e-4)
    assert sorted(path.name for path in tmp_path.glob("*.parquet")) == ["1.parquet", "2.parquet"]


def test_a_failure_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(MmsrarecError, match="2 of 2 processes failed") as failed:
        answer_shares(["recommend", str(tmp_path), "--users", "all", "--out", str(tmp_path / "x.parquet")], 2)
    assert "\n" not in str(failed.value)


def test_processes_are_of_many_users(finished: Path, tmp_path: Path) -> None:
    run = str(finished / "run")
    assert commands.call(["recommend", run, "--user", "u0001", "--processes", "2"]) != 0
    many = ["--users", "all", "--out", str(tmp_path / "x.parquet"), "--shard", "1/2", "--processes", "2"]
    assert commands.call(["recommend", run, *many]) != 0
