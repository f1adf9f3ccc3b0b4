"""The tests of the code for accelerators, run on the device in place of the stand-in."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator

import torch

from gpu_checks.results import Result
from gpu_checks.workload import ROOT, Workload

DEVICE_VARIABLE = "MMSRAREC_TEST_DEVICE"
"""Names the device that tests/standin.py gives to the tests in the place of the one that stands in for it."""
TINY_CHOICE = "neighbours"
"""Of the tests, in a tiny check."""
SECONDS = 240


def device_files() -> list[str]:
    """The files of tests that ask for the device, by their import of its stand-in, from the root of the checkout."""
    there = sorted((ROOT / "tests").rglob("test_*.py"))
    return [str(file.relative_to(ROOT)) for file in there if "from standin import" in file.read_text(encoding="utf-8")]


def tests(work: Workload, rates: dict[torch.dtype, float]) -> Iterator[Result]:
    """How many passed."""
    # the project's own options may say less, such as no line with the numbers
    options = ["-p", "no:cacheprovider", "-o", "addopts=-q", "-m", "slow or not slow"]
    command = [sys.executable, "-m", "pytest", *options, *device_files()]
    command += ["-k", TINY_CHOICE] if work.tiny else []
    places = [str(ROOT / "src"), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, DEVICE_VARIABLE: work.device, "PYTHONPATH": os.pathsep.join(filter(None, places))}
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, cwd=ROOT, env=environment)
    counts = {word: int(n) for n, word in re.findall(r"(\d+) (passed|failed|error|errors|skipped)", done.stdout)}
    failures = [line for line in done.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
    remark = "; ".join(failures)[:400] or ("" if done.returncode == 0 else done.stderr.strip()[-400:])
    well = done.returncode == 0 and counts.get("passed", 0) > 0
    yield Result("tests", f"on {work.device}", counts.get("passed", 0), "passed", ok=well, remark=remark)
