"""A cache that cannot be written is found out before the work, and a temporary folder takes its part."""

import logging
import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import platformdirs
import pytest

from mmsrarec.cli import commands
from mmsrarec.core import cache, terminal
from mmsrarec.core.cache import cache_folder, cache_to_write, can_write, find_cached, known_places, temporary_folder
from mmsrarec.errors import MmsrarecError

NOWHERE = "/proc/nope" if Path("/proc").is_dir() else "/dev/null/nope"


@pytest.fixture(autouse=True)
def fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Temporary folders of the test's own, and no remark said yet."""
    for name in ("MMSRAREC_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    terminal.remark.cache_clear()
    cache._of_this_process.cache_clear()
    yield
    terminal.remark.cache_clear()
    cache._of_this_process.cache_clear()


@pytest.mark.parametrize("named", ["", "  "])
def test_a_name_of_nothing_is_no_name(named: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MMSRAREC_CACHE", named)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == Path(platformdirs.user_cache_dir("mmsrarec", appauthor=False))
    monkeypatch.setenv("MMSRAREC_CACHE", "~/mine")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert cache_folder() == tmp_path / "mine"


def test_the_wanted_folder_is_used_where_it_can_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MMSRAREC_CACHE", str(tmp_path / "mine"))
    assert can_write(tmp_path / "mine")
    assert cache_to_write() == tmp_path / "mine"
    assert list((tmp_path / "mine").iterdir()) == []


@pytest.mark.parametrize("name", ["MMSRAREC_CACHE", "XDG_CACHE_HOME", "HOME"])
def test_a_temporary_folder_takes_its_part_with_a_remark(
    name: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    if name == "HOME" and os.name == "nt":
        pytest.skip("a home of POSIX")
    monkeypatch.setenv(name, NOWHERE)
    with caplog.at_level(logging.WARNING):
        first, again = cache_to_write(), cache_to_write()
    assert first == again == temporary_folder()
    assert not can_write(cache_folder())
    (record,) = caplog.records  # once in a process
    assert record.getMessage().count(str(first)) == 1
    for part in (NOWHERE, "MMSRAREC_CACHE"):
        assert part in record.getMessage()
    (first / "model").mkdir()
    assert find_cached("model") == first / "model"
    assert find_cached("another") is None


@pytest.mark.skipif(os.name == "nt", reason="users of POSIX")
def test_a_user_without_a_home(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """A container started with a bare number for a user."""
    monkeypatch.delenv("HOME")
    monkeypatch.setattr(os, "getuid", lambda: 123_456)
    monkeypatch.setattr(cache, "_is_own", lambda folder: True)
    with pytest.raises(MmsrarecError, match=r"no home folder .*MMSRAREC_CACHE"):
        cache_folder()
    assert find_cached("anything") is None
    assert cache_to_write().name == "mmsrarec-123456"
    assert "no home folder" in caplog.text


def test_a_filled_cache_may_be_read_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Models that are baked into an image are found, and nothing is written for them."""
    (tmp_path / "baked" / "model").mkdir(parents=True)
    monkeypatch.setenv("MMSRAREC_CACHE", str(tmp_path / "baked"))
    monkeypatch.setattr(cache, "_written", lambda folder: pytest.fail("written"))
    assert find_cached("model") == tmp_path / "baked" / "model"


def test_no_place_at_all_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MMSRAREC_CACHE", NOWHERE)
    monkeypatch.setattr(tempfile, "tempdir", NOWHERE)
    with pytest.raises(MmsrarecError, match=r"no temporary folder either .* by MMSRAREC_CACHE"):
        cache_to_write()


@pytest.mark.skipif(os.name == "nt", reason="owners of POSIX")
@pytest.mark.parametrize("made", ["by others", "open to others", "link"])
def test_a_temporary_folder_of_others_is_not_used(made: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever may put a model there decides what is loaded."""
    place = tmp_path / "temporary" / f"mmsrarec-{os.getuid()}"
    (tmp_path / "theirs").mkdir()
    place.symlink_to(tmp_path / "theirs") if made == "link" else place.mkdir()
    if made == "open to others":
        place.chmod(0o777)
    if made == "by others":
        monkeypatch.setattr(os, "getuid", lambda: int(place.name.partition("-")[2]) + 1)
        place.rename(place.with_name(f"mmsrarec-{os.getuid()}"))
    (place.with_name(f"mmsrarec-{os.getuid()}") / "model").mkdir()
    monkeypatch.setenv("MMSRAREC_CACHE", NOWHERE)
    assert find_cached("model") is None
    found = cache_to_write()
    assert found == cache_to_write()
    assert found not in (place, place.with_name(f"mmsrarec-{os.getuid()}"))
    assert stat.S_IMODE(found.stat().st_mode) == 0o700
    assert known_places() == [Path(NOWHERE)]


def test_nothing_is_converted_where_it_cannot_be_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mmsrarec.models.backbone import embedded

    monkeypatch.setattr(embedded, "convert", lambda folder: pytest.fail("converted first"))
    monkeypatch.setenv("MMSRAREC_CACHE", NOWHERE)
    monkeypatch.setattr(tempfile, "tempdir", NOWHERE)
    with pytest.raises(MmsrarecError, match="MMSRAREC_CACHE"):
        embedded.embedded_folder()


def test_a_conversion_goes_into_the_temporary_folder_and_is_found_there(monkeypatch: pytest.MonkeyPatch) -> None:
    from mmsrarec.models.backbone import embedded

    made: list[Path] = []
    monkeypatch.setattr(embedded, "convert", lambda folder: (folder.mkdir(), made.append(folder)))
    monkeypatch.setenv("MMSRAREC_CACHE", NOWHERE)
    folder = embedded.embedded_folder()
    assert folder == embedded.embedded_folder()
    assert folder.parent == temporary_folder()
    assert len(made) == 1


@pytest.mark.parametrize("temporary", [True, False])
def test_a_choice_that_cannot_be_kept_holds_for_the_process(
    temporary: bool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from mmsrarec.models.backbone import dtype

    measured: list[str] = []
    monkeypatch.setattr(dtype, "measure", lambda device: measured.append(device) or {"float32": 1, "bfloat16": 9})
    monkeypatch.setenv("MMSRAREC_CACHE", NOWHERE)
    if not temporary:
        monkeypatch.setattr(tempfile, "tempdir", NOWHERE)
    dtype.choice.cache_clear()
    try:
        assert dtype.choice()["choice"] == dtype.choice()["choice"] == "bfloat16"
        dtype.choice.cache_clear()  # as another process would begin
        dtype.choice()
        assert len(measured) == (1 if temporary else 2)
        assert ("model.dtype" in caplog.text) != temporary
    finally:
        dtype.choice.cache_clear()


def test_doctor_says_where_the_cache_is_and_what_is_in_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mmsrarec.cli.doctor import embedded_model, examine
    from mmsrarec.models.backbone import embedded

    monkeypatch.setenv("MMSRAREC_CACHE", str(tmp_path / "mine"))
    assert embedded_model() == {"cache": str(tmp_path / "mine"), "writable": True, "converted": []}
    monkeypatch.setattr(embedded, "convert", lambda folder: folder.mkdir())
    name = embedded.embedded_folder().name
    (tmp_path / "mine" / f".{name}.77").mkdir()  # unfinished
    assert embedded_model()["converted"] == [name]
    monkeypatch.setenv("MMSRAREC_CACHE", NOWHERE)
    assert embedded_model() == {"cache": NOWHERE, "writable": False, "converted": []}
    assert any(NOWHERE in line and "MMSRAREC_CACHE" in line for line in examine()["advice"])


def test_the_remark_is_a_line_of_the_command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    monkeypatch.setenv("MMSRAREC_CACHE", NOWHERE)
    monkeypatch.setattr("mmsrarec.cli.doctor.examine", lambda *_: {"cache": str(cache_to_write())})
    assert commands.call(["doctor"]) == 0
    captured = capsys.readouterr()
    assert captured.err.startswith(f"mmsrarec: {NOWHERE} cannot be written")
    assert captured.err.count("\n") == 1
