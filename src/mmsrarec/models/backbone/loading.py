"""Load the parts of a model, by name or folder: one that reads pictures where there is one, else one of texts alone."""

import hashlib

import torch
from torch import nn
from transformers import (
    MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING,
    AutoConfig,
    AutoImageProcessor,
    AutoModelForCausalLM,
    AutoModelForImageTextToText,
    AutoProcessor,
    AutoTokenizer,
)


def load_parts(folder: str, dtype: torch.dtype) -> tuple:
    """Model, tokenizer and picture processor, which is None for a model of texts alone. Raises what transformers raises
    (OSError, ValueError) where they cannot be had."""
    if type(AutoConfig.from_pretrained(folder)) in MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING:
        return AutoModelForImageTextToText.from_pretrained(folder, dtype=dtype), *load_processors(folder)
    return AutoModelForCausalLM.from_pretrained(folder, dtype=dtype), AutoTokenizer.from_pretrained(folder), None


def load_processors(folder: str) -> tuple:
    """Tokenizer and picture processor, by themselves where the whole processor wants torchvision for videos, or tokens
    that the tokenizer does not name."""
    try:
        processor = AutoProcessor.from_pretrained(folder)
    except (ImportError, AttributeError, ValueError):
        return AutoTokenizer.from_pretrained(folder), AutoImageProcessor.from_pretrained(folder)
    if processor.tokenizer.chat_template is None:  # older folders keep it with the processor only
        processor.tokenizer.chat_template = processor.chat_template
    return processor.tokenizer, processor.image_processor


def config_hash(model: nn.Module) -> str:
    """Eight hex digits that stand for the weights: the configuration and a sample of every tensor."""
    digest = hashlib.sha256(model.config.to_json_string().encode())  # pyright: ignore
    for name, value in model.state_dict().items():
        digest.update(f"{name}{tuple(value.shape)}{value.flatten()[:4].tolist()}".encode())
    return digest.hexdigest()[:8]
