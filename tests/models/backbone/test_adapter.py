"""The adapter sits where it was told, changes what it should, and a stopped trainer goes on exactly where it was."""

from pathlib import Path

import pytest
import torch
from tiny import tiny_mllm
from torch import Tensor

from mmsrarec.errors import MmsrarecError
from mmsrarec.models.backbone.adapter import Trainer, adapter_hash, add_adapter, load_adapter, trainable
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
