"""Ablations, sweeps and the small ranker as rows of a run."""

import io
import json
from pathlib import Path

import pytest
from finished import done, evaluated, go, recipe_in, report_of

from mmsrarec.core.progress import Progress
from mmsrarec.models.backbone import mllm
from mmsrarec.pipeline.run import Run
from mmsrarec.runs.recipe import load_recipe
from mmsrarec.runs.recommender import Recommender
from mmsrarec.runs.run_folder import RunFolder


@pytest.mark.slow
def test_sweeps_and_another_encoder_are_ablations_like_others(mine: Path) -> None:
    names = ["history 1", "k 1", "stage 2 with GRU4Rec"]
    _, said = go(mine, 'evaluate.rows=["sasrec","mmsrarec"]', f"evaluate.ablations={json.dumps(names)}")
    parts = {f"recommend/leave-one-out/{name.replace(' ', '-')}" for name in names}
    assert done(said) >= parts
    assert not any(part.startswith(("retrieve/", "summarize")) for part in done(said))
    report = report_of(mine)
    assert {row["variant"] for row in report["rows"]} >= set(names)
    counts = {what: [point["count"] for point in points] for what, points in report["sweeps"].items()}
    assert counts == {"items of history in the prompt": [1, 2], "similar users asked": [1, 3]}
    assert "How much is enough?" in (mine / "run" / "evaluate" / "report.html").read_text()
    _, again = go(mine, 'evaluate.rows=["sasrec","mmsrarec"]', f"evaluate.ablations={json.dumps(names)}")
    assert not done(again)
    _, other = go(mine, 'evaluate.rows=["sasrec","mmsrarec"]', 'evaluate.ablations=["k 2"]')
    assert done(other) == {"recommend/leave-one-out/k-2"}


def test_an_ablation_is_trained_and_shown(mine: Path) -> None:
    _, said = go(mine, "evaluate.ablations=['without stage 2']", "evaluate.splits=['leave-one-out']")
    assert done(said) == {"recommend/leave-one-out/without-stage-2"}
    assert evaluated(said) == {"mmsrarec, without stage 2: published, leave-one-out"}
    assert "mmsrarec, without stage 2" in {pair["b"] for pair in report_of(mine)["pairs"]}


def test_ablations_without_training_or_with_other_keywords(mine: Path) -> None:
    names = ["untrained", "random keywords", "without multi-task"]
    few = ("evaluate.splits=['leave-one-out']", "recommend.tasks.foresee=0.7", "evaluate.shown_users=0")
    _, said = go(mine, f"evaluate.ablations={names}", *few)
    assert {f"recommend/leave-one-out/{name.replace(' ', '-')}" for name in names} <= done(said)
    parts = mine / "run" / "recommend" / "leave-one-out"
    assert not (parts / "untrained" / "adapter").exists()
    assert json.loads((parts / "untrained" / "training.json").read_text()) == {"steps": 0}
    trained = {(parts / name / "adapter" / "adapter_model.safetensors").read_bytes()
               for name in ("whole", "random-keywords", "without-multi-task")}  # fmt: skip
    assert len(trained) == 3
    told = json.loads((parts / "whole" / "training.json").read_text())["tasks"]
    assert {task: one["examples"] for task, one in told.items()} == {"choose": 12, "foresee": 8}
    rows = {row["variant"]: row["metrics"] for row in report_of(mine)["rows"] if row["model"] == "mmsrarec"}
    assert {*names, "whole"} <= rows.keys()
    assert {f"mmsrarec, {name}" for name in names} <= {pair["b"] for pair in report_of(mine)["pairs"]}


@pytest.mark.slow
def test_the_small_ranker_learns_from_the_whole_and_recommends(mine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    few = ("evaluate.splits=['leave-one-out']", "evaluate.shown_users=0")
    small = f"evaluate.ablations={['small']}"
    _, said = go(mine, small, *few)
    assert done(said) == {"recommend/leave-one-out/small"}
    assert evaluated(said) == {"mmsrarec, small: published, leave-one-out"}
    assert "mmsrarec, small" in {pair["b"] for pair in report_of(mine)["pairs"]}
    _, said = go(
        mine, small, "recommend.learning_rate=2e-3", *few, stages=("recommend",)
    )  # another teacher, another pupil
    assert done(said) == {f"recommend/leave-one-out/{variant}" for variant in ("titles", "whole", "small")}

    model = load_recipe(mine / "run" / "recipe.toml").model.name
    monkeypatch.setattr(mllm, "embedded_folder", lambda: Path(model))
    go(mine, small, "model.name=embedded", "evaluate.rows=['sasrec', 'mmsrarec']", *few)
    assert Recommender.load(mine / "run").prompts.settings.first_layer == 1
    text = (mine / "run" / "recipe.toml").read_text()
    (mine / "run" / "recipe.toml").write_text(text.replace('name = "embedded"', 'name = "embedded-small"'))
    assert Recommender.load(mine / "run").prompts.settings.first_layer == 0


def test_embedded_small_is_the_embedded_model_with_a_ranker_of_its_own(mine: Path) -> None:
    names, first = ("embedded", "embedded-small"), "leave-one-out"
    recipes = [recipe_in(mine, f"model.name={name}") for name in names]
    plain, small = (Run(RunFolder(recipe, mine / "run"), Progress(io.StringIO())) for recipe in recipes)
    assert plain.stages.keys.pictures() == small.stages.keys.pictures()
    assert (plain.variants(first), small.variants(first)) == (["titles", "whole"], ["titles", "whole", "small"])
    assert small.variants("user-8-1-1") == ["titles", "whole"]
    told = (f"evaluate.ablations={['small']}", "evaluate.rows=['sasrec']")
    asked = Run(RunFolder(recipe_in(mine, *told), mine / "run"), Progress(io.StringIO()))
    assert asked.variants(first) == ["whole", "small"]
