"""Items that join the data folder of a finished run are summarised and recommended, and nothing is trained."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from finished import copy_run
from text_folders import as_text

from mmsrarec.cli import commands
from mmsrarec.core.progress import Progress
from mmsrarec.models.backbone.mllm import Mllm
from mmsrarec.pipeline.run import update
from mmsrarec.rankers.ensemble.conditional_logit import Logit
from mmsrarec.recommend.ranking.fusion import MODEL, Fusion
from mmsrarec.runs.recommender import Recommender
from mmsrarec.runs.run_folder import RunFolder

NEW = {"item_id": "new", "title": "Otter clay mug", "description": "A mug of clay.", "categories": ["Kitchen"]}


@pytest.fixture
def mine(finished: Path, tmp_path: Path) -> Path:
    """A finished run on data of its own."""
    copy_run(finished, tmp_path)
    as_text(Path(shutil.copytree(finished / "data", tmp_path / "data")))
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
    n = recommender.run_folder.recipe.evaluate.n_candidates
    assert np.isfinite(recommender.score(["new"], user=user)["new"])
    found = [answer.item_id for answer in recommender.recommend(user=user, k=len(recommender.dataset.items))]
    assert "new" in found
    assert {reason.kind for reason in recommender.explain("new", user=user).reasons} >= {"history", "keywords"}
    assert recommender.recommend(history=["new"], k=n)  # an encoder that does not know it skips it
    assert update(mine / "run", Progress())["new_items"] == []


def sell(folder: Path, item: str, users: int = 20) -> None:
    """Some people take it, before all else, for what they take last is held out."""
    file = folder / "data" / "interactions.csv"
    head, *lines = file.read_text().splitlines()
    rows = [dict(zip(head.split(","), line.split(","), strict=True)) for line in lines]
    people, time = sorted({row["user_id"] for row in rows})[:users], min(int(row["timestamp"]) for row in rows)
    sold = [{"user_id": user, "item_id": item, "timestamp": str(time - 1)} for user in people]
    file.write_text("\n".join([head, *(",".join(row[name] for name in head.split(",")) for row in rows + sold)]) + "\n")


@pytest.mark.parametrize("weight", [0.6, 0.0, -0.1])
def test_a_new_item_that_has_sold_already_is_recommended(
    mine: Path, weight: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where scores are fused with generators that cannot know it, whatever these weigh."""
    names = ("sasrec", "content-sasrec", "als")
    logit = Logit((1.0, *(weight,) * 3), (0.0, -3.0, -3.0, -3.0), tuple(map(tuple, np.eye(4))))
    figures = {"fused": 1.0, MODEL: 0.5}
    fusion = Fusion(names, logit, Logit.first(3), 9, 9, figures, figures, names, Logit.first(3))
    monkeypatch.setattr(RunFolder, "fusion", lambda self, split, kind: fusion)
    add(mine, NEW)
    assert update(mine / "run", Progress())["new_items"] == ["new"]
    before = Recommender.load(mine / "run")
    sell(mine, "new")
    update(mine / "run", Progress())
    recommender = Recommender.load(mine / "run")
    items = recommender.dataset.items
    assert recommender.dataset.interactions.counts[-1] > 0  # what it sold is known, to no model yet
    history = [item.item_id for item in items[3:6]]
    for served in (before, recommender):
        scores = served.score([item.item_id for item in items], history=history)
        assert all(np.isfinite(list(scores.values())))
        found = [answer.item_id for answer in served.recommend(history=history, k=len(items), reasons=False)]
        assert sorted(found) == sorted({item.item_id for item in items} - set(history))
    # what the language model says of it moves it from one end to the other
    real, last = recommender.scorer.score_contexts, len(items) - 1
    for said, place in ((1 - 1e-9, 0), (1e-9, -1)):
        told = lambda context, said=said: [  # noqa: E731
            np.where(np.array(one.candidates) == last, said, scores)
            for one, scores in zip(context, real(context), strict=True)
        ]
        monkeypatch.setattr(recommender.scorer, "score_contexts", told)
        found = recommender.recommend(history=history, k=len(items), reasons=False)
        assert found[place].item_id == "new"


def test_the_command_says_what_is_new(mine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    add(mine, NEW)
    assert commands.call(["update", str(mine / "run"), "--json"]) == 0
    said = capsys.readouterr()
    assert json.loads(said.out)["new_items"] == ["new"]
    assert "stay as they are" in said.err
    assert commands.call(["update", str(mine / "nothing")]) == 2
    assert "is not a run" in capsys.readouterr().err
