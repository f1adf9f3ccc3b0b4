"""Loads the parts of a model by name or folder: a model that reads pictures if it can, else one of texts alone.

Importing transformers takes seconds. It is imported when a model is loaded, as a run may answer without one.
"""

import hashlib
from typing import Any, cast

import torch
from torch import nn

from mmsrarec.models.backbone.settings import Quantization
from mmsrarec.models.loading_lock import LOADING
from mmsrarec.models.quantization import quantization_config, unquantized_parts
from mmsrarec.models.untyped import to_list
from mmsrarec.models.vision.native_processor import make_processor, processor_settings


def load_parts(
    folder: str, dtype: torch.dtype, quantization: Quantization | None = None, device: str = "cpu"
) -> tuple[nn.Module, Any, Any, Any]:
    """Load a model with its tokenizer, its image processor, and the processor that has both.

    Args:
        folder: A folder, or a name that transformers can resolve.
        dtype: The number format of the weights.
        quantization: In how few bits the weights of the language model's layers are kept; None keeps them whole.
        device: A torch device, on which weights are quantised.

    Returns:
        The model, the tokenizer, the image processor and the processor. The last two are None for a model of texts
        alone, and the last for a model that has none.

    Raises:
        OSError: The files are missing.
        ValueError: The files do not describe a model of these kinds.
        MissingDependencyError: The package of the quantisation is not installed.
    """
    with LOADING:
        from transformers import MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING
        from transformers.utils import logging

    logging.disable_progress_bar()  # bars about loading a file would hide the package's own
    config, options = _load("AutoConfig", folder), dict[str, Any](dtype=dtype)
    sees = type(config) in MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING
    auto_class = "AutoModelForImageTextToText" if sees else "AutoModelForCausalLM"
    if quantization is not None:
        whole_parts = unquantized_parts(_empty(auto_class, config))
        options |= {
            "quantization_config": quantization_config(quantization, whole_parts, dtype),
            "device_map": {"": device},
        }
    model = _load(auto_class, folder, **options)
    return (model, *load_processors(folder, config)) if sees else (model, _load("AutoTokenizer", folder), None, None)


def _empty(auto_class: str, config: Any) -> nn.Module:
    """The model of a configuration as a shape without weights."""
    with LOADING, torch.device("meta"):
        import transformers

        return getattr(transformers, auto_class).from_config(config)


def load_processors(folder: str, config: Any) -> tuple[Any, Any, Any]:
    """Load the tokenizer and the image processor of a model, and put its processor of both together.

    Args:
        folder: A folder, or a name that transformers can resolve.
        config: The configuration of the model.

    Returns:
        The three; the last is None for a model that has none.
    """
    tokenizer, image_processor = _load("AutoTokenizer", folder), _load("AutoImageProcessor", folder)
    settings = processor_settings(config, folder)
    if tokenizer.chat_template is None:  # older folders keep it only with the processor
        tokenizer.chat_template = settings.get("chat_template")
    return tokenizer, image_processor, make_processor(config, tokenizer, image_processor, settings)


def _load(auto_class: str, folder: str, **options: Any) -> Any:
    """`from_pretrained` of one of transformers' auto classes, which have no types."""
    with LOADING:
        import transformers

        return getattr(transformers, auto_class).from_pretrained(folder, **options)


def config_hash(model: nn.Module) -> str:
    """Eight hex digits that stand for the weights: a hash of the configuration and of a sample of every tensor."""
    digest = hashlib.sha256(cast(Any, model).config.to_json_string().encode())
    state: dict[str, torch.Tensor] = model.state_dict()
    for name, stored in state.items():
        value = stored.dequantize() if type(stored).__module__.startswith("torchao") else stored
        digest.update(f"{name}{tuple(value.shape)}{to_list(value.flatten()[:4])}".encode())
    return digest.hexdigest()[:8]
