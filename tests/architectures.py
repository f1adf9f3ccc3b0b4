"""Tiny models, random weights, of the very architectures that are tuned on a GPU, built without torchvision."""

from collections.abc import Callable

import torch
from tiny import CHATML, tiny_tokenizer
from torch import nn
from transformers import (
    LlamaConfig,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen2VLImageProcessorPil,
    Qwen3VLConfig,
    Qwen3VLForConditionalGeneration,
    SmolVLMConfig,
    SmolVLMForConditionalGeneration,
    SmolVLMImageProcessorPil,
)

from mmsrarec.models.mllm import Mllm

QWEN = ("<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>")
QWEN_TEMPLATE = "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n" + CHATML
SMOL = ("<|im_start|>", "<end_of_utterance>", "<image>", "<fake_token_around_image>", "<global-img>")
# as published: it knows messages in parts only
SMOL_TEMPLATE = (
    "<|im_start|>{% for message in messages %}{{message['role'] | capitalize}}"
    "{% if message['content'][0]['type'] == 'image' %}{{':'}}{% else %}{{': '}}{% endif %}"
    "{% for line in message['content'] %}{% if line['type'] == 'text' %}{{line['text']}}"
    "{% elif line['type'] == 'image' %}{{ '<image>' }}{% endif %}{% endfor %}<end_of_utterance>\n{% endfor %}"
    "{% if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}"
)
HALF = {"image_mean": [0.5] * 3, "image_std": [0.5] * 3}


def _language(tokenizer: PreTrainedTokenizerFast) -> dict:
    end = tokenizer.eos_token_id
    return {
        "vocab_size": len(tokenizer) + 7,  # published models have rows that no token uses
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 4096,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": end,
        "pad_token_id": end,
        "tie_word_embeddings": True,
        "initializer_range": 0.2,  # large enough that answers depend on prompts
    }


def _eye(**more) -> dict:
    return {"depth": 2, "hidden_size": 32, "intermediate_size": 48, "num_heads": 2, "out_hidden_size": 64, **more}


def _qwen_config(
    kind: type[Qwen2_5_VLConfig] | type[Qwen3VLConfig], tokenizer: PreTrainedTokenizerFast, eye: dict, **more
):
    ids = tokenizer.convert_tokens_to_ids(list(QWEN[2:]))
    names = ("vision_start_token_id", "vision_end_token_id", "image_token_id", "video_token_id")
    rope = {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [2, 3, 3]}
    return kind(
        vision_config=eye,
        text_config={**_language(tokenizer), "rope_parameters": rope, **more},
        tie_word_embeddings=True,
        **dict(zip(names, ids, strict=True)),
    )


def qwen2_5_vl() -> tuple[PreTrainedModel, PreTrainedTokenizerFast, Qwen2VLImageProcessorPil]:
    """4 to 16 tokens a picture, in a grid that follows its shape."""
    tokenizer = tiny_tokenizer(QWEN, QWEN_TEMPLATE)
    eye = _eye(patch_size=14, window_size=56, fullatt_block_indexes=[1])
    model = Qwen2_5_VLForConditionalGeneration(_qwen_config(Qwen2_5_VLConfig, tokenizer, eye))
    size = {"shortest_edge": 4 * 28**2, "longest_edge": 16 * 28**2}
    return model, tokenizer, Qwen2VLImageProcessorPil(size=size, patch_size=14, **HALF)


def qwen3_vl() -> tuple[PreTrainedModel, PreTrainedTokenizerFast, Qwen2VLImageProcessorPil]:
    """As `qwen2_5_vl`, with its first layer's deepstack features."""
    tokenizer = tiny_tokenizer(QWEN, CHATML)
    eye = _eye(patch_size=16, num_position_embeddings=16, deepstack_visual_indexes=[0])
    model = Qwen3VLForConditionalGeneration(_qwen_config(Qwen3VLConfig, tokenizer, eye, head_dim=16))
    size = {"shortest_edge": 4 * 32**2, "longest_edge": 16 * 32**2}
    return model, tokenizer, Qwen2VLImageProcessorPil(size=size, patch_size=16, **HALF)


def smolvlm() -> tuple[PreTrainedModel, PreTrainedTokenizerFast, SmolVLMImageProcessorPil]:
    """A tile is 64 pixels wide and becomes 4 x 4 tokens; a picture may be cut into four and a small copy of it."""
    tokenizer = tiny_tokenizer(SMOL, SMOL_TEMPLATE)
    eye = {
        "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2,
        "image_size": 64, "patch_size": 8,
    }  # fmt: skip
    config = SmolVLMConfig(
        vision_config=eye,
        text_config=LlamaConfig(**_language(tokenizer)),
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        scale_factor=2,
        tie_word_embeddings=True,
    )
    processor = SmolVLMImageProcessorPil(size={"longest_edge": 128}, max_image_size={"longest_edge": 64}, **HALF)
    return SmolVLMForConditionalGeneration(config), tokenizer, processor


ARCHITECTURES: dict[str, Callable] = {"qwen2_5_vl": qwen2_5_vl, "qwen3_vl": qwen3_vl, "smolvlm": smolvlm}


def tiny_of(name: str, seed: int = 0) -> Mllm:
    """A fresh model in float32 of an architecture; the same for the same seed."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model, tokenizer, processor = ARCHITECTURES[name]()
        eye = next(part for key, part in model.model.named_children() if key in ("visual", "vision_model"))
        # as transformers draws it, a random eye dims the picture to nothing
        for module in (*eye.modules(), *getattr(model.model, "connector", nn.Identity()).modules()):
            if isinstance(module, nn.Linear | nn.Conv2d | nn.Conv3d):
                nn.init.kaiming_normal_(module.weight)
    model.tie_weights()
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    return Mllm(model, tokenizer, processor, fingerprint=f"{name}-{seed}")
