"""The adapter sits where it was told, changes what it should, and a stopped trainer goes on exactly where it was."""

from pathlib import Path

import pytest
import torch
from tiny import tiny_mllm
from torch import Tensor

from mmsrarec.errors import MmsrarecError
from mmsrarec.models.backbone.adapter import (
    Trainer,
    adapter_hash,
    add_adapter,
    learning_rate_share,
    load_adapter,
    trainable,
)
from mmsrarec.models.backbone.mllm import Mllm

IDS = torch.tensor([[0, 40, 50, 60, 70]])


def answer(mllm: Mllm) -> Tensor:
    return mllm.decoder(inputs_embeds=mllm.embed(IDS, None)).last_hidden_state[:, -1]


def loss_at(mllm: Mllm, step: int) -> Tensor:
    return ((answer(mllm) - torch.sin(torch.arange(64.0) + step)) ** 2).mean()


def test_only_the_upper_layers_of_the_language_model_train() -> None:
    peft = add_adapter(tiny_mllm(), rank=2, first_layer=1, seed=0)
    names = trainable(peft)
    assert len(names) == 7 * 2  # a pair for each linear map of one layer
    assert all("language_model.layers.1." in name and "lora_" in name for name in names)
    assert len(trainable(add_adapter(tiny_mllm(), rank=2, first_layer=0, seed=0))) == 2 * 7 * 2


def test_a_layer_that_is_not_there_is_said() -> None:
    with pytest.raises(MmsrarecError, match="first_layer is 2, but the model has 2 layers"):
        add_adapter(tiny_mllm(), rank=2, first_layer=2, seed=0)


def test_the_seed_decides_the_start_and_leaves_the_global_one_alone() -> None:
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    hashes = [adapter_hash(add_adapter(tiny_mllm(), 2, 0, seed)) for seed in (1, 1, 2)]
    assert hashes[0] == hashes[1] != hashes[2]
    assert torch.equal(torch.rand(1), expected)


def test_a_fresh_adapter_changes_nothing_and_a_trained_one_does(tmp_path: Path) -> None:
    mllm = tiny_mllm()
    plain = answer(mllm)
    peft = add_adapter(mllm, 2, 0, seed=0)
    assert torch.equal(answer(mllm), plain)
    before, trainer = adapter_hash(peft), Trainer(peft, 1e-2, 3)
    for step in range(3):
        trainer.step(loss_at(mllm, step))
    assert adapter_hash(peft) != before
    trained = answer(mllm)
    assert not torch.allclose(trained, plain, atol=1e-4)
    peft.save_pretrained(str(tmp_path))
    other = tiny_mllm()
    loaded = load_adapter(other, tmp_path)
    assert torch.equal(answer(other), trained)
    assert not trainable(loaded)


def test_an_adapter_that_does_nothing_is_refused(tmp_path: Path) -> None:
    add_adapter(tiny_mllm(), 2, 0, seed=0).save_pretrained(str(tmp_path))
    with pytest.raises(MmsrarecError, match="changes nothing"):
        load_adapter(tiny_mllm(), tmp_path)


@pytest.mark.parametrize("stop", [1, 4, 9])
def test_a_resumed_trainer_is_bit_equal(stop: int, tmp_path: Path) -> None:
    def start() -> tuple[Mllm, Trainer]:
        mllm = tiny_mllm()
        return mllm, Trainer(add_adapter(mllm, 2, 0, seed=0), 1e-2, 10)

    mllm, whole = start()
    for step in range(10):
        whole.step(loss_at(mllm, step))
    first, half = start()
    for step in range(stop):
        half.step(loss_at(first, step))
    half.save(tmp_path / "state")
    second, rest = start()
    rest.resume(tmp_path / "state")
    assert rest.done == stop
    assert rest.schedule.get_last_lr() == half.schedule.get_last_lr()
    for step in range(stop, 10):
        rest.step(loss_at(second, step))
    assert all(torch.equal(weight, whole.weights[name]) for name, weight in rest.weights.items())
    assert not (tmp_path / "state.tmp").exists()


def test_small_steps_are_not_rounded_away_in_bfloat16() -> None:
    module = torch.nn.Linear(1, 1, bias=False).to(torch.bfloat16)
    torch.nn.init.ones_(module.weight)
    trainer = Trainer(module, 1e-4, 200)
    for _ in range(200):
        trainer.step(module(torch.ones(1, 1, dtype=torch.bfloat16)).sum())
    assert module.weight.item() < 1  # a step of 1e-4 alone is lost beside 1 in bfloat16
    assert module.weight.dtype == torch.bfloat16


@pytest.mark.parametrize("stop", [2, 5])
def test_a_module_beside_the_model_is_trained_and_resumed_with_it(stop: int, tmp_path: Path) -> None:
    def start() -> tuple[Mllm, torch.nn.Linear, Trainer]:
        mllm, beside = tiny_mllm(), torch.nn.Linear(64, 64)
        torch.nn.init.eye_(beside.weight)
        torch.nn.init.zeros_(beside.bias)
        return mllm, beside, Trainer(add_adapter(mllm, 2, 0, seed=0), 1e-2, 6, beside, 1e-3)

    def step(mllm: Mllm, beside: torch.nn.Linear, number: int) -> Tensor:
        return ((beside(answer(mllm)) - torch.sin(torch.arange(64.0) + number)) ** 2).mean()

    mllm, beside, whole = start()
    assert {name for name in whole.weights if name.startswith("beside.")} == {"beside.weight", "beside.bias"}
    for number in range(6):
        whole.step(step(mllm, beside, number))
    first, first_beside, half = start()
    for number in range(stop):
        half.step(step(first, first_beside, number))
    half.save(tmp_path / "state")
    second, second_beside, rest = start()
    rest.resume(tmp_path / "state")
    assert torch.equal(second_beside.weight, first_beside.weight)
    assert rest.schedule.get_last_lr() == half.schedule.get_last_lr()
    for number in range(stop, 6):
        rest.step(step(second, second_beside, number))
    assert all(torch.equal(weight, whole.weights[name]) for name, weight in rest.weights.items())
    assert not torch.equal(beside.weight, torch.eye(64))


def test_a_module_beside_has_a_learning_rate_of_its_own() -> None:
    def rates(beside_lr: float | None) -> list[float]:
        peft, beside = add_adapter(tiny_mllm(), 2, 1, seed=0), torch.nn.Linear(2, 2)
        groups = Trainer(peft, 1e-2, 20, beside, beside_lr).optimizer.param_groups
        return [group["initial_lr"] for group in groups]

    assert rates(1e-3) == [1e-2, 1e-3]
    assert rates(None) == [1e-2, 1e-2]
    assert len(Trainer(add_adapter(tiny_mllm(), 2, 1, seed=0), 1e-2, 20).optimizer.param_groups) == 1


@pytest.mark.parametrize("steps", [1, 2, 19, 40, 1000])
def test_the_learning_rate_rises_once_and_falls_to_the_end(steps: int) -> None:
    shares = [learning_rate_share(step, steps) for step in range(steps + 1)]
    peak = max(steps // 20, 1)
    assert shares[peak] == max(shares) == pytest.approx(1)
    assert shares[: peak + 1] == sorted(shares[: peak + 1])
    assert shares[peak:] == sorted(shares[peak:], reverse=True)
    assert shares[0] == pytest.approx(1 / peak)
    assert learning_rate_share(steps, steps) == pytest.approx(1 / 50 if steps > 1 else 1)
    assert min(shares) > 0
