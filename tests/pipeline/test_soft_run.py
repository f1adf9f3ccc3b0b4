"""A run with soft tokens, from recipe to reasons: what is made, what is kept, who is asked to train."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from finished import copy_run, done, go, recipe_in
from rounds import same

from mmsrarec.cli import commands
from mmsrarec.core.progress import Progress
from mmsrarec.data.dataset import Dataset, make_interactions
from mmsrarec.errors import MmsrarecError
from mmsrarec.pipeline.encoder_steps import EncoderSteps
from mmsrarec.recommend.soft.cross_fitting import held_out_users
from mmsrarec.recommend.training import training_plan
from mmsrarec.retrieve.encoder import Encoder
from mmsrarec.runs.recommender import Recommender
from mmsrarec.runs.run_folder import RunFolder
from mmsrarec.runs.soft_vectors import held_out_part, soft_sources, training_sources, unused_users

SPLIT = "leave-one-out"
FEW = ("evaluate.splits=['leave-one-out']", "evaluate.shown_users=1")
SOFT = ("recommend.soft.sources=['sasrec']", "recommend.soft.hidden=16", *FEW)
ROWS = ("evaluate.rows=['sasrec', 'mmsrarec']",)
HELD_OUT, WHOLE = f"sequence/{SPLIT}/sasrec-held-out", f"recommend/{SPLIT}/whole"


@pytest.fixture(scope="module")
def soft(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The finished run, trained anew with soft tokens."""
    folder = copy_run(finished, tmp_path_factory.mktemp("soft"))
    _, said = go(folder, *SOFT, *ROWS)
    assert done(said) == {HELD_OUT, WHOLE}  # nothing else hangs on soft tokens
    return folder


def soft_copy(soft: Path, tmp_path: Path) -> Path:
    return copy_run(soft, tmp_path)


def test_run_again_does_nothing(soft: Path, tmp_path: Path, no_model: None) -> None:
    assert not done(go(soft_copy(soft, tmp_path), *SOFT, *ROWS)[1])


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (("recommend.soft.history=3",), {WHOLE}),
        (("recommend.soft.folds=3",), {HELD_OUT, WHOLE}),
        (("recommend.soft.sources=['gru4rec']",), {f"sequence/{SPLIT}/gru4rec-held-out", WHOLE}),
        (("runtime.processes=2", "runtime.train_tokens=500"), set()),
    ],
    ids=["history", "folds", "source", "how it is done"],
)
def test_a_setting_trains_what_hangs_on_it(
    changes: tuple[str, ...], expected: set[str], soft: Path, tmp_path: Path
) -> None:
    stages = ("retrieve", "recommend")
    assert done(go(soft_copy(soft, tmp_path), *SOFT, *ROWS, *changes, stages=stages)[1]) == expected


def test_ablations_are_trained_beside(soft: Path, tmp_path: Path) -> None:
    folder = soft_copy(soft, tmp_path)
    ablations = "evaluate.ablations=['without soft tokens', 'shuffled soft tokens', 'without words']"
    _, said = go(folder, *SOFT, *ROWS, ablations)
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


def test_recommendations_have_reasons_of_vectors(soft: Path) -> None:
    recommender = Recommender.load(soft / "run")
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


def test_the_leak_checks_are_green(soft: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = soft_copy(soft, tmp_path)
    assert commands.call(["check", "--leaks", str(folder / "run"), "--users", "6", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["passed"] is True
    assert "shuffled labels, mmsrarec" in {found["check"] for found in answer["checks"]}


def test_who_trains_the_language_model_is_seen_by_no_sequence_model_that_it_reads(soft: Path) -> None:
    run_folder = RunFolder.open(soft / "run")
    train, unused = run_folder.split(SPLIT).train, unused_users(run_folder, SPLIT, "whole")
    assert unused is not None
    np.testing.assert_array_equal(unused, ~held_out_users(train.n_users, 4, run_folder.recipe.seed))
    assert unused_users(run_folder, SPLIT, "without soft tokens") is None
    sources = training_sources(run_folder, SPLIT, "whole")
    assert sources is not None
    held_out = Encoder.load(soft / "run" / held_out_part(SPLIT, "sasrec"))
    assert same(sources.sources[0].encoder, held_out)
    assert not same(held_out, run_folder.encoder(SPLIT, "sasrec"))
    known = np.isin(np.arange(train.n_items), train.item[unused[train.user]])
    np.testing.assert_array_equal(held_out.known, known)
    answering = soft_sources(run_folder, SPLIT, "whole")
    assert answering is not None
    before = np.square(replace(sources.sources[0], rotation=np.eye(16, dtype=np.float32)).vectors - answering.vectors)
    assert np.square(sources.vectors - answering.vectors).sum() < before.sum()  # aligned to whoever answers


def test_training_draws_from_those_users_alone(soft: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[np.ndarray | None] = []
    draw = training_plan.PackDrawing.draw

    def listening(*arguments):
        asked.append(arguments[-1])
        return draw(*arguments)

    monkeypatch.setattr(training_plan.PackDrawing, "draw", listening)
    folder = soft_copy(soft, tmp_path)
    shutil.rmtree(folder / "run" / WHOLE)
    go(folder, *SOFT, *ROWS, stages=("recommend",))
    (unused,) = asked
    assert unused is not None
    assert 0.5 < unused.mean() < 1
    weights = [(one / "run" / WHOLE / "adapter" / "soft_tokens.safetensors").read_bytes() for one in (folder, soft)]
    assert weights[0] == weights[1]


def encoders_of(folder: Path, out: Path, dataset: Dataset | None = None) -> Encoder:
    """The sequence model that does not see the training users, on the run's data or on others."""
    run_folder = RunFolder(recipe_in(folder, *SOFT, *ROWS, "retrieve.epochs=1"), out, dataset)
    steps = EncoderSteps(run_folder, Progress())
    steps.encoder(SPLIT, "sasrec")
    steps.held_out_encoder(SPLIT, "sasrec", "whole")
    return Encoder.load(out / HELD_OUT)


def test_whatever_these_users_do_leaves_the_model_as_it_is(soft: Path, tmp_path: Path) -> None:
    run_folder = RunFolder.open(soft / "run")
    dataset, log = run_folder.dataset, run_folder.dataset.interactions
    held_out = held_out_users(log.n_users, 4, run_folder.recipe.seed)
    found: list[Encoder] = [encoders_of(soft, tmp_path / "as-it-is")]
    for name, users in (("theirs", held_out), ("others", ~held_out)):
        items = np.where(users[log.user], (log.item + 1) % log.n_items, log.item)
        changed = make_interactions(log.user, items, log.time, log.n_users, log.n_items)
        found.append(encoders_of(soft, tmp_path / name, replace(dataset, interactions=changed)))
    assert same(found[0], found[1])
    assert not same(found[0], found[2])


@pytest.mark.parametrize(
    ("source", "stage", "part"),
    [
        ("sasrec", "recommend", HELD_OUT),
        ("gru4rec", "recommend", f"sequence/{SPLIT}/gru4rec"),
        ("content-sasrec", "retrieve", "summarize"),
    ],
)
def test_a_stage_by_itself_names_what_goes_before_it(
    source: str, stage: str, part: str, soft: Path, tmp_path: Path
) -> None:
    folder = soft_copy(soft, tmp_path)
    shutil.rmtree(folder / "run" / part)
    if source == "sasrec":
        assert (folder / "run" / "retrieve" / SPLIT).is_dir()
    with pytest.raises(MmsrarecError) as error:
        go(folder, *SOFT, *ROWS, f"recommend.soft.sources=['{source}']", stages=(stage,))
    assert str(error.value).startswith(f"{part} is not a finished artefact")
    assert "make it first with mmsrarec" in str(error.value)


def test_rows_without_the_language_model_need_no_soft_vectors(soft: Path, tmp_path: Path, no_model: None) -> None:
    folder = soft_copy(soft, tmp_path)
    shutil.rmtree(folder / "run" / "sequence")
    rows, source = "evaluate.rows=['popularity', 'neighbours-only']", "recommend.soft.sources=['gru4rec']"
    summary, said = go(folder, *FEW, rows, source)
    assert summary["rows"] >= 4
    assert not done(said)


def test_content_is_a_source_that_knows_new_items(soft: Path, tmp_path: Path) -> None:
    folder = soft_copy(soft, tmp_path)
    both = (*SOFT, *ROWS, "recommend.soft.sources=['sasrec','content-sasrec']")
    _, said = go(folder, *both, stages=("retrieve", "recommend"))
    assert done(said) == {f"sequence/{SPLIT}/content-sasrec-held-out", WHOLE}
    run_folder = RunFolder(recipe_in(folder, *both), folder / "run")
    sources = soft_sources(run_folder, SPLIT, "whole")
    assert sources is not None
    unknown = ~np.isin(np.arange(sources.vectors.shape[0]), run_folder.split(SPLIT).train.item)
    assert not sources.vectors[unknown][:, :16].any()
    assert sources.vectors[:, 16:].any(axis=1).all()
    prompts = run_folder.tuned(SPLIT, "whole")
    assert prompts.soft is not None
    assert isinstance(prompts.mllm.soft_tokens, torch.nn.Module)
