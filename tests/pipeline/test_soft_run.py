"""A run with soft tokens, from recipe to reasons: what is made, what is kept, who is asked to train."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from finished import SOFT, copy_run, done, go
from text_folders import as_text

from mmsrarec.cli import commands
from mmsrarec.core.progress import Progress
from mmsrarec.errors import MmsrarecError
from mmsrarec.pipeline.run import refit, update
from mmsrarec.recommend.training import training_plan
from mmsrarec.runs.recommender import Recommender
from mmsrarec.runs.run_folder import RunFolder
from mmsrarec.runs.soft_vectors import soft_sources

SPLIT = "leave-one-out"
HELD_OUT, WHOLE = f"sequence/{SPLIT}/sasrec-held-out", f"recommend/{SPLIT}/whole"


def test_run_again_does_nothing(soft_run: Path, tmp_path: Path, no_model: None) -> None:
    assert not done(go(copy_run(soft_run, tmp_path), *SOFT)[1])


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (("recommend.soft.history=3",), {WHOLE}),
        (("recommend.soft.folds=3",), {HELD_OUT, WHOLE}),
        (
            ("recommend.soft.sources=['gru4rec']",),
            {f"sequence/{SPLIT}/gru4rec", f"sequence/{SPLIT}/gru4rec-held-out", WHOLE},
        ),
        (("runtime.processes=2", "runtime.train_tokens=500"), set()),
    ],
    ids=["history", "folds", "source", "how it is done"],
)
def test_a_setting_trains_what_hangs_on_it(
    changes: tuple[str, ...], expected: set[str], soft_run: Path, tmp_path: Path
) -> None:
    stages = ("retrieve", "recommend")
    assert done(go(copy_run(soft_run, tmp_path), *SOFT, *changes, stages=stages)[1]) == expected


def test_ablations_are_trained_beside(soft_run: Path, tmp_path: Path) -> None:
    folder = copy_run(soft_run, tmp_path)
    ablations = "evaluate.ablations=['without soft tokens', 'shuffled soft tokens', 'without words']"
    _, said = go(folder, *SOFT, ablations)
    adapters = {f"recommend/{SPLIT}/{name}-soft-tokens" for name in ("without", "shuffled")}
    assert done(said) == {*adapters, f"recommend/{SPLIT}/without-words"}
    maps = {path.parent.parent.name for path in (folder / "run").rglob("soft_tokens.safetensors")}
    assert maps == {"whole", "shuffled-soft-tokens", "without-words"}
    report = json.loads((folder / "run" / "evaluate" / "report.json").read_text())
    shown = {row["variant"] for row in report["rows"] if row["protocol"] == "published"}
    assert {"whole", "without soft tokens", "shuffled soft tokens", "without words"} <= shown
    run_folder = RunFolder.open(folder / "run")
    plain, shuffled = (soft_sources(run_folder, SPLIT, name) for name in ("whole", "shuffled soft tokens"))
    assert plain is not None
    assert shuffled is not None
    assert (plain.vectors != shuffled.vectors).any()
    assert soft_sources(run_folder, SPLIT, "without soft tokens") is None


def test_recommendations_have_reasons_of_vectors(soft_run: Path) -> None:
    recommender = Recommender.load(soft_run / "run")
    assert recommender.prompts.mllm.soft_tokens is not None
    user = recommender.dataset.user_ids[5]
    answers = recommender.recommend(user=user, k=3)
    kinds = {reason.kind for answer in answers for reason in answer.reasons}
    assert {"soft", "soft_history", "history"} <= kinds
    assert all(np.isfinite(answer.score) for answer in answers)
    told = recommender.explain(answers[0].item_id, user=user)
    weights = {reason.kind: reason.weight for reason in told.reasons}
    assert {"soft", "soft_history"} <= weights.keys()
    assert any(weights[kind] for kind in ("soft", "soft_history"))
    scores = recommender.score([answer.item_id for answer in answers], user=user)
    assert scores == pytest.approx({answer.item_id: answer.score for answer in answers}, abs=1e-4)
    assert recommender.recommend(history=[], k=2)  # somebody new


def test_the_leak_checks_are_green(soft_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = copy_run(soft_run, tmp_path)
    assert commands.call(["check", "--leaks", str(folder / "run"), "--users", "6", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["passed"] is True
    assert "shuffled labels, mmsrarec" in {found["check"] for found in answer["checks"]}


def test_training_draws_from_those_users_alone(soft_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[np.ndarray | None] = []
    draw = training_plan.PackDrawing.draw

    def listening(*arguments):
        asked.append(arguments[-1])
        return draw(*arguments)

    monkeypatch.setattr(training_plan.PackDrawing, "draw", listening)
    folder = copy_run(soft_run, tmp_path)
    shutil.rmtree(folder / "run" / WHOLE)
    go(folder, *SOFT, stages=("recommend",))
    (unused,) = asked
    assert unused is not None
    assert 0.5 < unused.mean() < 1
    weights = [(one / "run" / WHOLE / "adapter" / "soft_tokens.safetensors").read_bytes() for one in (folder, soft_run)]
    assert weights[0] == weights[1]


@pytest.mark.parametrize(
    ("source", "stage", "part"),
    [
        ("sasrec", "recommend", HELD_OUT),
        ("gru4rec", "recommend", f"sequence/{SPLIT}/gru4rec"),
        ("content-sasrec", "retrieve", "summarize"),
    ],
)
def test_a_stage_by_itself_names_what_goes_before_it(
    source: str, stage: str, part: str, soft_run: Path, tmp_path: Path
) -> None:
    folder = copy_run(soft_run, tmp_path)
    shutil.rmtree(folder / "run" / part, ignore_errors=True)  # gru4rec was never trained
    with pytest.raises(MmsrarecError) as error:
        go(folder, *SOFT, f"recommend.soft.sources=['{source}']", stages=(stage,))
    assert str(error.value).startswith(f"{part} is not a finished artefact")
    assert "make it first with mmsrarec" in str(error.value)


def test_rows_without_the_language_model_need_no_soft_vectors(soft_run: Path, tmp_path: Path, no_model: None) -> None:
    folder = copy_run(soft_run, tmp_path)
    shutil.rmtree(folder / "run" / "sequence")
    rows, source = "evaluate.rows=['popularity', 'neighbours-only']", "recommend.soft.sources=['gru4rec']"
    summary, said = go(folder, *SOFT, rows, source)
    assert summary["rows"] >= 4
    assert not done(said)


def test_a_refitted_run_answers_with_soft_tokens(soft_run: Path, tmp_path: Path) -> None:
    run_folder = copy_run(soft_run, tmp_path) / "run"
    refit(run_folder, Progress())
    assert (run_folder / "sequence" / "all" / "sasrec-held-out").is_dir()
    recommender = Recommender.load(run_folder)
    assert recommender.split == "all"
    answers = recommender.recommend(user=recommender.dataset.user_ids[5], k=2)
    assert {"soft", "soft_history"} <= {reason.kind for answer in answers for reason in answer.reasons}


def test_an_item_that_joins_is_ranked_and_explained(soft_run: Path, tmp_path: Path) -> None:
    copy_run(soft_run, tmp_path)
    as_text(Path(shutil.copytree(soft_run / "data", tmp_path / "data")))
    recipe, items = tmp_path / "run" / "recipe.toml", tmp_path / "data" / "items.jsonl"
    recipe.write_text(recipe.read_text().replace(str(soft_run / "data"), str(tmp_path / "data")))
    new = {"item_id": "new", "title": "Otter clay mug", "description": "Clay.", "categories": ["Kitchen"]}
    items.write_text(json.dumps({"image": None} | new) + "\n" + items.read_text())
    assert update(tmp_path / "run", Progress())["new_items"] == ["new"]
    recommender = Recommender.load(tmp_path / "run")
    sources, code = recommender.prompts.soft, recommender.dataset.item_code["new"]
    assert sources is not None
    assert len(sources.vectors) == len(recommender.dataset.items)
    assert not sources.vectors[code].any()  # SASRec does not know it
    user = recommender.dataset.user_ids[5]
    assert np.isfinite(recommender.score(["new"], user=user)["new"])
    assert "soft" in {reason.kind for reason in recommender.explain("new", user=user).reasons}
    assert recommender.recommend(history=["new"], k=2)
