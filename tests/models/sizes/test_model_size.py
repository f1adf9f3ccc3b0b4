"""A size that is counted on an empty shape is the size of the model with its weights."""

import json
import tomllib
from pathlib import Path

import pytest
from architectures import ARCHITECTURES, TEXT_ONLY, tiny_of
from safetensors import safe_open

from mmsrarec.core.cache import find_cached
from mmsrarec.errors import MmsrarecError
from mmsrarec.models import CONVERTED
from mmsrarec.models.backbone.adapter import add_adapter, trainable
from mmsrarec.models.sizes.model_size import PUBLISHED, count, model_size, published_names, size_of

ENTRIES = tomllib.loads(PUBLISHED.read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", [*ARCHITECTURES, *TEXT_ONLY])
def test_an_empty_shape_has_as_many_weights_as_the_model(name: str) -> None:
    mllm = tiny_of(name)
    size = size_of(mllm.model.config, name)
    assert size == count(mllm.model, name)
    assert size.parameters == sum(weight.numel() for weight in mllm.model.parameters())
    layers = mllm.decoder.layers
    maps = [weight for weight in layers[0].parameters() if weight.ndim == 2]
    assert size.layer_weights == sum(weight.numel() for weight in maps)
    assert (size.layers, size.hidden) == (len(layers), mllm.hidden_size)
    assert (size.vision is not None) == mllm.sees


@pytest.mark.parametrize("name", ["qwen2_5_vl", "gemma3", "llama"])
def test_the_weights_of_an_adapter_are_those_that_peft_makes(name: str) -> None:
    mllm = tiny_of(name)
    size = count(mllm.model, name)
    for rank, first in ((3, 0), (2, 1)):
        made = trainable(add_adapter(tiny_of(name), rank, first, seed=0))
        assert size.adapter_parameters(rank, first) == sum(weight.numel() for weight in made.values())


@pytest.mark.parametrize("name", ["smolvlm", "llama"])
def test_a_shortened_model_has_the_weights_that_stay(name: str) -> None:
    mllm = tiny_of(name)
    size = count(mllm.model, name)
    mllm.shorten(1)
    assert size.shortened(1) == count(mllm.model, name)
    assert size.shortened(None) == size.shortened(99) == size


@pytest.mark.parametrize("name", [name for name in ENTRIES if "stated" in ENTRIES[name]])
def test_published_models_have_the_parameters_that_are_stated(name: str) -> None:
    assert model_size(name).parameters / 1e9 == pytest.approx(ENTRIES[name]["stated"], rel=0.01)


def test_each_published_model_says_where_its_shapes_are_from_and_can_be_counted() -> None:
    assert all(entry["source"] for entry in ENTRIES.values())
    for name in published_names():
        size = model_size(name)
        billions = float(name.rpartition("-")[2].rstrip("BM")) / (1000 if name.endswith("M") else 1)
        assert billions * 0.85 < size.parameters / 1e9 < billions * 1.85, name  # names leave the vision encoder out
        assert size.vision is not None
        assert size.vision.parameters < size.parameters
    assert model_size("Qwen/Qwen3-VL-4B") == model_size("Qwen3-VL-4B").__class__(
        **{**model_size("Qwen3-VL-4B").__dict__, "name": "Qwen/Qwen3-VL-4B"}
    )


def test_the_embedded_model_on_disk_has_the_size_that_is_planned() -> None:
    folder = next((path for path in _converted() if (path / "model.safetensors").is_file()), None)
    if folder is None:
        pytest.skip("the embedded model was not converted on this machine")
    with safe_open(folder / "model.safetensors", framework="pt") as tensors:
        slices = {name: tensors.get_slice(name).get_shape() for name in tensors.keys()}  # noqa: SIM118
    stored = sum(
        _product(shape) for name, shape in slices.items() if "running_" not in name and "num_batches" not in name
    )
    assert model_size("embedded").parameters == stored
    assert model_size(str(folder)).parameters == stored
    assert model_size("embedded-small").layers == 30


def _converted() -> list[Path]:
    found = find_cached("precision.json")
    return sorted(found.parent.glob(f"{CONVERTED}*")) if found else []


def _product(shape: list[int]) -> int:
    product = 1
    for length in shape:
        product *= length
    return product


def test_a_model_that_is_not_known_is_one_line_that_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(MmsrarecError, match=r"name a folder that holds its config.json, or one of embedded, SmolVLM"):
        model_size("nobody/knows-this")
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "no such thing"}))
    with pytest.raises(MmsrarecError, match="describes no model"):
        model_size(str(tmp_path))
