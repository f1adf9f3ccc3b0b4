"""Every example is executed, on small data and with the tiny model."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
from paths import SRC, TESTS

EXAMPLES = TESTS.parent / "examples"
TESTED = {
    "from_dataframe",
    "recommend_for_all",
    "new_item",
    "explain_and_steer",
    "compare_rankers",
    "evaluate_own_ranker",
}


def execute(name: str, *arguments: object, folder: Path) -> str:
    """What an example prints, run in a folder of its own."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(SRC), os.environ.get("PYTHONPATH", "")])}
    command = [sys.executable, str(EXAMPLES / f"{name}.py"), *map(str, arguments)]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_example_is_tested_and_listed() -> None:
    assert {path.stem for path in EXAMPLES.glob("*.py")} == TESTED
    listed = re.findall(r"\]\((\S+)\)", (EXAMPLES / "README.md").read_text())
    assert set(listed) == {path.name for path in EXAMPLES.iterdir() if path.suffix in (".py", ".ipynb")}


@pytest.mark.slow
def test_from_dataframe(finished: Path, tmp_path: Path) -> None:
    out = execute("from_dataframe", "--minutes", 0.5, "--out", "run", "--model", finished / "model", folder=tmp_path)
    assert "no column of times" in out
    assert out.count(" because ") == 3
    assert (tmp_path / "run" / "fit.json").is_file()


def test_recommend_for_all(finished: Path, tmp_path: Path) -> None:
    execute("recommend_for_all", finished / "run", "--users", 3, "--sold-out", "001", "002", folder=tmp_path)
    table = pl.read_parquet(tmp_path / "recommendations.parquet")
    assert len(table) == 15
    assert not {"001", "002"} & set(table["item_id"])


def test_new_item(finished: Path, mine: Path, tmp_path: Path) -> None:
    shutil.copytree(finished / "data", tmp_path / "data")
    out = execute("new_item", mine / "run", tmp_path / "data", folder=tmp_path)
    assert "['new-item']" in out
    assert len(re.findall(r"'u?s?\d+'", out.splitlines()[-1])) == 3


def test_explain_and_steer(finished: Path, tmp_path: Path) -> None:
    out = execute("explain_and_steer", finished / "run", folder=tmp_path)
    assert " because " in out
    assert "you asked for more " in out
    assert out.splitlines()[-1].startswith("like it: [")


def test_compare_rankers(drawn: object, tmp_path: Path) -> None:
    rows = ["popularity", "sequential-rules", "sasrec"]
    folder = drawn.folder  # type: ignore[attr-defined]
    out = execute("compare_rankers", folder, "--out", "run", "--epochs", 2, "--rows", *rows, folder=tmp_path)
    assert [line.split()[0] for line in out.splitlines()] == rows


def test_evaluate_own_ranker(drawn: object, tmp_path: Path) -> None:
    out = execute("evaluate_own_ranker", drawn.folder, folder=tmp_path)  # type: ignore[attr-defined]
    figures = dict(re.findall(r"(\S+)\s+HR@10 ([\d.]+)", out))
    assert float(figures["last-item"]) > float(figures["popularity"]) > 0  # the drawn log has its sequences


def test_the_notebook(finished: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("RUN", str(finished / "run"))
    cells = json.loads((EXAMPLES / "tour.ipynb").read_text())["cells"]
    names: dict[str, object] = {}
    for cell in cells:
        if cell["cell_type"] == "code":
            exec("".join(cell["source"]), names)
            assert cell["outputs"] == []  # figures that nobody has seen made are none
    out = capsys.readouterr().out
    assert "60 items, 60 users" in out
    assert out.count(" because ") == 3
    assert len(names["table"]) == 15  # type: ignore[arg-type]
