"""Loads the parts of a model by name or folder: a model that reads pictures if it can, else one of texts alone.

Importing transformers takes seconds. It is imported when a model is loaded, as a run may answer without one.
"""

import hashlib
from typing import Any, cast

import torch
from torch import nn

from mmsrarec.models.loading_lock import LOADING
from mmsrarec.models.untyped import to_list


def load_parts(folder: str, dtype: torch.dtype) -> tuple[nn.Module, Any, Any]:
    """Load a model with its tokenizer and its image processor.

    Args:
        folder: A folder, or a name that transformers can resolve.
        dtype: The number format of the weights.

    Returns:
        The model, the tokenizer and the image processor; the last is None for a model of texts alone.

    Raises:
        OSError: The files are missing.
        ValueError: The files do not describe a model of these kinds.
    """
    from transformers import MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING
    from transformers.utils import logging

    logging.disable_progress_bar()  # bars about loading a file would hide the package's own
    if type(_load("AutoConfig", folder)) in MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING:
        return _load("AutoModelForImageTextToText", folder, dtype=dtype), *load_processors(folder)
    return _load("AutoModelForCausalLM", folder, dtype=dtype), _load("AutoTokenizer", folder), None


def load_processors(folder: str) -> tuple[Any, Any]:
    """Load the tokenizer and the image processor of a model.

    They are loaded one by one where the whole processor needs torchvision for videos, or tokens that the tokenizer
    does not name.
    """
    try:
        processor = _load("AutoProcessor", folder)
    except (ImportError, AttributeError, ValueError):
        return _load("AutoTokenizer", folder), _load("AutoImageProcessor", folder)
    if processor.tokenizer.chat_template is None:  # older folders keep it only with the processor
        processor.tokenizer.chat_template = processor.chat_template
    return processor.tokenizer, processor.image_processor


def _load(auto_class: str, folder: str, **options: Any) -> Any:
    """`from_pretrained` of one of transformers' auto classes, which have no types."""
    import transformers

    with LOADING:
        return getattr(transformers, auto_class).from_pretrained(folder, **options)


def config_hash(model: nn.Module) -> str:
    """Eight hex digits that stand for the weights: a hash of the configuration and of a sample of every tensor."""
    digest = hashlib.sha256(cast(Any, model).config.to_json_string().encode())
    state: dict[str, torch.Tensor] = model.state_dict()
    for name, value in state.items():
        digest.update(f"{name}{tuple(value.shape)}{to_list(value.flatten()[:4])}".encode())
    return digest.hexdigest()[:8]
