"""Training trains what it should, learns what can be learned, and may be stopped anywhere."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tiny import tiny_mllm
from world import make_dataset, make_log, make_prompts, make_retrieval, only

from mmsrarec.data.dataset import Interactions, make_interactions
from mmsrarec.errors import MmsrarecError
from mmsrarec.models.backbone.adapter import load_adapter
from mmsrarec.recommend.prompt.prompts import Prompts
from mmsrarec.recommend.ranking.scorer import score_packs, yes_minus_no
from mmsrarec.recommend.training import fine_tuning as module
from mmsrarec.recommend.training.fine_tuning import (
    read_curve,
    task_losses,
    tune,
)
from mmsrarec.recommend.training.ranking_loss import distil_loss
from mmsrarec.recommend.training.training_plan import shuffled_batches
from mmsrarec.recommend.training.training_samples import sample_training

LOG = make_log(np.random.default_rng(0))
DATASET = make_dataset(LOG)
ALONE = {"foresee": 0, "recognise": 0, "profile": 0}
MIXED = {"foresee": 0.6, "recognise": 0.8, "profile": 0.4}
SMALL = {"n_examples": 22, "batch_size": 4, "negatives": 3, "rank": 2, "history": 2, "first_layer": 1, "tasks": ALONE}


class Stopped(Exception):
    pass


def run(
    folder: Path, stop_after: int | None = None, log: Interactions = LOG, model: int = 0, teacher=None, **settings
) -> tuple[dict, Prompts]:
    """Tune a fresh tiny model, drawn from the seed `model`; `folder` keeps adapter and unfinished work."""
    prompts = make_prompts(tiny_mllm(model), make_dataset(log), **(SMALL | settings))

    def progress(done: int, total: int, label: str) -> None:
        if done == stop_after:
            raise Stopped

    retrieval = make_retrieval(log, n_vote_neighbours=10)
    facts = tune(prompts, retrieval, prompts.settings, 7, folder / "adapter", folder / "work", progress, teacher)
    return facts, prompts


def weights(folder: Path) -> bytes:
    return (folder / "adapter" / "adapter_model.safetensors").read_bytes()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict, Prompts]:
    folder = tmp_path_factory.mktemp("whole")
    return folder, *run(folder)


def test_what_is_told_of_a_training(whole: tuple[Path, dict, Prompts]) -> None:
    folder, facts, prompts = whole
    assert facts["steps"] == 6  # 22 packs by 4
    assert facts["trainable"] == sum(
        2 * (size_in + size_out)
        for size_in, size_out in [(64, 64), (64, 32), (64, 32), (64, 64), (64, 128), (64, 128), (128, 64)]
    )
    assert [line["step"] for line in facts["curve"]] == list(range(6))
    assert all(np.isfinite(line["loss"]) and 0 <= line["first"] <= 1 for line in facts["curve"])
    assert facts["tokens"] > 0
    losses = [line["loss"] for line in facts["curve"]]
    assert facts["tasks"] == {"choose": {"examples": 22, "steps": 6, "first": losses[0], "last": losses[-1]}}
    assert not any(weight.requires_grad for weight in prompts.mllm.model.parameters())
    assert weights(folder)


def test_the_eye_and_the_words_stay_as_they_were(whole: tuple[Path, dict, Prompts]) -> None:
    _, _, prompts = whole
    fresh, trained = tiny_mllm().model.state_dict(), prompts.mllm.model.state_dict()
    base = {name.replace(".base_layer", ""): value for name, value in trained.items() if "lora_" not in name}
    assert base.keys() == fresh.keys()
    assert all(torch.equal(value, base[name]) for name, value in fresh.items())
    picture = [Image.new("RGB", (40, 40), "red")]
    assert torch.equal(prompts.mllm.encode_images(picture, 4), tiny_mllm().encode_images(picture, 4))


def test_the_adapter_changes_scores_and_comes_back_from_disk(whole: tuple[Path, dict, Prompts]) -> None:
    folder, _, tuned = whole
    plain, loaded = (make_prompts(tiny_mllm(), DATASET, **SMALL) for _ in range(2))
    load_adapter(loaded.mllm, folder / "adapter")
    retrieval = make_retrieval(LOG)
    queries, candidates, _ = sample_training(LOG, 5, 3, np.random.default_rng(0))
    context = retrieval.gather(queries, candidates, plain.settings)
    scores = [
        np.concatenate(score_packs(prompts, [prompts.render(one) for one in context]))
        for prompts in (plain, tuned, loaded)
    ]
    assert np.abs(scores[0] - scores[1]).max() > 1e-3
    np.testing.assert_array_equal(scores[1], scores[2])


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict, Prompts]:
    folder = tmp_path_factory.mktemp("mixed")
    return folder, *run(folder, tasks=MIXED)


def test_tasks_are_mixed_in(mixed: tuple[Path, dict, Prompts], whole: tuple[Path, dict, Prompts]) -> None:
    _, facts, _ = mixed
    told = facts["tasks"]
    assert {task: one["examples"] for task, one in told.items()} == {
        "choose": 22,
        "foresee": 13,  # 0.6 x 22
        "recognise": 18,
        "profile": 9,
    }
    tasks = [line["task"] for line in facts["curve"]]
    assert {task: tasks.count(task) for task in told} == {task: one["steps"] for task, one in told.items()}
    assert tasks.count("choose") == 6
    assert sorted(tasks, key=list(told).index) != tasks  # in random order
    assert [line.keys() for line in facts["curve"]] == [
        {"step", "task", "loss", *(["first"] if task == "choose" else [])} for task in tasks
    ]
    assert facts["tokens"] > whole[1]["tokens"]


def test_whatever_is_mixed_in_the_packs_are_the_same(tmp_path: Path) -> None:
    """At a rate that moves nothing, each pack's loss is what it is alone."""
    curves = [
        run(tmp_path / name, tasks=tasks, learning_rate=1e-12)[0]["curve"]
        for name, tasks in (("a", ALONE), ("m", MIXED))
    ]
    alone, among = ([line["loss"] for line in curve if line["task"] == "choose"] for curve in curves)
    np.testing.assert_allclose(alone, among, rtol=1e-5)


@pytest.mark.parametrize("stops", [[3], [2, 8]])
def test_a_mixed_training_stopped_and_resumed_is_bit_equal(
    stops: list[int], mixed: tuple[Path, dict, Prompts], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CHECKPOINT_SECONDS", 0)
    for stop in stops:
        with pytest.raises(Stopped):
            run(tmp_path, stop, tasks=MIXED)
    facts, _ = run(tmp_path, tasks=MIXED)
    assert weights(tmp_path) == weights(mixed[0])
    assert facts == mixed[1]


def test_writing_is_learned_where_it_is_trained(tmp_path: Path) -> None:
    settings = {"n_examples": 8, "tasks": ALONE | {"recognise": 20}, "rank": 8, "first_layer": 0}
    last = {}
    for lr in (1e-2, 1e-9):
        told = run(tmp_path / str(lr), learning_rate=lr, **settings)[0]["tasks"]["recognise"]
        assert told["examples"] == 160
        last[lr] = told["last"]
    assert last[1e-2] < 0.8 * last[1e-9]


def test_losses_are_told_by_task() -> None:
    lines = [{"step": n, "task": "choose" if n % 2 else "profile", "loss": float(n)} for n in range(40)]
    assert task_losses(lines, "profile") == {"steps": 20, "first": 1.0, "last": 37.0}
    assert task_losses(lines, "choose") == {"steps": 20, "first": 2.0, "last": 38.0}


@pytest.mark.parametrize("stops", [[1], [4], [6], [2, 4]])
def test_stopped_and_resumed_is_bit_equal(
    stops: list[int], whole: tuple[Path, dict, Prompts], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CHECKPOINT_SECONDS", 0)
    for stop in stops:
        with pytest.raises(Stopped):
            run(tmp_path, stop)
        assert not (tmp_path / "adapter").exists()
    facts, _ = run(tmp_path)
    assert weights(tmp_path) == weights(whole[0])
    assert facts["curve"] == whole[1]["curve"]
    assert len((tmp_path / "work" / "curve.jsonl").read_text().splitlines()) == 6  # no step was done again


def test_steps_since_the_last_checkpoint_are_done_again(
    whole: tuple[Path, dict, Prompts], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(Stopped):
        run(tmp_path, 3)  # no checkpoint so early: it starts over
    curve = tmp_path / "work" / "curve.jsonl"
    curve.write_text(curve.read_text()[:-9])  # the kill came in the middle of a line
    facts, _ = run(tmp_path)
    assert len(curve.read_text().splitlines()) == 2 + 6
    assert facts["curve"] == whole[1]["curve"]
    assert weights(tmp_path) == weights(whole[0])


def test_another_seed_trains_another_adapter(whole: tuple[Path, dict, Prompts], tmp_path: Path) -> None:
    prompts = make_prompts(tiny_mllm(), DATASET, **SMALL)
    tune(
        prompts, make_retrieval(LOG, n_vote_neighbours=10), prompts.settings, 8, tmp_path / "adapter", tmp_path / "work"
    )
    assert weights(tmp_path) != weights(whole[0])


def test_it_learns_that_people_take_what_many_took(tmp_path: Path) -> None:
    """Everybody takes three of six hits, and nothing but the count in words tells hits from the rest."""
    rng = np.random.default_rng(0)
    users = np.repeat(np.arange(150), 3)
    hits = np.concatenate([rng.choice(6, 3, replace=False) for _ in range(150)])
    rare = np.arange(6, 40)  # each taken once, at first, by somebody who took nothing else: known, and no hit
    users, items = np.concatenate([150 + rare, users]), np.concatenate([rare, hits])
    log = make_interactions(users, items, 1000 + np.arange(len(users)) // 3, 190, 40)
    settings = {"log": log, "model": 4, "n_examples": 240, "batch_size": 8, "negatives": 7, "rank": 8, "first_layer": 0}
    first, loss = {}, {}
    worlds = {"told": (True, 1e-2), "untold": (False, 1e-2), "untrained": (True, 1e-9)}
    for name, (told, lr) in worlds.items():
        facts, _ = run(tmp_path / name, prompt_fields=only(popularity=told).model_dump(), learning_rate=lr, **settings)
        first[name], loss[name] = (np.mean([line[key] for line in facts["curve"][-15:]]) for key in ("first", "loss"))
    assert first["told"] > 0.5  # the other hits among the negatives bound it from above
    assert first["untold"] < 0.25  # chance is 1/8
    assert first["untrained"] < 0.25
    assert loss["told"] < min(loss["untold"], loss["untrained"])


def test_a_rate_that_breaks_the_model_is_said(tmp_path: Path) -> None:
    prompts = make_prompts(tiny_mllm(), DATASET, **SMALL)
    prompts.features = {code: value * torch.nan for code, value in prompts.features.items()}
    with pytest.raises(MmsrarecError, match="the loss is nan at step 0: lower"):
        tune(prompts, make_retrieval(LOG), prompts.settings, 0, tmp_path / "adapter", tmp_path / "work")


def test_every_pack_is_trained_once_among_its_likes() -> None:
    rng = np.random.default_rng(0)
    lengths = rng.integers(1, 500, 320)
    batches = list(shuffled_batches(lengths, 4, np.random.default_rng(1)))
    assert sorted(np.concatenate(batches)) == list(range(320))
    padded = sum(max(lengths[batch]) * len(batch) for batch in batches)
    assert padded < 1.15 * lengths.sum()
    again = list(shuffled_batches(lengths, 4, np.random.default_rng(1)))
    assert all(np.array_equal(a, b) for a, b in zip(batches, again, strict=True))


def test_the_last_line_of_a_step_counts(tmp_path: Path) -> None:
    lines = [{"step": 1, "loss": 5.0}, {"step": 0, "loss": 3.0}, {"step": 1, "loss": 4.0}]
    (tmp_path / "curve").write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert read_curve(tmp_path / "curve") == [lines[1], lines[2]]


def far_from(teacher: Prompts, student: Prompts) -> float:
    """Mean divergence of a student's rankings of new packs from the teacher's."""
    queries, candidates, _ = sample_training(LOG, 12, 3, np.random.default_rng(5))
    context = make_retrieval(LOG, n_vote_neighbours=10).gather(queries, candidates, teacher.settings)
    with torch.inference_mode():
        ranked = [yes_minus_no(p, [p.render(one) for one in context]).view(12, 4) for p in (teacher, student)]
    return float(distil_loss(ranked[1], ranked[0]))


def test_a_student_comes_to_rank_as_its_teacher_does(tmp_path: Path) -> None:
    told = {"n_examples": 60, "rank": 8, "first_layer": 0, "cold_item_rate": 0}
    _, teacher = run(tmp_path / "teacher", learning_rate=1e-2, **told)
    far = {"untrained": far_from(teacher, make_prompts(tiny_mllm(), DATASET, **SMALL))}
    for name, teacher_logits in (("alone", None), ("taught", lambda: teacher)):
        _, student = run(tmp_path / name, learning_rate=3e-3, epochs=2, teacher=teacher_logits, **told)
        far[name] = far_from(teacher, student)
    assert far["taught"] < 0.7 * far["alone"] < 0.3 * far["untrained"]


def test_a_teacher_is_asked_once_however_often_the_student_is_stopped(
    whole: tuple[Path, dict, Prompts], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CHECKPOINT_SECONDS", 0)
    asked = []

    def teacher() -> Prompts:
        asked.append(len(asked))
        return whole[2]

    told = {"model": 4, "first_layer": 0}
    run(tmp_path / "whole", teacher=teacher, **told)
    assert len(asked) == 1
    for stop in (1, 4):
        with pytest.raises(Stopped):
            run(tmp_path / "stopped", stop, teacher=teacher, **told)
    run(tmp_path / "stopped", teacher=teacher, **told)
    assert len(asked) == 2
    assert weights(tmp_path / "stopped") == weights(tmp_path / "whole")
    run(tmp_path / "alone", **told)
    assert weights(tmp_path / "alone") != weights(tmp_path / "whole")


def test_epochs_see_every_pack_again_in_another_order(whole: tuple[Path, dict, Prompts], tmp_path: Path) -> None:
    facts, _ = run(tmp_path, epochs=2)
    assert facts["steps"] == 2 * whole[1]["steps"]
    assert facts["tokens"] == 2 * whole[1]["tokens"]


def test_hard_negatives_and_late_queries_reach_the_training(tmp_path: Path, whole: tuple[Path, dict, Prompts]) -> None:
    hard, _ = run(tmp_path, hard_negatives=0.5, recency_power=2.0)
    losses = [[step["loss"] for step in facts["curve"]] for facts in (hard, whole[1])]
    assert len(losses[0]) == len(losses[1])
    assert losses[0] != losses[1]
