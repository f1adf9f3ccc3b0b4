"""A run that is mounted for reading: it answers and keeps events, and an erasure says what is in its way."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from served import served


@pytest.fixture
def for_reading(mine: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A finished run that nobody may write to."""
    if os.name == "nt":
        pytest.skip("Windows has other rights")
    modes = {place: place.stat().st_mode for place in (mine, *mine.rglob("*"))}
    for place, mode in modes.items():
        place.chmod(mode & ~0o222)
    if os.geteuid() == 0:  # root may write all the same, and is told that it may not
        access = os.access
        monkeypatch.setattr(os, "access", lambda place, how: how != os.W_OK and access(place, how))
    yield mine / "run"
    for place, mode in modes.items():
        place.chmod(mode)


def test_it_answers_and_says_why_a_user_cannot_be_erased(for_reading: Path, tmp_path: Path) -> None:
    with served(for_reading, tmp_path / "state.sqlite") as server:
        user = server.user()
        assert server.ask(user=user, k=2)["origin"] == "warm"
        server.ok("POST", "/v1/events", {"user": user, "item": "001"})
        server.ok("POST", "/v1/events", {"user": "somebody-new", "item": "001"})
        refusal = server.ok("DELETE", f"/v1/users/{user}", status=422)["detail"]
        assert refusal.startswith("the run run names this user and cannot be written: make its folder writable")
        known = server.ok("GET", f"/v1/users/{user}")
        assert (known["in_run"], known["n_events"]) == (True, 0)
        receipt = server.ok("DELETE", "/v1/users/somebody-new")
        assert (receipt["events"], receipt["run"]) == (1, "absent")
