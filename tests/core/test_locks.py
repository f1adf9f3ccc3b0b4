"""A folder is worked in by one process, and what killed processes leave hinders nobody and takes nothing along."""

import os
import shutil
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from paths import SRC

from mmsrarec.core import artefacts, files
from mmsrarec.core.artefacts import MANIFEST, finished_under, link_or_copy, locked, sweep, writing
from mmsrarec.errors import MmsrarecError


def write(folder: Path, text: str = "hello") -> None:
    with writing(folder, kind="test", key=text) as draft:
        (draft / "a.txt").write_text(text)


def python(program: str, **how) -> subprocess.Popen:
    command = [sys.executable, "-c", textwrap.dedent(program)]
    return subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(SRC)}, text=True, **how)


def holder(folder: Path) -> subprocess.Popen:
    """A process that holds a folder until a line comes."""
    held = "print('held', flush=True); input()"
    program = f"from mmsrarec.core.artefacts import locked\nwith locked({str(folder)!r}):\n {held}"
    child = python(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert child.stdout is not None
    assert child.stdout.readline() == "held\n"
    return child


def enter(folder: Path) -> None:
    with locked(folder):
        pass


@pytest.mark.parametrize("end", ["itself", "kill"])
def test_one_process_works_in_a_folder(tmp_path: Path, end: str) -> None:
    child = holder(tmp_path / "run")
    with pytest.raises(MmsrarecError, match=r"another process is working in .*run: wait for it, or name .* --out"):
        enter(tmp_path / "run")
    child.kill() if end == "kill" else child.communicate("go on\n")
    child.wait()
    enter(tmp_path / "run")
    assert list((tmp_path / "run").iterdir()) == []


def test_a_process_enters_its_own_folder_again(tmp_path: Path) -> None:
    (tmp_path / "run" / "deep").mkdir(parents=True)
    with locked(tmp_path / "run"), locked(tmp_path / "run" / "deep" / ".."):
        assert (tmp_path / "run" / ".lock").exists()
    assert not (tmp_path / "run" / ".lock").exists()
    with locked(tmp_path / "run"), locked(tmp_path / "run" / "seeds" / "1"):
        pass


def test_an_error_inside_gives_the_folder_back(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), locked(tmp_path):
        raise ZeroDivisionError
    enter(tmp_path)


def test_an_error_of_the_work_stays_what_it_is(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="somewhere"), locked(tmp_path):
        raise FileNotFoundError(2, "somewhere")
    with pytest.raises(FileNotFoundError, match="somewhere"), writing(tmp_path / "a", kind="test", key="k"):
        raise FileNotFoundError(2, "somewhere")


def test_a_place_that_cannot_be_held_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(MmsrarecError, match=r"cannot write .*name another place"):
        enter(tmp_path / "file" / "run")


def test_somebody_elses_folders_of_similar_names_stay(tmp_path: Path) -> None:
    """`mv data data.old` before an import is a habit: the copy is theirs."""
    for name in ("a.old", "a.tmp"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "thesis.txt").write_text("years of work")
    write(tmp_path / "a")
    write(tmp_path / "a", "again")
    assert [(tmp_path / name / "thesis.txt").read_text() for name in ("a.old", "a.tmp")] == ["years of work"] * 2


def test_a_result_goes_where_a_link_leads(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "a").symlink_to(tmp_path / "disk")
    write(tmp_path / "a")
    write(tmp_path / "a", "again")
    assert (tmp_path / "a").is_symlink()
    assert (tmp_path / "disk" / "a.txt").read_text() == "again"


@pytest.mark.parametrize("place", [".", "..", "/", ""])
def test_the_current_folder_is_not_replaced(place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    with pytest.raises(MmsrarecError, match="name a folder inside it"):
        write(Path(place))
    assert (tmp_path / "here").is_dir()


def killed_while_writing(folder: Path, point: str) -> None:
    program = f"""
        import os, signal
        from mmsrarec.core import artefacts
        artefacts.fault_point = lambda name: os.kill(os.getpid(), signal.SIGKILL) if name == {point!r} else None
        with artefacts.writing({str(folder)!r}, kind="test", key="new") as draft:
            (draft / "new.txt").write_text("new")
    """
    assert python(program).wait() == -signal.SIGKILL


@pytest.mark.skipif(os.name == "nt", reason="kills as POSIX does")
@pytest.mark.parametrize("point", ["before rename", "between renames", "after rename"])
def test_what_a_killed_process_left_is_no_part_and_goes(tmp_path: Path, point: str) -> None:
    for name in ("deep/part", "other"):
        write(tmp_path / "run" / name)
    killed_while_writing(tmp_path / "run/deep/part", point)
    found = [place.relative_to(tmp_path / "run").as_posix() for place in finished_under(tmp_path / "run")]
    assert found == (["other"] if point == "between renames" else ["deep/part", "other"])
    enter(tmp_path / "run")  # whoever works in the run next clears it
    assert sorted(path.name for path in (tmp_path / "run/deep").iterdir()) == ["part"]
    assert (tmp_path / "run/deep/part" / ("new.txt" if point == "after rename" else "a.txt")).is_file()


def test_what_is_being_written_is_not_cleared(tmp_path: Path) -> None:
    with writing(tmp_path / "run" / "part", kind="test", key="k") as draft:
        (draft / "a.txt").write_text("mine")
        sweep(tmp_path / "run")
        assert (draft / "a.txt").read_text() == "mine"
        assert list(finished_under(tmp_path / "run")) == []
    assert [place.name for place in finished_under(tmp_path / "run")] == ["part"]


def test_leavings_of_earlier_versions_are_no_parts(tmp_path: Path) -> None:
    write(tmp_path / "run" / "part")
    for end in ("tmp", "old"):
        shutil.copytree(tmp_path / "run" / "part", tmp_path / "run" / f"part.{end}")
    (tmp_path / "run" / MANIFEST).write_text("{}")
    assert [place.name for place in finished_under(tmp_path / "run")] == ["part"]


@pytest.mark.parametrize("links", [True, False])
def test_a_file_gets_a_second_name_or_is_copied(tmp_path: Path, links: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(source: str, target: str) -> None:
        raise OSError(18, "Invalid cross-device link")

    if not links:
        monkeypatch.setattr(os, "link", refuse)
    write(tmp_path / "a")
    shutil.copytree(tmp_path / "a", tmp_path / "b", copy_function=link_or_copy)
    assert artefacts.verify(tmp_path / "b")["key"] == "hello"
    assert (tmp_path / "b/a.txt").samefile(tmp_path / "a/a.txt") == links


@pytest.mark.parametrize("number", [22, 95])
def test_a_disk_that_syncs_no_folders_will_do(tmp_path: Path, number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    sync = os.fsync

    def picky(handle: int) -> None:
        if os.path.isdir(f"/proc/self/fd/{handle}"):
            raise OSError(number, "not here")
        sync(handle)

    monkeypatch.setattr(os, "fsync", picky)
    write(tmp_path / "a")
    assert artefacts.is_whole(tmp_path / "a")


def test_where_folders_cannot_be_opened_they_are_not_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = os.open

    def picky(path, *rest, **more):
        if os.path.isdir(path):
            raise PermissionError(13, "Permission denied", str(path))
        return opened(path, *rest, **more)

    monkeypatch.setattr(os, "open", picky)
    monkeypatch.setattr(files, "FOLDERS_SYNC", False)
    write(tmp_path / "a")
    assert artefacts.verify(tmp_path / "a")
