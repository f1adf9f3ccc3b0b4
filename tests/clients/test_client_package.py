"""The client's own distribution: what is in it, and what it needs."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from mmsrarec import __version__

FOLDER = Path(__file__).parents[2] / "clients" / "python"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    done = subprocess.run(command, cwd=FOLDER, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return zipfile.ZipFile(next(folder.iterdir()))


def test_it_holds_the_client_with_its_types(wheel: zipfile.ZipFile) -> None:
    names = {Path(name) for name in wheel.namelist()}
    sources = {path.name for path in (FOLDER / "src" / "mmsrarec_client").iterdir() if path.is_file()}
    assert {path.name for path in names if path.parent == Path("mmsrarec_client")} == sources
    assert "py.typed" in sources


def test_it_needs_one_package(wheel: zipfile.ZipFile) -> None:
    metadata = wheel.read(f"mmsrarec_client-{__version__}.dist-info/METADATA").decode()
    needs = [line for line in metadata.splitlines() if line.startswith("Requires-Dist:")]
    assert needs == ["Requires-Dist: httpx2>=2.10"]
    assert f"Version: {__version__}" in metadata
    assert "License-Expression: Apache-2.0" in metadata
