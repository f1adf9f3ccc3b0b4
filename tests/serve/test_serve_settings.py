"""A server opens no door without a key."""

from pathlib import Path

import pytest

from mmsrarec.cli.commands import call
from mmsrarec.errors import MmsrarecError
from mmsrarec.serve.settings import KEY_VARIABLE, ServeSettings

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
