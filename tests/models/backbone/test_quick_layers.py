"""The layers of training compute what the libraries' layers compute, outputs and gradients alike."""

from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from tiny import tiny_mllm
from torch import Tensor, nn
from transformers.models.llama.modeling_llama import LlamaRMSNorm
from transformers.models.qwen3.modeling_qwen3 import Qwen3RMSNorm

from mmsrarec.models.backbone.adapter import Trainer, add_adapter, trainable, without_adapter
from mmsrarec.models.backbone.mllm import Mllm
from mmsrarec.models.backbone.quick_layers import low_rank_product, quicken, restore, root_mean_square_norm

IDS = torch.tensor([[0, 40, 50, 60, 70], [3, 9, 2, 8, 11]])


class Maps(nn.Module):
    """Two linear maps, one of them with a bias."""

    def __init__(self) -> None:
        super().__init__()
        self.plain, self.biased = nn.Linear(12, 7, bias=False), nn.Linear(7, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.biased(torch.tanh(self.plain(x)))


def drawn(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).to(dtype)


def adapted(dtype: torch.dtype = torch.float32, **config: Any) -> Any:
    """The two maps with an adapter that changes something."""
    torch.manual_seed(0)
    settings = {"r": 3, "lora_alpha": 6, "target_modules": ["plain", "biased"], **config}
    peft = get_peft_model(Maps().to(dtype), LoraConfig(**settings), autocast_adapter_dtype=False)
    for number, (name, weight) in enumerate(trainable(peft).items()):
        if "lora_B" in name:
            weight.data = drawn(*weight.shape, seed=number, dtype=dtype)
    return peft


def outcome(peft: Any, x: Tensor) -> dict[str, Tensor]:
    """The output, and the gradients of the input and of all trained weights."""
    x = x.clone().requires_grad_(True)
    out = peft(x)
    (out.float() * torch.arange(out.numel()).view(out.shape).cos()).sum().backward()
    assert x.grad is not None
    grads = {name: weight.grad.clone() for name, weight in trainable(peft).items() if weight.grad is not None}
    peft.zero_grad()
    return {"out": out.detach(), "x": x.grad, **grads}


def forwards(peft: nn.Module) -> set[str]:
    """The layers whose computation was exchanged."""
    return {name for name, module in peft.named_modules() if "forward" in vars(module)}


@pytest.mark.parametrize("shape", [(12,), (4, 12), (2, 3, 12)])
def test_a_low_rank_change_equals_that_of_peft(shape: tuple[int, ...]) -> None:
    peft, x = adapted(), drawn(*shape, seed=1)
    expected = outcome(peft, x)
    quicken(peft)
    assert {name.rpartition(".")[2] for name in forwards(peft)} == {"plain"}
    found = outcome(peft, x)
    assert found.keys() == expected.keys()
    assert len(found) == 2 + 4
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, atol=1e-5, rtol=1e-5)
    assert max(float(value.abs().max()) for value in expected.values()) > 0.1


def test_in_bfloat16_a_change_is_no_further_from_float64_than_that_of_peft() -> None:
    weight, down, up = (drawn(*shape, seed=n) for n, shape in enumerate([(48, 64), (4, 64), (48, 4)]))
    x = drawn(200, 64, seed=9)
    exact = x.double() @ weight.double().T + 2 * (x.double() @ down.double().T) @ up.double().T
    low = [tensor.to(torch.bfloat16) for tensor in (x, weight, down, up)]
    found = low_rank_product(*low, 2.0).double()
    stepwise = (low[0] @ low[1].T + (low[0] @ low[2].T) @ low[3].T * 2).double()
    assert (found - exact).abs().mean() < 1.1 * (stepwise - exact).abs().mean()
    assert (found - exact).abs().mean() < 0.02 * exact.abs().mean()


@pytest.mark.parametrize("norm", [LlamaRMSNorm, Qwen3RMSNorm])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_norm_equals_that_of_transformers(norm: type[nn.Module], dtype: torch.dtype) -> None:
    library: Any = norm(48, eps=1e-5).to(dtype).requires_grad_(False)
    library.weight.copy_(drawn(48, seed=2, dtype=dtype))
    grad, found = drawn(3, 5, 48, seed=3, dtype=dtype), []
    for compute in (library, lambda x: root_mean_square_norm(x, library.weight, library.variance_epsilon)):
        x = (4 * drawn(3, 5, 48, seed=4, dtype=dtype)).requires_grad_(True)
        out = compute(x)
        out.backward(grad)
        assert x.grad is not None
        found.append((out.detach(), x.grad))
    bound = 1e-5 if dtype == torch.float32 else 4e-2  # bfloat16 rounds to 2^-8 at each of a few steps
    for library_value, value in zip(*found, strict=True):
        assert value.dtype == dtype
        torch.testing.assert_close(value, library_value, atol=bound, rtol=bound)


def test_gradients_are_those_of_finite_differences() -> None:
    x, weight, down, up = (
        drawn(*shape, seed=n, dtype=torch.float64) for n, shape in enumerate([(3, 6), (4, 6), (2, 6), (4, 2)])
    )
    trained = [tensor.requires_grad_(True) for tensor in (x, down, up)]
    assert torch.autograd.gradcheck(lambda x, down, up: low_rank_product(x, weight, down, up, 0.7), trained)


@pytest.mark.parametrize(
    "config", [{"lora_dropout": 0.5}, {"use_dora": True}, {"lora_bias": True, "target_modules": ["biased"]}]
)
def test_layers_that_do_more_stay_as_they_are(config: dict[str, Any]) -> None:
    peft = adapted(**config)
    quicken(peft)
    assert not forwards(peft)


def test_of_two_adapters_none_is_exchanged() -> None:
    peft = adapted()
    peft.add_adapter("other", LoraConfig(r=2, target_modules=["plain"]))
    quicken(peft)
    assert not forwards(peft)


def test_a_norm_that_is_trained_stays_as_it_is() -> None:
    mllm = tiny_mllm()
    peft = add_adapter(mllm, rank=2, first_layer=1, seed=0)
    for name, weight in mllm.decoder.named_parameters():
        if name.endswith("layers.1.input_layernorm.weight"):
            weight.requires_grad_(True)
    quicken(peft)
    norms = {name.rpartition("layers.")[2] for name in forwards(peft) if name.endswith("norm")}
    assert "1.post_attention_layernorm" in norms
    assert "0.input_layernorm" in norms
    assert "1.input_layernorm" not in norms


def state(mllm: Mllm) -> Tensor:
    return mllm.decoder(inputs_embeds=mllm.embed(IDS, None)).last_hidden_state[:, -1]


def test_a_disabled_adapter_changes_nothing() -> None:
    mllm = tiny_mllm()
    plain = state(mllm)
    peft = add_adapter(mllm, rank=2, first_layer=0, seed=0)
    for name, weight in trainable(peft).items():
        if "lora_B" in name:
            nn.init.normal_(weight, std=0.1, generator=torch.Generator().manual_seed(1))
    quicken(peft)
    changed = state(mllm)
    with without_adapter(mllm):
        torch.testing.assert_close(state(mllm), plain, atol=1e-5, rtol=1e-5)
    assert torch.equal(state(mllm), changed)
    assert (changed - plain).abs().max() > 1e-2


def test_restored_layers_are_those_of_the_libraries() -> None:
    mllm = tiny_mllm()
    peft = add_adapter(mllm, rank=2, first_layer=0, seed=0)
    plain = state(mllm)
    quicken(peft)
    assert forwards(peft)
    restore(peft)
    assert not forwards(peft)
    assert torch.equal(state(mllm), plain)


def test_a_training_comes_to_the_same_weights() -> None:
    found: list[dict[str, Tensor]] = []
    for quick in (False, True):
        mllm = tiny_mllm()
        peft = add_adapter(mllm, rank=3, first_layer=0, seed=0)
        if quick:
            quicken(peft)
            assert len(forwards(peft)) == 2 * 7 + 5  # the maps of two layers, their norms, and the last norm
        trainer = Trainer(peft, 1e-2, 6)
        for step in range(6):
            trainer.step(((state(mllm) - torch.sin(torch.arange(64.0) + step)) ** 2).mean())
        found.append({name: weight.detach().clone() for name, weight in trainer.weights.items()})
    plain, quickened = found
    assert plain.keys() == quickened.keys()
    assert max(float(weight.abs().max()) for name, weight in plain.items() if "lora_B" in name) > 0.01
    for name, weight in plain.items():
        torch.testing.assert_close(quickened[name], weight, atol=1e-4, rtol=1e-3)
