"""The benchmark of a server's start: how far it is, and what its figures mean."""

import json
import os
import sys
from pathlib import Path

import httpx2
import pytest
from benchmark import FOLDER, load_benchmark

program = load_benchmark("serving/startup")


def client(ready: httpx2.Response) -> httpx2.Client:
    def answer(request: httpx2.Request) -> httpx2.Response:
        return ready if request.url.path == "/health/ready" else httpx2.Response(200, json={"status": "alive"})

    return httpx2.Client(base_url="http://127.0.0.1", transport=httpx2.MockTransport(answer))


@pytest.mark.parametrize(
    ("ready", "reached"),
    [
        (httpx2.Response(503, json={"detail": "the run is being loaded"}), {"live"}),
        (httpx2.Response(200, json={"language_model": "loading"}), {"live", "ready"}),
        (httpx2.Response(200, json={"language_model": "loaded"}), set(program.STEPS)),
        (httpx2.Response(200, json={"language_model": "none"}), set(program.STEPS)),
    ],
)
def test_a_step_is_reached_when_the_server_says_so(ready: httpx2.Response, reached: set[str]) -> None:
    with client(ready) as one:
        assert {step for step in program.STEPS if program.has_reached(one, step)} == reached


def test_nothing_is_reached_where_nobody_answers() -> None:
    with httpx2.Client(base_url=f"http://127.0.0.1:{program.free_port()}") as one:
        assert not program.has_reached(one, "live")


def test_modules_are_compiled_once_even_where_nothing_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYTHONPYCACHEPREFIX", raising=False)
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    assert program.environment("/compiled") == dict(os.environ)
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    found = program.environment("/compiled")
    assert "PYTHONDONTWRITEBYTECODE" not in found
    assert found["PYTHONPYCACHEPREFIX"] == "/compiled"


def test_figures_are_medians_and_ratios_of_processor_seconds() -> None:
    starts = [dict.fromkeys(program.STEPS, (seconds, 2 * seconds)) for seconds in (1.0, 9.0, 3.0)]
    found = program.summary(starts, [(5.0, 1.0), (6.0, 1.5), (7.0, 2.0)])
    assert found["ready"] == {"seconds": 3.0, "processor_s": 6.0, "times_torch": 4.0}
    assert found["import torch"] == {"seconds": 6.0, "processor_s": 1.5}


@pytest.mark.slow
def test_it_measures_a_run(finished: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.syspath_prepend(FOLDER / "serving")
    monkeypatch.setattr(sys, "argv", ["startup.py", "--run", str(finished / "run"), "--times", "1"])
    assert program.main() == 0
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert 0 < found["live"]["processor_s"] < found["ready"]["processor_s"] <= found["language model"]["processor_s"]
