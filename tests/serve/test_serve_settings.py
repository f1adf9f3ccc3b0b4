"""A server opens no door without a key."""

import logging
from pathlib import Path

import pytest

from mmsrarec.cli.commands import call
from mmsrarec.errors import MmsrarecError
from mmsrarec.serve.settings import (
    KEY_FILE_VARIABLE,
    KEY_VARIABLE,
    STATE_VARIABLE,
    ServeSettings,
    key_from_environment,
)

KEY = "k" * 20


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.2", "example.org", ""])
def test_another_address_needs_a_key(host: str) -> None:
    with pytest.raises(MmsrarecError, match=KEY_VARIABLE):
        ServeSettings(Path("run"), host=host)
    assert not ServeSettings(Path("run"), host=host, key=KEY).is_local


@pytest.mark.parametrize("key", ["", "short", "ä" * 20])
def test_a_key_has_some_length(key: str) -> None:
    with pytest.raises(MmsrarecError, match="16 characters"):
        ServeSettings(Path("run"), key=key)


def test_the_state_lies_beside_the_run(tmp_path: Path) -> None:
    assert ServeSettings(tmp_path / "mine").state_place == str(tmp_path / "mine.state.sqlite")
    assert ServeSettings(tmp_path / "mine", "other.sqlite").state_place == "other.sqlite"


def test_the_command_refuses_an_open_door(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch) -> None:
    monkeypatch.delenv(KEY_VARIABLE, raising=False)
    assert call(["serve", str(tmp_path), "--host", "0.0.0.0"]) == 2
    assert KEY_VARIABLE in capsys.readouterr().err


def test_the_key_may_lie_in_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(KEY_VARIABLE, raising=False)
    monkeypatch.delenv(KEY_FILE_VARIABLE, raising=False)
    assert key_from_environment() is None
    (tmp_path / "key").write_text(f"{KEY}\n", encoding="utf-8")
    monkeypatch.setenv(KEY_FILE_VARIABLE, str(tmp_path / "key"))
    assert key_from_environment() == KEY
    monkeypatch.setenv(KEY_VARIABLE, KEY[::-1] + "x")
    assert key_from_environment() == KEY[::-1] + "x"


def test_a_file_without_a_key_opens_no_door(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(KEY_VARIABLE, raising=False)
    monkeypatch.setenv(KEY_FILE_VARIABLE, str(tmp_path / "nowhere"))
    with pytest.raises(MmsrarecError, match=KEY_FILE_VARIABLE):
        key_from_environment()
    (tmp_path / "empty").write_text("\n", encoding="utf-8")
    monkeypatch.setenv(KEY_FILE_VARIABLE, str(tmp_path / "empty"))
    with pytest.raises(MmsrarecError, match="16 characters"):
        ServeSettings(tmp_path, key=key_from_environment())


def test_the_state_may_be_named_by_the_environment(tmp_path: Path, capsys, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(STATE_VARIABLE, "oracle://me:secret@host/shop")
    logger = logging.getLogger("mmsrarec")
    before = [*logger.handlers], logger.propagate, logger.level
    assert call(["serve", str(tmp_path)]) == 2
    assert ([*logger.handlers], logger.propagate, logger.level) == before  # its log ended with it
    shown = capsys.readouterr().err
    assert "oracle is not supported" in shown
    assert "secret" not in shown
