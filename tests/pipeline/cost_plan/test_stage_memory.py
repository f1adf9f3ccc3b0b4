"""Bytes are those that autograd and safetensors would count."""

from dataclasses import replace

import pytest
import torch
from architectures import tiny_of
from torch import Tensor

from mmsrarec.models.backbone.adapter import Trainer, add_adapter
from mmsrarec.models.backbone.quick_layers import quickened
from mmsrarec.models.backbone.settings import Quantization
from mmsrarec.models.sizes.model_size import count, model_size
from mmsrarec.pipeline.cost_plan import stage_memory

RANK, TOKENS = 4, 256


def kept_bytes(layers: int) -> int:
    """Bytes that autograd keeps of a forward pass with LoRA on the upper layers, without weights."""
    mllm = tiny_of("llama")
    peft = add_adapter(mllm, RANK, 2 - layers, seed=0)
    weights = {weight.untyped_storage().data_ptr() for weight in peft.parameters()}
    kept: list[Tensor] = []  # kept alive, so that no storage is used twice
    embedded = mllm.embed(torch.zeros(1, TOKENS, dtype=torch.long), None)
    with quickened(peft), torch.autograd.graph.saved_tensors_hooks(lambda x: kept.append(x) or x, lambda x: x):
        mllm.decoder(inputs_embeds=embedded, use_cache=False)
    storages = {x.untyped_storage().data_ptr(): x.untyped_storage().nbytes() for x in kept}
    return sum(size for place, size in storages.items() if place not in weights)


def test_a_layer_in_training_keeps_what_autograd_keeps() -> None:
    size = count(tiny_of("llama").model, "llama")
    measured = (kept_bytes(2) - kept_bytes(1)) / TOKENS / 4
    assert stage_memory.kept_numbers(size, RANK) == pytest.approx(measured, rel=0.1)


def test_the_optimizer_has_its_four_copies_in_float32() -> None:
    mllm = tiny_of("llama")
    trainer = Trainer(add_adapter(mllm, RANK, 1, seed=0), 1e-3, 5)
    states = mllm.decoder(inputs_embeds=mllm.embed(torch.zeros(1, 9, dtype=torch.long), None)).last_hidden_state
    states.sum().backward()
    grads = sum(weight.grad.numel() * 4 for weight in trainer.weights.values() if weight.grad is not None)
    trainer.step(None)
    copies = sum(master.numel() * 4 for master in trainer.masters.values())
    averages = sum(x.numel() * 4 for state in trainer.optimizer.state.values() for x in state.values() if x.ndim)
    planned = stage_memory.training(count(tiny_of("llama").model, "llama"), RANK, 1, 100, 4)["adapter and optimizer"]
    assert sum(weight.numel() * 4 for weight in trainer.weights.values()) + copies + grads + averages == planned


def test_scoring_takes_about_as_much_as_was_measured() -> None:
    for layers, measured_mb in ((30, 1035), (8, 953)):  # docs/results/cost.md: up to 200 candidates
        size = model_size("embedded")
        tokens = 209 + 20 * 200
        parts = stage_memory.weights(size, 2) | stage_memory.reading(size.shortened(layers), tokens, 2)
        assert sum(parts.values()) / 1e6 == pytest.approx(measured_mb, rel=0.25)


def test_a_large_vocabulary_makes_logits_large_and_a_long_answer_the_cache() -> None:
    small, large = model_size("embedded"), model_size("Gemma-3-4B")
    assert stage_memory.cache(large, 64, 100, 2)["logits"] > 5 * stage_memory.cache(small, 64, 100, 2)["logits"]
    short, long = (stage_memory.cache(small, 64, length, 2) for length in (100, 200))
    assert long["keys and values"] == 2 * short["keys and values"]
    assert long["logits"] == short["logits"]
    assert stage_memory.neighbours(1000, 64)["neighbour index"] == 1000 * 280
    assert stage_memory.sequence_model(10**6, 64, 512, 4)["item table"] == 64e6 * 16


@pytest.mark.parametrize("name", ["torchao-int8", "bitsandbytes-8bit", "bitsandbytes-4bit"])
def test_weights_of_few_bits_are_those_of_the_layers_alone(name: Quantization) -> None:
    size = model_size("Qwen3-VL-4B")
    whole, few = (stage_memory.weights(size, 2, each)["weights"] for each in (None, name))
    linear = size.layer_weights * size.layers
    bits = 8 * (few - 2 * (size.parameters - linear)) / linear
    assert bits == pytest.approx(4.5 if name.endswith("4bit") else 8)
    assert whole == 2 * size.parameters


def test_features_for_lower_layers_go_along_with_the_states() -> None:
    size = model_size("Qwen3-VL-4B")
    assert size.vision is not None
    without = replace(size, vision=replace(size.vision, deepstack=0))
    found = [stage_memory.reading(each, 10, 2)["activations"] for each in (size, without)]
    assert found[0] - found[1] == 10 * 3 * size.hidden * 2
