"""The programs that ask a real `transformers serve`: equal keywords, and nothing lost or asked twice by kills."""

import json
import subprocess
import sys
from importlib.util import find_spec
from typing import Any

import pytest
from benchmark import FOLDER

from mmsrarec.models.weight_packages import missing_packages

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(missing_packages()), reason="the packages of the embedded model are not installed"),
    pytest.mark.skipif(find_spec("openai") is None, reason="transformers serve needs the package openai"),
]


def last_line(program: str, *arguments: str) -> dict[str, Any]:
    """What a program of benchmarks/engines prints at the end."""
    command = [sys.executable, str(FOLDER / "engines" / program), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=1800)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_a_server_writes_the_keywords_that_this_process_writes() -> None:
    result = last_line("parity.py", "--items", "6")
    assert result["text_keywords"] > 0 < result["picture_keywords"]
    assert result["answers"] == result["texts"] + result["pictures"]
    assert result["different"] == 0
    assert result["same_again"]


@pytest.mark.parametrize("more", [(), ("--stand-in",)], ids=["transformers serve", "stand-in"])
def test_kills_lose_nothing_and_have_nothing_asked_twice(more: tuple[str, ...]) -> None:
    result = last_line("kills.py", "--kills", "5", "--items", "3", *more)
    assert result["kills"] >= 5
    assert result["kills_amid_questions"] > 0
    assert (result["answers_lost"], result["answered_and_asked_again"]) == (0, 0)
