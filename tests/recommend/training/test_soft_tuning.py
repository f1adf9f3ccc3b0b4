"""Training with soft tokens: the map is learned with the adapter, resumed to the bit, and read back as it was."""

from dataclasses import replace
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import torch
from soft import SOFT, drawn_sources, soft_retrieval
from tiny import tiny_mllm
from world import make_dataset, make_log, make_prompts

from mmsrarec.models.backbone.adapter import add_adapter, load_adapter, trainable
from mmsrarec.models.backbone.mllm import Mllm
from mmsrarec.models.packing.soft_ids import LAST, SoftKind, soft_id
from mmsrarec.recommend.prompt.prompts import Prompts
from mmsrarec.recommend.ranking.scorer import score_packs
from mmsrarec.recommend.soft.soft_token_map import FILE, SoftTokenMap
from mmsrarec.recommend.training import fine_tuning as module
from mmsrarec.recommend.training import ranking_objective
from mmsrarec.recommend.training.fine_tuning import RankingObjective, new_soft_tokens, tune
from mmsrarec.recommend.training.training_plan import CHOOSE, draw_training_plan
from mmsrarec.recommend.training.training_samples import sample_training
from mmsrarec.recommend.training.training_tasks import draw_examples

LOG = make_log(np.random.default_rng(0))
DATASET, SOURCES = make_dataset(LOG), drawn_sources(LOG.n_items)
RETRIEVAL = soft_retrieval(LOG, SOURCES, n_vote_neighbours=10)
NO_TASKS, TASKS = (
    dict.fromkeys(("foresee", "recognise", "profile"), 0),
    {"foresee": 0.5, "recognise": 0.2, "profile": 0},
)
SMALL = {"n_examples": 22, "batch_size": 4, "negatives": 3, "rank": 2, "history": 2, "first_layer": 1}
UNUSED = np.arange(LOG.n_users) % 3 == 0


class Stopped(Exception):
    pass


def prompts_of(mllm: Mllm, **settings) -> Prompts:
    return make_prompts(mllm, DATASET, **({"soft": SOFT, "tasks": NO_TASKS} | SMALL | settings))


def run(folder: Path, stop_after: int | None = None, workers: int = 1, **settings) -> tuple[dict, Prompts]:
    prompts = prompts_of(tiny_mllm(), **settings)

    def progress(done: int, total: int, label: str) -> None:
        if done == stop_after and label == "tuning":
            raise Stopped

    adapter, work = folder / "adapter", folder / "work"
    facts = tune(prompts, RETRIEVAL, prompts.settings, 7, adapter, work, progress, None, UNUSED, workers)
    return facts, prompts


def learned(folder: Path) -> list[bytes]:
    return [(folder / "adapter" / name).read_bytes() for name in ("adapter_model.safetensors", FILE)]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict, Prompts]:
    folder = tmp_path_factory.mktemp("whole")
    return folder, *run(folder)


def fresh_map(prompts: Prompts) -> SoftTokenMap:
    soft = new_soft_tokens(tiny_mllm(), RETRIEVAL, prompts.settings, 7)
    assert soft is not None
    return soft


def test_the_map_is_trained_with_the_adapter(whole: tuple[Path, dict, Prompts]) -> None:
    _, facts, prompts = whole
    soft = prompts.mllm.soft_tokens
    assert isinstance(soft, SoftTokenMap)
    before, after = fresh_map(prompts).state_dict(), soft.state_dict()
    assert all(not torch.equal(before[name], after[name]) for name in before)
    assert not any(weight.requires_grad for weight in (*soft.parameters(), *prompts.mllm.model.parameters()))
    adapter = trainable(add_adapter(tiny_mllm(), 2, 1, 7))
    counts = [sum(weight.numel() for weight in weights.values()) for weights in (adapter, before)]
    assert facts["trainable"] == sum(counts)


def test_alone_the_map_learns_and_the_language_model_stays_as_it_is(tmp_path: Path) -> None:
    facts, prompts = run(tmp_path, soft={**SOFT, "alone": True})
    before, untouched = fresh_map(prompts).state_dict(), tiny_mllm().model.state_dict()
    soft = prompts.mllm.soft_tokens
    assert isinstance(soft, SoftTokenMap)
    assert all(not torch.equal(before[name], weight) for name, weight in soft.state_dict().items())
    assert facts["trainable"] == sum(weight.numel() for weight in before.values())
    loras = {name: w for name, w in prompts.mllm.model.named_parameters() if "lora_B" in name}
    assert not any(weight.any() for weight in loras.values())
    for name, weight in prompts.mllm.model.named_parameters():
        if (plain := name.replace("base_layer.", "")) in untouched and "lora" not in name:
            assert torch.equal(weight, untouched[plain])


@pytest.mark.parametrize("stops", [[1], [4], [2, 5]])
def test_stopped_and_resumed_is_bit_equal(
    stops: list[int], whole: tuple[Path, dict, Prompts], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CHECKPOINT_SECONDS", 0)
    for stop in stops:
        with pytest.raises(Stopped):
            run(tmp_path, stop)
        assert not (tmp_path / "adapter").exists()
    facts, _ = run(tmp_path)
    assert learned(tmp_path) == learned(whole[0])
    assert facts == whole[1]


def test_processes_that_draw_change_nothing(
    whole: tuple[Path, dict, Prompts], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mmsrarec.recommend.training.pack_drawing.SHARD_PACKS", 22)
    one = run(tmp_path / "one")
    monkeypatch.setattr("mmsrarec.recommend.training.pack_drawing.SHARD_PACKS", 8)
    two = run(tmp_path / "two", workers=2)
    for facts, _ in (one, two):
        np.testing.assert_allclose(
            [line["loss"] for line in facts["curve"]], [line["loss"] for line in whole[1]["curve"]], rtol=1e-4
        )


def test_scores_come_back_from_disk(whole: tuple[Path, dict, Prompts]) -> None:
    folder, _, tuned = whole
    loaded = prompts_of(tiny_mllm())
    load_adapter(loaded.mllm, folder / "adapter")
    loaded.mllm.soft_tokens = SoftTokenMap.load(folder / "adapter", SOURCES)
    queries, candidates, _ = sample_training(LOG, 5, 3, np.random.default_rng(0))
    packs = [tuned.render(context) for context in RETRIEVAL.gather(queries, candidates, tuned.settings)]
    scores = [np.concatenate(score_packs(prompts, packs)) for prompts in (tuned, loaded)]
    np.testing.assert_array_equal(*scores)
    loaded.mllm.soft_tokens = fresh_map(loaded).eval()
    assert np.abs(np.concatenate(score_packs(loaded, packs)) - scores[0]).max() > 1e-4


def test_the_gain_starts_at_the_spread_of_the_words() -> None:
    prompts = prompts_of(tiny_mllm())
    words = prompts.mllm.model.get_input_embeddings().weight
    assert float(fresh_map(prompts).norm.weight.detach().mean()) == pytest.approx(float(words.detach().std()), rel=1e-5)
    without = new_soft_tokens(prompts.mllm, replace(RETRIEVAL, soft=None), prompts.settings, 7)
    assert without is None
    assert prompts.mllm.soft_tokens is None


@pytest.mark.parametrize("tasks", [NO_TASKS, TASKS], ids=["alone", "mixed"])
def test_microbatches_add_up_to_the_batch(tasks: dict[str, float]) -> None:
    """However few tokens are computed at once: the same loss, share of hits and gradients."""
    prompts = prompts_of(tiny_mllm(), tasks=tasks, batch_size=6)
    peft = add_adapter(prompts.mllm, 2, 0, 1)
    for name, weight in trainable(peft).items():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.05, generator=torch.Generator().manual_seed(len(name)))
    soft = new_soft_tokens(prompts.mllm, RETRIEVAL, prompts.settings, 7)
    assert soft is not None
    plan = draw_training_plan(prompts, RETRIEVAL, prompts.settings, 7)
    steps = {task: rows for task, rows in plan.steps if len(rows) > 2}
    assert steps.keys() == {CHOOSE, *(task for task, share in tasks.items() if share)}
    for task, rows in steps.items():
        found = []
        for tokens in (1_000_000, 1, 400):
            objective = RankingObjective(prompts, prompts.settings, plan, None, tokens)
            batches = objective.microbatches(task, rows)
            assert sum(batch.weight for batch in batches) == pytest.approx(1)
            assert np.concatenate([batch.rows for batch in batches]).tolist() == rows.tolist()
            assert len(batches) == {1_000_000: 1, 1: len(rows)}.get(tokens, len(batches))
            figures = objective.add_gradients(batches)
            weights = {**trainable(peft), **trainable(soft)}
            grads = {name: weight.grad for name, weight in weights.items() if weight.grad is not None}
            found.append((figures, {name: grad.clone() for name, grad in grads.items()}))
            for weight in weights.values():
                weight.grad = None
        (figures, grads), *others = found
        assert max(float(grad.abs().max()) for grad in grads.values()) > 1e-3
        assert ("inner.weight" in grads) == (task in (CHOOSE, "foresee"))
        for other_figures, other_grads in others:
            assert other_figures == pytest.approx(figures, abs=1e-5)
            assert other_grads.keys() == grads.keys()
            for name, grad in grads.items():
                torch.testing.assert_close(other_grads[name], grad, atol=1e-5, rtol=1e-4)


def test_an_error_while_packs_are_laid_out_is_raised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lay_out, calls = ranking_objective.batch_of_rows, []

    def failing(*arguments):
        calls.append(0)
        if len(calls) == 3:
            raise MemoryError("no room for the batch")
        return lay_out(*arguments)

    monkeypatch.setattr(ranking_objective, "batch_of_rows", failing)
    with pytest.raises(MemoryError, match="no room"):
        run(tmp_path)
    monkeypatch.setattr(ranking_objective, "batch_of_rows", lay_out)
    assert run(tmp_path)[0]["steps"] == 6


def test_foreseeing_reads_the_user_as_choosing_does() -> None:
    prompts = prompts_of(tiny_mllm(), tasks=TASKS)
    examples = draw_examples(prompts, RETRIEVAL, 0)
    for example in examples["foresee"]:
        assert example.state is not None
        assert soft_id(SoftKind.USER) in example.shared.ids
    assert all(example.state is None and min(example.shared.ids) > LAST for example in examples["recognise"])


@pytest.mark.parametrize("unused", [UNUSED, None], ids=["some", "nobody"])
def test_no_task_asks_about_users_that_are_left_out(unused: np.ndarray | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their states come from sequence models that saw them, so they know their targets."""
    asked: dict[str, np.ndarray] = {}
    for name in ("training_tasks", "training_samples"):
        source = import_module(f"mmsrarec.recommend.training.{name}")
        sample = source.sample_queries

        def listening(*arguments, sample=sample, name=name, **named):
            queries = sample(*arguments, **named)
            asked[f"{name} {len(asked)}"] = queries.user
            return queries

        monkeypatch.setattr(source, "sample_queries", listening)
    prompts = prompts_of(tiny_mllm(), tasks={"foresee": 2, "profile": 2})
    draw_training_plan(prompts, RETRIEVAL, prompts.settings, 0, unused)
    assert [name.split()[0] for name in asked] == ["training_samples", "training_tasks", "training_tasks"]
    assert [bool(UNUSED[users].any()) for users in asked.values()] == [unused is None] * 3
