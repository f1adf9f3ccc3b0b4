"""`mmsrarec import`: the format may be left out, the table says everything, and wrong use is one line."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from paths import CASES, SRC

from mmsrarec.cli import commands
from mmsrarec.cli.import_verb import core_sizes
from mmsrarec.errors import MmsrarecError

CASE = CASES / "foreign-columns"


def call(*arguments: object) -> int:
    return commands.call(["import", *map(str, arguments)])


def test_the_format_is_found_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for first in ([CASE], ["auto", CASE]):
        assert call(*first, "--out", tmp_path / "out", "--json") == 0
        assert json.loads(capsys.readouterr().out)["format"] == "tables"
    assert call(CASES / "sasrec-pairs" / "pairs.txt", "--out", tmp_path / "pairs", "--json") == 0
    assert json.loads(capsys.readouterr().out)["format"] == "sequences"
    assert call(CASES / "amazon-tables" / "core-2023.csv", "--out", tmp_path / "amazon", "--json") == 0
    assert json.loads(capsys.readouterr().out)["format"] == "amazon"


def test_the_table_names_columns_rows_and_what_was_assumed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(CASE, tmp_path / "source")
    with (tmp_path / "source" / "interactions.csv").open("a") as file:
        file.write("u0,102,4.0,1700000000\nNULL,102,4.0,1700000000\n")
    assert call("tables", tmp_path / "source", "--out", tmp_path / "out", "--core", "users=2") == 0
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert "interactions userId user_id usual name" in lines
    assert "rating: 4.0 x 41" in lines
    assert "rows of interactions: 42 read, 40 kept, 1 folded (exact repeats), 1 set aside in rejects.parquet" in lines
    assert "times: 2023-11-14 to 2023-11-23 (read from seconds, in UTC)" in lines
    assert any(line.startswith("assumed: every row counts") for line in lines)
    assert any(line.startswith("note: the 2,0 core is that of the whole log") for line in lines)


def test_texts_of_others_are_no_commands_for_a_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "log.csv").write_text(
        "user,item,time,rating,\x1b[2Jnote\nu,a,1700000000,\x1b[31m5,x\nu,b,1700000001,4,x\n"
    )
    assert call("tables", tmp_path / "log.csv", "--out", tmp_path / "out") == 0
    assert "\x1b" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["netflix", CASE, "--out", "x"], "unknown format netflix: this version imports tables, sequences"),
        (["tables", "/nowhere", "--out", "x"], "/nowhere does not exist"),
        ([CASE], "say where the data go: --out DATA"),
        (
            ["tables", CASE, "--out", "x", "--map", "user_id=nobody"],
            "no column 'nobody'; it has userId, movieId, rating",
        ),
        (["tables", CASE, "--out", "x", "--min-rating", "many"], "--min-rating"),
        (["tables", CASE, "--out", "x", "--core", "5"], "--core 5: expected U,I"),
        (["tables", CASE, "--out", "x", "--encoding", "klingon"], "unknown encoding klingon"),
        (["tables", CASE, "--out", "x", "--match-ids", "luck"], "unknown difference 'luck'"),
        (["tables", CASE, "--out", "x", "--items", "/nowhere.csv"], "/nowhere.csv is not a file"),
        (["tables", CASE, "--out", "x", "--query", "select 1"], "--query does not belong to tables"),
        (["sequences", CASE, "--out", "x"], "is not a file"),
    ],
)
def test_wrong_use_is_one_line(
    arguments: list[object],
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert call(*arguments) == 2
    said = capsys.readouterr().err
    assert words in said
    assert said.count("\n") == 1
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(
    "content", [b"\x1f\x8b\x08nonsense", b"PK\x03\x04nonsense", b"\x28\xb5\x2f\xfdnonsense", b"PAR1x"]
)
def test_an_unreadable_archive_is_one_line(content: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "log.csv").write_bytes(content)
    assert call("tables", tmp_path / "log.csv", "--out", tmp_path / "out") == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "log.csv" in said


@pytest.mark.skipif(os.name == "nt", reason="needs limits of POSIX")
def test_a_full_disk_is_one_line_and_leaves_nothing(tmp_path: Path) -> None:
    rows = "".join(
        f"user{number * 7919 % 100_003},{number % 50},{1_700_000_000 + number}\n" for number in range(30_000)
    )
    (tmp_path / "log.csv").write_text(f"user,item,time\n{rows}")
    limited = "import resource, signal, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000)); "
    limited += "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); from mmsrarec.cli import commands; "
    limited += "sys.exit(commands.call(sys.argv[1:]))"
    arguments = ["import", "tables", str(tmp_path / "log.csv"), "--out", str(tmp_path / "out")]
    environment = os.environ | {"PYTHONPATH": str(SRC), "MMSRAREC_CACHE": str(tmp_path / "cache")}
    command = [sys.executable, "-c", limited, *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "cannot be written" in done.stderr
    assert "is there room on the disk?" in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "locked").mkdir(mode=0o500)
    assert call("tables", CASE, "--out", tmp_path / "locked" / "out") == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_a_place_that_cannot_be_a_folder_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("mine")
    for out in (tmp_path / "file", tmp_path / "file" / "out"):
        assert call("tables", CASE, "--out", out) == 2
        assert capsys.readouterr().err.count("\n") == 1
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize(
    ("argument", "sizes"),
    [("6,5", (6, 5)), ("users=3", (3, 0)), ("items=4", (0, 4)), ("users=3,items=4", (3, 4)), (None, None)],
)
def test_sides_of_a_core(argument: str | None, sizes: tuple[int, int] | None) -> None:
    assert core_sizes(argument) == sizes


@pytest.mark.parametrize("argument", ["5", "a,b", "1,2,3", "shoes=3", "-1,5", "users=", ""])
def test_what_is_no_core(argument: str) -> None:
    with pytest.raises(MmsrarecError, match="expected U,I"):
        core_sizes(argument)
