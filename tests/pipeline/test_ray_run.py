"""Stage 1 of a run by workers of Ray: keywords and answers of one process, and either goes on with the other's."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from finished import go, prepare, recipe_in

from mmsrarec.cli.commands import call
from mmsrarec.errors import MissingDependencyError, RecipeError
from mmsrarec.runs.run_folder import RunFolder

STAGE = ("pictures", "summarize")
RAY = "runtime.engine='ray'"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """data/, model/ and tiny.toml."""
    place = tmp_path_factory.mktemp("ray")
    prepare(place)
    return place


def answers(run: Path) -> set[tuple[str, ...]]:
    with closing(sqlite3.connect(run / "summaries.sqlite")) as db:
        return set(db.execute("SELECT modality, model, prompt, decoding, content, answer, created FROM answers"))


def test_what_would_be_asked_is_said(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("ray", reason="needs the extra ray")
    with pytest.raises(RecipeError, match="another engine is to ask"):
        go(folder, RAY, "summarize.model='big'", stages=STAGE, out="none")
    assert call(["doctor", str(folder / "tiny.toml"), "--set", RAY, "--json"]) == 0
    engine = json.loads(capsys.readouterr().out)["engine"]
    assert (engine["engine"], engine["place"], engine["answers"]) == ("ray", "2 workers of Ray", True)


def test_without_ray_the_error_is_one_line(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mmsrarec.models.ray_workers.find_spec", lambda name: None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'mmsrarec\[ray\]'"):
        go(folder, RAY, stages=STAGE, out="none")
    assert not list(folder.glob("none/summar*"))


@pytest.mark.slow
def test_keywords_and_answers_are_those_of_one_process(folder: Path) -> None:
    pytest.importorskip("ray", reason="needs the extra ray")
    go(folder, stages=STAGE, out="local")
    facts, said = go(folder, RAY, stages=STAGE, out="spread")
    assert "engine: 2 workers of Ray, each of which loads the model" in said
    assert "engine_answers" not in facts["summarize"]
    local, spread = (RunFolder(recipe_in(folder), folder / out).keywords for out in ("local", "spread"))
    assert local == spread
    rows, others = answers(folder / "local"), answers(folder / "spread")
    assert {row[:-1] for row in rows} == {row[:-1] for row in others}
    _, said = go(folder, stages=STAGE, out="spread")  # the engine is in no key
    assert "summarize: up to date" in said
    assert answers(folder / "spread") == others
