"""The second execution: once, with what is wanted, and never against the user's own settings."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from paths import SRC

from mmsrarec.core import threads


def test_few_cores_wait_without_spinning() -> None:
    assert threads.wanted({}, 2) == {"OMP_WAIT_POLICY": "PASSIVE", "OMP_NUM_THREADS": "2"}


def test_what_the_user_has_set_is_left_alone() -> None:
    assert threads.wanted({"OMP_NUM_THREADS": "1"}, 2) == {"OMP_WAIT_POLICY": "PASSIVE"}


def test_many_cores_need_nothing() -> None:
    assert threads.wanted({}, 64) == {}


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the process is executed again on Linux only")
def test_a_process_executes_itself_again_once_with_its_arguments(tmp_path: Path) -> None:
    script = tmp_path / "main.py"
    script.write_text(
        "import json, os, sys\n"
        "from mmsrarec.core import threads\n"
        "threads.cores = lambda: 2\n"
        "with open('starts', 'a') as file: file.write('x')\n"
        "threads.with_fast_threads()\n"
        "print(json.dumps([sys.argv[1:], dict(os.environ), threads.in_force()]))\n"
    )
    names = ("OMP_WAIT_POLICY", "OMP_NUM_THREADS", threads.GUARD_VARIABLE)
    environment = {name: value for name, value in os.environ.items() if name not in names}
    command = [sys.executable, str(script), "--user", "a b"]
    environment["PYTHONPATH"] = str(SRC)
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=True)
    arguments, seen, force = json.loads(done.stdout)
    assert arguments == ["--user", "a b"]
    assert (seen["OMP_WAIT_POLICY"], seen["OMP_NUM_THREADS"]) == ("PASSIVE", "2")
    assert (tmp_path / "starts").read_text() == "xx"
    assert force["OMP_WAIT_POLICY"] == "PASSIVE"
