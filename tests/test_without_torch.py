"""Data, metrics, recipes and the command line do without torch and transformers."""

import json
import os
import subprocess
import sys

import pytest
from paths import SRC

BLOCK = "import sys; sys.modules.update(dict.fromkeys(['torch', 'transformers', 'peft', 'safetensors']))\n"
VERBS = [
    "demo",
    "fit",
    "import",
    "sample",
    "check",
    "images",
    "run",
    "summarize",
    "retrieve",
    "train",
    "evaluate",
    "recommend",
    "explain",
    "serve",
    "doctor",
    "map",
]


def python(program: str) -> str:
    """Run a program where torch and its company cannot be imported; what it printed."""
    path = os.pathsep.join([str(SRC), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PYTHONPATH": path}
    command = [sys.executable, "-c", BLOCK + program]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_block_works() -> None:
    assert python("try:\n import torch\nexcept ImportError:\n print('blocked')") == "blocked\n"


@pytest.mark.parametrize(
    "module",
    [
        "mmsrarec",
        "mmsrarec.core.artefacts",
        "mmsrarec.cli.commands",
        "mmsrarec.data.profile",
        "mmsrarec.data.checking.check_data",
        "mmsrarec.data.image_fetching.fetch_images",
        "mmsrarec.study.report.data_page",
        "mmsrarec.summarize.language.detection",
        "mmsrarec.data.dataset",
        "mmsrarec.data.frames",
        "mmsrarec.data.importers.sources.sequences",
        "mmsrarec.data.importers.sources.tables",
        "mmsrarec.data.importers.sources.sql",
        "mmsrarec.data.exporters.recbole_files",
        "mmsrarec.data.synthetic.catalogue",
        "mmsrarec.data.splits",
        "mmsrarec.data.folder",
        "mmsrarec.cli.doctor",
        "mmsrarec.evaluate.metrics",
        "mmsrarec.evaluate.protocols",
        "mmsrarec.runs.recipe",
    ],
)
def test_a_module_is_imported(module: str) -> None:
    python(f"import {module}")


def test_the_public_names_come_when_asked_for() -> None:
    assert python("import mmsrarec; print(mmsrarec.Dataset.__name__)") == "Dataset\n"
    assert python("import mmsrarec; print(hasattr(mmsrarec, 'Nothing'))") == "False\n"


def test_every_verb_has_help() -> None:
    shown = python(f"from mmsrarec.cli.commands import call\nfor verb in {VERBS}: print(call([verb, '--help']))")
    assert shown.count("Usage: mmsrarec") == len(VERBS)


def test_doctor_says_what_is_there_without_torch() -> None:
    program = "import importlib.util as u, json; find = u.find_spec\n"
    program += "u.find_spec = lambda name, *rest: None if name in ('torch', 'transformers') else find(name, *rest)\n"
    found = json.loads(python(program + "from mmsrarec.cli.doctor import examine; print(json.dumps(examine()))"))
    assert found["precision"] is None
    assert found["devices"] == {"there": ["cpu"], "auto": "cpu"}
    assert found["embedded_model"].keys() == {"cache", "writable", "converted"}
