"""The demo hands on what is asked, and starts the server only where there is one and somebody can look at it."""

import json
import socket
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from mmsrarec.cli import commands, demo_verb
from mmsrarec.cli.app import app

PORTS = (0,)
"""Always free: the system chooses."""
QUICK, FULL = SimpleNamespace(recipe="demo"), SimpleNamespace(recipe="sample")


@pytest.fixture(autouse=True)
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """What the demo was called with: the work itself takes minutes."""
    calls: list[tuple[Any, ...]] = []

    def demo(size: Any, out: Path, data: Path, say: Any, overrides: Any) -> dict[str, Any]:
        calls.append((size.recipe, out, data, overrides))
        return {"run": str(out), "rows": 6}

    module = ModuleType("mmsrarec.pipeline.demo")
    for name, value in (("QUICK", QUICK), ("FULL", FULL), ("demo", demo)):
        setattr(module, name, value)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.delenv("CI", raising=False)
    return calls


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """An installation with a server: the command lines that start it."""
    served: list[list[str]] = []
    monkeypatch.setattr(demo_verb, "can_serve", lambda: True)
    monkeypatch.setattr(demo_verb, "call", lambda line: served.append(line) or 0)
    monkeypatch.setattr(demo_verb, "PORTS", PORTS)
    return served


def test_the_small_demo_and_the_whole_one_have_folders_of_their_own(calls: list[tuple[Any, ...]]) -> None:
    assert commands.call(["demo", "--no-serve"]) == commands.call(["demo", "--full", "--no-serve"]) == 0
    assert commands.call(["demo", "--no-serve", "--out", "o", "--data", "d", "--set", "seed=3"]) == 0
    assert calls == [
        ("demo", Path("runs/demo"), Path("data/demo"), None),
        ("sample", Path("runs/sample"), Path("data/sample"), None),
        ("demo", Path("o"), Path("d"), ["seed=3"]),
    ]


def test_the_server_starts_behind_the_printed_table(served: list[list[str]], capsys: pytest.CaptureFixture) -> None:
    assert commands.call(["demo"]) == 0
    assert served == [["serve", "runs/demo", "--port", "0"]]
    assert "page: http://127.0.0.1:0" in capsys.readouterr().out


def test_the_page_is_at_a_port_that_is_free(served: list[list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as other, socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken, wanted = other.getsockname()[1], free.getsockname()[1]
        free.close()
        monkeypatch.setattr(demo_verb, "PORTS", (taken, wanted))
        assert demo_verb.free_port() == wanted
        assert commands.call(["demo"]) == 0
        assert served == [["serve", "runs/demo", "--port", str(wanted)]]
        monkeypatch.setattr(demo_verb, "PORTS", (taken,))
        assert demo_verb.free_port() == taken


@pytest.mark.parametrize(("line", "ci"), [(["--no-serve"], ""), (["--json"], ""), ([], "true")])
def test_the_server_does_not_start_where_nobody_looks(
    line: list[str], ci: str, served: list[list[str]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setenv("CI", ci)
    assert commands.call(["demo", *line]) == 0
    assert served == []
    if "--json" in line:
        assert json.loads(capsys.readouterr().out)["run"] == "runs/demo"


def test_it_starts_in_ci_where_that_is_asked_for(served: list[list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    assert commands.call(["demo", "--serve"]) == 0
    assert served == [["serve", "runs/demo", "--port", "0"]]


def test_the_exit_code_is_that_of_the_server(served: list[list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo_verb, "call", lambda line: 2)
    assert commands.call(["demo"]) == 2


def test_there_is_a_server_only_with_its_verb_and_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    for has_verb in (True, False):
        for has_package in (True, False):
            names = [SimpleNamespace(name=name) for name in ("demo", *["serve"] * has_verb)]
            monkeypatch.setattr(app, "registered_commands", names)
            monkeypatch.setattr(demo_verb, "find_spec", lambda name, has=has_package: object() if has else None)
            assert demo_verb.can_serve() == (has_verb and has_package)
