"""Finished work is whole or absent, whenever the process dies."""

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from paths import SRC
from pydantic import BaseModel

from mmsrarec.core.artefacts import atomic_write, is_current, key, read_manifest, verify, writing
from mmsrarec.errors import MmsrarecError

VALUES = st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.lists(st.floats(0, 1), max_size=2)
PARTS = st.dictionaries(st.text(max_size=5), VALUES, max_size=5)


class Settings(BaseModel):
    epochs: int = 3


def write(folder: Path, key: str = "k", text: str = "hello") -> None:
    with writing(folder, kind="test", key=key, settings=Settings(), inputs={"data": "d"}) as draft:
        (draft / "deep").mkdir()
        (draft / "deep" / "a.txt").write_text(text)


def test_a_written_folder_says_what_it_is(tmp_path: Path) -> None:
    write(tmp_path / "a")
    manifest = verify(tmp_path / "a")
    assert manifest["settings"] == {"epochs": 3}
    assert (manifest["kind"], manifest["inputs"]) == ("test", {"data": "d"})
    assert manifest["files"]["deep/a.txt"]["size"] == 5
    assert manifest["versions"]["mmsrarec"]
    assert is_current(tmp_path / "a", "k")
    assert not is_current(tmp_path / "a", "other")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_the_manifest_is_the_same_for_the_same_work(tmp_path: Path) -> None:
    write(tmp_path / "a")
    write(tmp_path / "b")
    assert (tmp_path / "a/manifest.json").read_bytes() == (tmp_path / "b/manifest.json").read_bytes()


def test_an_error_in_the_block_keeps_what_was_there(tmp_path: Path) -> None:
    write(tmp_path / "a")

    def fail() -> None:
        with writing(tmp_path / "a", kind="test", key="new") as draft:
            (draft / "b.txt").write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert is_current(tmp_path / "a", "k")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


@pytest.mark.parametrize("broken", ["absent", "not json", "lacks keys", "file gone", "file cut", "climbs out"])
def test_a_folder_that_is_not_whole_is_not_read(tmp_path: Path, broken: str) -> None:
    write(tmp_path / "a")
    manifest, file = tmp_path / "a/manifest.json", tmp_path / "a/deep/a.txt"
    if broken == "absent":
        manifest.unlink()
    elif broken == "not json":
        manifest.write_bytes(manifest.read_bytes()[:-20])
    elif broken == "lacks keys":
        manifest.write_text('{"key": "k"}')
    elif broken == "file gone":
        file.unlink()
    elif broken == "file cut":
        file.write_text("hell")
    else:
        (tmp_path / "out.txt").write_text("hello")
        manifest.write_text(manifest.read_text().replace("deep/a.txt", "../out.txt"))
    assert not is_current(tmp_path / "a", "k")
    with pytest.raises(MmsrarecError, match="make"):
        read_manifest(tmp_path / "a")


def test_verify_sees_a_change_that_keeps_the_size(tmp_path: Path) -> None:
    write(tmp_path / "a")
    (tmp_path / "a/deep/a.txt").write_text("jello")
    read_manifest(tmp_path / "a")
    with pytest.raises(MmsrarecError, match=r"a\.txt was changed"):
        verify(tmp_path / "a")


def test_what_is_not_ours_is_never_removed(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/thesis.txt").write_text("years of work")
    with pytest.raises(MmsrarecError, match="not made by mmsrarec"):
        write(tmp_path / "mine")
    assert (tmp_path / "mine/thesis.txt").read_text() == "years of work"


def test_two_writers_of_one_folder_do_not_mix(tmp_path: Path) -> None:
    with writing(tmp_path / "a", kind="test", key="first") as draft:
        (draft / "a.txt").write_text("first")
        with pytest.raises(MmsrarecError, match="another process"):
            write(tmp_path / "a", key="second")
    assert verify(tmp_path / "a")["key"] == "first"


def test_a_place_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(MmsrarecError, match="cannot write"):
        write(tmp_path / "file" / "a")


def test_a_full_disk_keeps_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "a")

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write(tmp_path / "a", key="new")
    with pytest.raises(OSError, match="No space left"):
        atomic_write(tmp_path / "a/deep/a.txt", b"other")
    assert verify(tmp_path / "a")["key"] == "k"
    assert [path.name for path in tmp_path.rglob("*") if "tmp" in path.name] == []


@pytest.mark.parametrize("point", ["after write", "before rename", "between renames", "after rename"])
@pytest.mark.parametrize("earlier", [False, True])
def test_killed_anywhere_a_folder_is_old_or_new_or_absent(tmp_path: Path, point: str, earlier: bool) -> None:
    folder = tmp_path / "a"
    if earlier:
        write(folder, "old", "old text")
    program = f"""
        import os, signal
        from mmsrarec.core import artefacts
        def fault_point(name):
            if name == {point!r}:
                os.kill(os.getpid(), signal.SIGKILL)
        artefacts.fault_point = fault_point
        with artefacts.writing({str(folder)!r}, kind="test", key="new") as draft:
            (draft / "new.txt").write_text("new text")
        print("survived")
    """
    environment = {**os.environ, "PYTHONPATH": str(SRC)}
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], env=environment, capture_output=True, text=True
    )
    never_there = point == "between renames" and not earlier
    assert done.returncode == (0 if never_there else -9), done.stderr
    if never_there or point == "after rename":
        assert verify(folder)["key"] == "new"
    elif earlier and point != "between renames":
        assert verify(folder)["key"] == "old"
    else:
        assert not folder.exists()
    write(folder, "next", "next text")  # what the killed process left is no obstacle
    assert (folder / "deep/a.txt").read_text() == "next text"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


@settings(max_examples=50, deadline=None)
@given(PARTS)
def test_a_key_forgets_order_and_nothing_else(parts: dict) -> None:
    backwards = dict(reversed(parts.items()))
    assert key(parts=parts) == key(parts=backwards)
    assert key(parts=parts) != key(parts={**parts, "one more": 1})


def test_a_key_knows_settings_and_numpy_numbers() -> None:
    assert key(a=Settings()) == key(a={"epochs": 3}) == key(a={"epochs": np.int64(3)})
    assert key(a=Settings(epochs=4)) != key(a=Settings())
    assert key(a=np.arange(2)) == key(a=(0, 1))
    assert len(key(a=1)) == 64


@pytest.mark.parametrize("part", [float("nan"), {1, 2}, Path("here")])
def test_a_key_refuses_what_has_no_one_form(part: object) -> None:
    with pytest.raises((TypeError, ValueError)):
        key(part=part)


def test_atomic_write_replaces(tmp_path: Path) -> None:
    atomic_write(tmp_path / "a.json", b"[1]")
    atomic_write(tmp_path / "a.json", b"[2]")
    assert json.loads((tmp_path / "a.json").read_bytes()) == [2]
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]
