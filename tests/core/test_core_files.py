"""Single files: the old content or the new, never a part; hashes; links that fall back to copies; syncs."""

import errno
import hashlib
import os
import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mmsrarec.core import files
from mmsrarec.core.files import atomic_write, file_hash, link_or_copy, sync

contents = st.binary(max_size=200)
reused_folder = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=30)


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@reused_folder
@given(old=st.none() | contents, new=contents)
def test_a_write_replaces_the_whole_file_and_leaves_no_draft(tmp_path: Path, old: bytes | None, new: bytes) -> None:
    path = tmp_path / "state.bin"
    path.unlink(missing_ok=True)
    if old is not None:
        path.write_bytes(old)
    atomic_write(str(path), new)
    assert path.read_bytes() == new
    assert names_in(tmp_path) == ["state.bin"]


@pytest.mark.parametrize("failing", ["fsync", "replace"])
@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "disk full"), KeyboardInterrupt()])
def test_a_write_that_fails_midway_leaves_the_old_content_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str, error: BaseException
) -> None:
    path = tmp_path / "state.bin"
    path.write_bytes(b"old")

    def fail(*given: object) -> None:
        raise error

    monkeypatch.setattr(*(("os.fsync", fail) if failing == "fsync" else (Path, "replace", fail)))
    with pytest.raises(type(error)):
        atomic_write(path, b"new content")
    assert path.read_bytes() == b"old"
    assert names_in(tmp_path) == ["state.bin"]


def test_the_bytes_are_on_the_disk_before_the_name_changes_and_the_name_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, events = tmp_path / "state.bin", []
    fsync, replace = os.fsync, Path.replace

    def noted_fsync(handle: int) -> None:
        events.append("sync folder" if os.path.samestat(os.fstat(handle), tmp_path.stat()) else "sync file")
        fsync(handle)

    def noted_replace(draft: Path, target: Path) -> Path:
        events.append("rename")
        return replace(draft, target)

    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(Path, "replace", noted_replace)
    atomic_write(path, b"new")
    assert events == ["sync file", "rename", "sync folder"]


def test_a_write_into_a_folder_that_is_not_there_is_an_os_error_and_makes_nothing(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="missing"):
        atomic_write(tmp_path / "missing" / "state.bin", b"new")
    assert names_in(tmp_path) == []


def test_a_write_to_a_second_name_of_a_file_changes_that_name_only(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    one.write_bytes(b"old")
    link_or_copy(str(one), str(other))
    atomic_write(other, b"new")
    assert one.read_bytes() == b"old"
    assert other.read_bytes() == b"new"


@reused_folder
@given(contents)
def test_the_hash_is_the_sha256_of_the_content_whatever_the_name(tmp_path: Path, content: bytes) -> None:
    for name in ("one", "other"):
        (tmp_path / name).write_bytes(content)
    assert file_hash(tmp_path / "one") == file_hash(tmp_path / "other") == hashlib.sha256(content).hexdigest()


def test_one_changed_byte_in_a_large_file_changes_the_hash(tmp_path: Path) -> None:
    path, content = tmp_path / "large", bytearray(3_000_000)
    path.write_bytes(content)
    before = file_hash(path)
    content[-1] = 1
    path.write_bytes(content)
    assert file_hash(path) != before


def test_a_link_is_a_second_name_of_the_same_file(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(b"content")
    assert link_or_copy(str(source), str(target)) == str(target)
    assert target.samefile(source)


@pytest.mark.parametrize(
    "error", [OSError(errno.EXDEV, "another disk"), NotImplementedError("no links"), AttributeError("no os.link")]
)
def test_without_hard_links_the_file_is_copied_with_its_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(b"content")
    os.utime(source, (1_000_000_000, 1_000_000_000))

    def refuse(*given: object) -> None:
        raise error

    monkeypatch.setattr(os, "link", refuse)
    assert link_or_copy(str(source), str(target)) == str(target)
    assert target.read_bytes() == b"content"
    assert not target.samefile(source)
    assert target.stat().st_mtime == 1_000_000_000


def test_a_file_that_is_not_there_is_neither_linked_nor_copied(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        link_or_copy(str(tmp_path / "missing"), str(tmp_path / "target"))
    assert names_in(tmp_path) == []


def test_a_tree_is_copied_as_links(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    (source / "deep").mkdir(parents=True)
    (source / "deep" / "file").write_bytes(b"content")
    shutil.copytree(source, target, copy_function=link_or_copy)
    assert (target / "deep" / "file").samefile(source / "deep" / "file")


@pytest.mark.parametrize("number", [*files.SYNC_UNSUPPORTED, errno.EIO])
@pytest.mark.parametrize("kind", ["file", "folder"])
def test_only_a_folder_may_refuse_to_be_synced_and_only_for_want_of_support(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, number: int
) -> None:
    path = tmp_path / "here"
    path.mkdir() if kind == "folder" else path.write_bytes(b"content")
    handles = []

    def refuse(handle: int) -> None:
        handles.append(handle)
        raise OSError(number, "refused")

    monkeypatch.setattr(os, "fsync", refuse)
    if kind == "folder" and number in files.SYNC_UNSUPPORTED:
        sync(path)
    else:
        with pytest.raises(OSError, match="refused"):
            sync(path)
    (handle,) = handles
    with pytest.raises(OSError, match="Bad file descriptor"):  # closed in either case
        os.fstat(handle)


def test_where_folders_cannot_be_opened_files_are_synced_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, synced = tmp_path / "file", []
    path.write_bytes(b"content")
    monkeypatch.setattr(files, "FOLDERS_SYNC", False)
    monkeypatch.setattr(os, "fsync", synced.append)
    sync(tmp_path)
    assert synced == []
    sync(path)
    assert len(synced) == 1
