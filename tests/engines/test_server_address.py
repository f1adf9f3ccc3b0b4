"""The address of a server and its key: what is accepted, and what never shows."""

import pytest

from mmsrarec.engines.server_address import KEY_VARIABLE, check_address, engine_key, is_loopback, safe_line
from mmsrarec.errors import RecipeError


@pytest.mark.parametrize(
    ("address", "whole"),
    [
        ("http://localhost:8000", "http://localhost:8000/v1"),
        (" https://api.example.com/v1/ ", "https://api.example.com/v1"),
        ("http://[::1]:8000/openai/v1", "http://[::1]:8000/openai/v1"),
    ],
)
def test_addresses_are_made_whole(address: str, whole: str) -> None:
    assert check_address(address) == whole


@pytest.mark.parametrize(
    ("address", "message"),
    [
        (None, "runtime.engine_url is not set"),
        ("", "runtime.engine_url is not set"),
        ("localhost:8000", "no address of a server"),
        ("file:///etc/passwd", "no address of a server"),
        ("ftp://example.com", "no address of a server"),
        ("unix:/tmp/socket", "no address of a server"),
        ("http://", "no address of a server"),
        ("http://[::1", "no address of a server"),
        ("http://host:port/v1", "no address of a server"),
        ("https://me:sk-secret@example.com/v1", f"put the key into the environment variable {KEY_VARIABLE}"),
        ("https://example.com/v1?api-key=sk-secret", "no name, password or parameters"),
        ("https://example.com/v1#sk-secret", "no name, password or parameters"),
    ],
)
def test_other_addresses_are_refused_in_one_line_without_their_secrets(address: str | None, message: str) -> None:
    with pytest.raises(RecipeError, match=message) as error:
        check_address(address)
    assert "\n" not in str(error.value)
    assert "secret" not in str(error.value)


def test_the_key_comes_from_one_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-other")  # it belongs to another server
    monkeypatch.delenv(KEY_VARIABLE, raising=False)
    assert engine_key() is None
    monkeypatch.setenv(KEY_VARIABLE, " sk-1 \n")
    assert engine_key() == "sk-1"
    for broken in ("sk-1\nX-Other: 1", "sk-\u00e9"):
        monkeypatch.setenv(KEY_VARIABLE, broken)
        with pytest.raises(RecipeError, match="set it again") as error:
            engine_key()
        assert "sk-" not in str(error.value)


def test_which_addresses_are_this_machine() -> None:
    loopback = ("http://localhost/v1", "http://127.0.0.9:1/v1", "http://[::1]/v1")
    assert all(map(is_loopback, loopback))
    assert not any(map(is_loopback, ("http://10.0.0.1/v1", "https://localhost.example.com/v1")))


def test_what_a_server_says_is_shown_short_on_one_line_without_the_key() -> None:
    assert safe_line("no\x1b[2J\nentry for sk-1!", "sk-1") == "no\ufffd[2J entry for ***!"
    assert len(safe_line("x" * 9999, None)) == 200
