"""The benchmark of the first recommendation: what is started, and what somebody new does in the browser."""

import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from benchmark import FOLDER, load_benchmark

pytest.importorskip("playwright.sync_api")


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(FOLDER / "serving")
    return load_benchmark("serving/first_recommendation")


def test_a_fresh_demo_finds_empty_caches_and_may_open_its_page(
    program: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", "true")
    monkeypatch.setenv("PYTHONPATH", "elsewhere")
    command, environment = program.fresh_demo(Path("."), tmp_path, ["PIP_ARGS=-v"])
    assert command[-1] == str(Path().absolute())
    assert 'git clone --quiet "$0" checkout && cd checkout && exec make demo PIP_ARGS=-v' in command
    assert {"CI", "PYTHONPATH"}.isdisjoint(environment)
    caches = [Path(environment[name]) for name in program.CACHES]
    assert len(caches) == 4
    assert all(cache.is_dir() and not list(cache.iterdir()) for cache in caches)


def test_the_address_is_read_from_what_is_said(program: ModuleType, tmp_path: Path) -> None:
    script = (
        "import http.server, sys\n"
        "server = http.server.HTTPServer(('127.0.0.1', 0), http.server.BaseHTTPRequestHandler)\n"
        "print('page: http://127.0.0.1:%d' % server.server_port, flush=True)\n"
        "server.serve_forever()"
    )
    with program.started([sys.executable, "-c", script], tmp_path, {}) as process:
        address = program.page_of(process, tmp_path / "log")
        assert address in (tmp_path / "log").read_text()
    assert process.returncode is not None


def test_what_ends_before_there_is_a_page_is_told_with_its_last_words(program: ModuleType, tmp_path: Path) -> None:
    with program.started([sys.executable, "-c", "print('no space left'); exit(3)"], tmp_path, {}) as process:
        process.wait(30)
        with pytest.raises(SystemExit, match=r"(?s)exit code 3.*no space left"):
            program.page_of(process, tmp_path / "log")


def test_somebody_new_needs_one_click(program: ModuleType, finished: Path, tmp_path: Path) -> None:
    from browser import chromium, visited

    with chromium() as browser, visited(finished / "run", tmp_path / "state.sqlite") as address:
        found = program.visit(browser.new_page(viewport=program.SIZE), address)
    assert found["clicks"] == 1
    assert found["reason"]
    assert found["recommended"]


@pytest.mark.slow
def test_the_last_line_is_what_was_measured(finished: Path) -> None:
    program = [sys.executable, str(FOLDER / "serving" / "first_recommendation.py"), "--run", str(finished / "run")]
    done = subprocess.run(program, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["from"] == "a finished run"
    assert 0 < found["seconds_until_it_answers"] < found["seconds"] <= 300
