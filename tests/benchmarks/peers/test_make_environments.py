"""Environments of peers: pinned packages, torch by a link, and a reason where an installation fails."""

import re
import sys

import make_environments as environments
import pytest

PINNED = re.compile(r"[\w.-]+==[\w.]+")


@pytest.mark.parametrize("library", environments.LIBRARIES)
def test_every_package_is_pinned(library):
    lines = (environments.REQUIREMENTS / f"{library}.txt").read_text().splitlines()
    packages = [line for line in lines if line and not line.startswith("#")]
    assert all(PINNED.fullmatch(line) for line in packages)
    assert any(line.lower().startswith(f"{library}==") for line in packages)
    assert not any(line.startswith("torch==") for line in packages), "torch is shared, or comes as a dependency"


def test_torch_is_linked_and_nothing_else(tmp_path, monkeypatch):
    packages = tmp_path / "packages"
    for name in ("torch", "torchgen", "torch-2.0.dist-info", "numpy"):
        (packages / name).mkdir(parents=True)
    monkeypatch.setattr(environments, "packages_of", lambda _: packages)
    environments.share_torch(tmp_path, tmp_path / "shared")
    assert {path.name for path in (tmp_path / "shared").iterdir()} == {"torch", "torchgen", "torch-2.0.dist-info"}


def test_an_environment_without_torch_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr(environments, "packages_of", lambda _: tmp_path)
    with pytest.raises(SystemExit, match="no torch"):
        environments.share_torch(tmp_path, tmp_path / "shared")


@pytest.mark.parametrize(("seconds", "reason"), [("5", "not installed in 0.2 seconds"), ("0", "sorry")])
def test_a_failed_installation_says_why(tmp_path, monkeypatch, seconds, reason):
    """pip's place is taken by a program that sleeps, then complains."""
    program = tmp_path / "pip.py"
    program.write_text(f"import sys, time; time.sleep({seconds}); sys.exit('sorry')")
    monkeypatch.setattr(environments.venv, "create", lambda folder, **_: folder.mkdir(parents=True))
    run = environments.subprocess.run
    monkeypatch.setattr(
        environments.subprocess, "run", lambda command, **given: run([sys.executable, str(program)], **given)
    )
    limit = 0.2 if seconds == "5" else 100
    assert environments.install("cornac", tmp_path / "env", None, "", limit)["reason"] == reason
