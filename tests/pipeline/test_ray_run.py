"""Stage 1 of a run by workers of Ray: keywords and answers of one process, and either goes on with the other's."""

import json
import re
import sqlite3
from contextlib import closing
from pathlib import Path

import polars as pl
import pytest
from finished import go, prepare, recipe_in

from mmsrarec.cli.commands import call
from mmsrarec.errors import MissingDependencyError, RecipeError
from mmsrarec.runs.recommender import Recommender
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


@pytest.mark.slow
def test_the_pipeline_of_the_documentation_answers_as_one_process(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ray = pytest.importorskip("ray", reason="needs the extra ray")
    for package in ("pandas", "pyarrow"):
        pytest.importorskip(package, reason="Ray Data needs it")
    recommender = Recommender.load(finished / "run")
    users = list(recommender.dataset.user_ids[:6])
    pl.DataFrame({"user_id": users}).write_parquet(tmp_path / "users.parquet")
    page = (Path(__file__).parents[2] / "docs" / "engines.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"## Ray Data\n.*?```python\n(.*?)```", page, re.S)
    code = code.replace("/shared/runs/mine", str(finished / "run")).replace("/shared/", f"{tmp_path}/")
    code = code.replace("users.parquet", f"{tmp_path}/users.parquet").replace("batch_size=256", "batch_size=3")
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    ray.init(address="local", num_cpus=3, include_dashboard=False, log_to_driver=False)
    try:
        exec(compile(code, "docs/engines.md", "exec"), {"__name__": "__main__"})
    finally:
        ray.shutdown()
    found = pl.read_parquet(tmp_path / "answers").sort("user_id", "rank")
    expected = recommender.recommend(users=users, k=10, reasons=False).sort("user_id", "rank")
    assert found.columns == expected.columns
    assert found.drop("score").equals(expected.drop("score"))
    assert found["score"].to_list() == pytest.approx(expected["score"].to_list(), abs=1e-5)
