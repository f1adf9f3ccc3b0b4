"""Weights of a few bits: loaded by name where the package is there, trained beside, and never merged into."""

import importlib.util
from pathlib import Path

import pytest
import torch
from tiny import tiny_mllm
from torch import nn
from world import save_tiny

from mmsrarec.errors import MissingDependencyError, MmsrarecError
from mmsrarec.models.backbone.adapter import LowRank, Trainer, add_adapter, merge_adapter
from mmsrarec.models.backbone.mllm import Mllm
from mmsrarec.models.backbone.quick_layers import quickened
from mmsrarec.models.backbone.settings import ModelSettings
from mmsrarec.models.quantization import is_quantized, quantization_config, unquantized_parts
from mmsrarec.models.sequence.language_body import LanguageBody

NAMES = ("torchao-int8", "bitsandbytes-8bit", "bitsandbytes-4bit")
FAR = {"torchao-int8": 0.05, "bitsandbytes-8bit": 0.1, "bitsandbytes-4bit": 0.8}
"""How far logits may lie from those of whole weights, as a share of the largest; random weights are the hardest."""
IDS = torch.tensor([[5, 6, 7, 8, 9, 20]])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny(tmp_path_factory.mktemp("model"))


def load(folder: Path, name: str | None) -> Mllm:
    if name is not None and importlib.util.find_spec(name.partition("-")[0]) is None:
        pytest.skip(f"{name} needs a package that is not installed")
    return Mllm.load(ModelSettings.model_validate({"name": str(folder), "dtype": "float32", "quantization": name}))


@pytest.mark.parametrize("name", NAMES)
def test_a_missing_package_is_one_line(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mmsrarec.models.quantization.importlib.util.find_spec", lambda package: None)
    with pytest.raises(MissingDependencyError, match=rf"{name}.* needs the package .*: pip install 'mmsrarec\[quant"):
        quantization_config(name, [], torch.float32)  # pyright: ignore[reportArgumentType]
    with pytest.raises(MmsrarecError, match="needs the package"):
        Mllm.load(ModelSettings.model_validate({"name": str(folder), "dtype": "float32", "quantization": name}))


def test_only_the_layers_of_the_language_model_are_quantised() -> None:
    model = tiny_mllm().model
    kept = set(unquantized_parts(model))
    linear = {name for name, module in model.named_modules() if isinstance(module, nn.Linear)}
    assert linear - kept == {name for name in linear if "language_model.layers." in name}
    assert {"lm_head", "model.multi_modal_projector.linear_1"} <= kept


def test_without_one_the_settings_are_what_they_were() -> None:
    assert "quantization" not in ModelSettings().model_dump()
    assert ModelSettings(quantization="torchao-int8").model_dump()["quantization"] == "torchao-int8"


@pytest.mark.parametrize("name", NAMES)
def test_a_quantised_model_answers_nearly_as_the_whole_one(name: str, folder: Path) -> None:
    whole, small = load(folder, None), load(folder, name)
    assert small.is_quantized
    assert not whole.is_quantized
    assert small.fingerprint.endswith(f"-{name}")
    assert small.fingerprint == load(folder, name).fingerprint
    for part, module in small.model.named_modules():
        if isinstance(module, nn.Linear):
            assert is_quantized(module.weight) == ("language_model.layers." in part), part
    with torch.no_grad():
        near, far = (mllm.model(input_ids=IDS).logits for mllm in (whole, small))
    assert float((near - far).abs().max() / near.abs().max()) < FAR[name]
    assert len(small.generate([[5, 6, 7]], [None], 3)) == 1


@pytest.mark.parametrize("name", NAMES)
def test_an_adapter_is_trained_beside_the_weights_and_stays_there(name: str, folder: Path, tmp_path: Path) -> None:
    small = load(folder, name)
    peft = add_adapter(small, 2, 0, seed=0)
    trainer, losses = Trainer(peft, 3e-2, 6), []
    with quickened(peft):
        for _ in range(6):
            loss = peft(input_ids=IDS, labels=IDS).loss
            losses.append(float(loss.detach()))
            trainer.step(loss)
    assert losses[-1] < losses[0] - 0.1
    with torch.no_grad():
        wanted = peft(input_ids=IDS).logits
    peft.save_pretrained(str(tmp_path))
    placed = merge_adapter(load(folder, name), tmp_path)
    assert placed.is_quantized
    assert any(isinstance(module, LowRank) for module in placed.model.modules())
    with torch.no_grad():
        torch.testing.assert_close(placed.model(input_ids=IDS).logits, wanted, atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("name", NAMES)
def test_a_sequence_model_cannot_start_from_it(name: str, folder: Path) -> None:
    with pytest.raises(MmsrarecError, match=r"leave model\.quantization out"):
        LanguageBody.of(load(folder, name), 1)
