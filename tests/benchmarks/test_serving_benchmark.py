"""The benchmark of serving prints one JSON object as its last line."""

import json
import sys
from pathlib import Path

import pytest
from benchmark import load_benchmark


def test_the_last_line_is_what_was_measured(
    finished: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    program = load_benchmark("serving")
    arguments = ["serving.py", "--run", str(finished / "run"), "--users", "2", "--k", "2", "--candidates", "4"]
    monkeypatch.setattr(sys, "argv", arguments)
    assert program.main() == 0
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert found["users"] == 2
    assert found["language_model_ranks"]
    assert found["load_seconds"]["first"] > 0
    assert found["answer"]["ms"] > 0
    assert found["answer_with_reasons"]["processor_ms"] > 0
