"""Items that join the data folder of a finished run are summarised and recommended, and nothing is trained."""

import json
import shutil
from pathlib import Path

import pytest
from finished import copy_run

from mmsrarec import cli
from mmsrarec.models.mllm import Mllm
from mmsrarec.progress import Progress
from mmsrarec.recommender import Recommender
from mmsrarec.run import update

NEW = {"item_id": "new", "title": "Otter clay mug", "description": "A mug of clay.", "categories": ["Kitchen"]}


@pytest.fixture
def mine(finished: Path, tmp_path: Path) -> Path:
    """A finished run on data of its own."""
    copy_run(finished, tmp_path)
    shutil.copytree(finished / "data", tmp_path / "data")
    recipe = tmp_path / "run" / "recipe.toml"
    recipe.write_text(recipe.read_text().replace(str(finished / "data"), str(tmp_path / "data")))
    return tmp_path


def add(folder: Path, item: dict, first: bool = False) -> None:
    file = folder / "data" / "items.jsonl"
    line, rest = json.dumps({"image": None} | item) + "\n", file.read_text()
    file.write_text(line + rest if first else rest + line)


def trained(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for part in ("retrieve", "recommend") for path in (folder / part).rglob("*.*")}


def test_a_new_item_costs_one_question_and_is_recommended(mine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before, asked = trained(mine / "run"), []
    generate = Mllm.generate
    monkeypatch.setattr(Mllm, "generate", lambda self, p, *rest: asked.append(len(p)) or generate(self, p, *rest))
    add(mine, NEW)
    assert update(mine / "run", Progress())["new_items"] == ["new"]
    assert sum(asked) == 1
    assert trained(mine / "run") == before
    recommender = Recommender.load(mine / "run")
    user = recommender.dataset.user_ids[5]
    n = recommender.workspace.recipe.evaluate.propose
    assert 0 < recommender.score(["new"], user=user)["new"] < 1
    found = [answer.item_id for answer in recommender.recommend(user=user, k=len(recommender.dataset.items))]
    assert "new" in found
    assert {reason.kind for reason in recommender.explain("new", user=user).reasons} >= {"history", "keywords"}
    assert recommender.recommend(history=["new"], k=n)  # an encoder that does not know it skips it
    assert update(mine / "run", Progress())["new_items"] == []


def test_the_command_says_what_is_new(mine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    add(mine, NEW)
    assert cli.call(["update", str(mine / "run"), "--json"]) == 0
    said = capsys.readouterr()
    assert json.loads(said.out)["new_items"] == ["new"]
    assert "stay as they are" in said.err
    assert cli.call(["update", str(mine / "nothing")]) == 2
    assert "is not a run" in capsys.readouterr().err
