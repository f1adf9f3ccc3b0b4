"""Tiny models, random weights, of the very architectures that are tuned on a GPU, built without torchvision."""

from collections.abc import Callable
from typing import Any

import torch
from PIL import Image, ImageDraw
from tiny import CHATML, tiny_tokenizer
from tokenizers.processors import TemplateProcessing
from torch import nn
from transformers import (
    CLIPImageProcessorPil,
    Gemma2Config,
    Gemma2ForCausalLM,
    Gemma3Config,
    Gemma3ForConditionalGeneration,
    Gemma3ImageProcessorPil,
    GotOcr2ImageProcessorPil,
    Idefics3Config,
    Idefics3ForConditionalGeneration,
    Idefics3ImageProcessorPil,
    InternVLConfig,
    InternVLForConditionalGeneration,
    LlamaConfig,
    LlamaForCausalLM,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaOnevisionConfig,
    LlavaOnevisionForConditionalGeneration,
    LlavaOnevisionImageProcessorPil,
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

from mmsrarec.models.backbone.mllm import Mllm
from mmsrarec.models.vision.native_processor import make_processor

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
LLAVA = ("<s>", "</s>", "<image>")
LLAVA_TEMPLATE = (  # as published, but for the answers of a talk
    "{% for message in messages %}{{ message['role'].upper() + ': '}}"
    "{% for content in message['content'] | selectattr('type', 'equalto', 'image') %}{{ '<image>\n' }}{% endfor %}"
    "{% for content in message['content'] | selectattr('type', 'equalto', 'text') %}{{ content['text'] + ' '}}"
    "{% endfor %}{% endfor %}{% if add_generation_prompt %}{{ 'ASSISTANT:' }}{% endif %}"
)
INTERN = ("<|im_start|>", "<|im_end|>", "<img>", "</img>", "<IMG_CONTEXT>", "<video>")
INTERN_NAMES = (
    ("start_image_token", "<img>"), ("end_image_token", "</img>"),
    ("context_image_token", "<IMG_CONTEXT>"), ("video_token", "<video>"),
)  # fmt: skip
GEMMA = ("<bos>", "<end_of_turn>", "<start_of_turn>", "<start_of_image>", "<end_of_image>", "<image_soft_token>")
GEMMA_NAMES = (
    ("boi_token", "<start_of_image>"), ("eoi_token", "<end_of_image>"), ("image_token", "<image_soft_token>"),
)  # fmt: skip
GEMMA_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}<start_of_turn>{{ message['role'] }}\n{{ message['content'] | trim }}"
    "<end_of_turn>\n{% endfor %}{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}"
)
ONEVISION = ("<|im_start|>", "<|im_end|>", "<image>", "<video>")
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


SMALL_EYE = {
    "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2,
    "image_size": 64, "patch_size": 8,
}  # fmt: skip
SQUARE = {"height": 64, "width": 64}
TILES: dict[str, Any] = {"size": {"longest_edge": 128}, "max_image_size": {"longest_edge": 64}, **HALF}
"""Settings of an image processor that cuts a picture into tiles."""


def picture(width: int, height: int, colour: str) -> Image.Image:
    drawn = Image.new("RGB", (width, height), colour)
    ImageDraw.Draw(drawn).ellipse((0, 0, width // 2, height // 2), fill="white")
    return drawn


PICTURES = [picture(60, 60, "red"), picture(40, 90, "navy"), picture(300, 120, "green")]
"""A square one, a tall one and a wide one."""


def smolvlm() -> tuple[PreTrainedModel, PreTrainedTokenizerFast, SmolVLMImageProcessorPil]:
    """A tile is 64 pixels wide and becomes 4 x 4 tokens; a picture may be cut into four and a small copy of it."""
    tokenizer = tiny_tokenizer(SMOL, SMOL_TEMPLATE)
    model = SmolVLMForConditionalGeneration(SmolVLMConfig(**_in_tiles(tokenizer)))
    return model, tokenizer, SmolVLMImageProcessorPil(**TILES)


def idefics3() -> tuple[PreTrainedModel, PreTrainedTokenizerFast, Idefics3ImageProcessorPil]:
    """As `smolvlm`: SmolVLM-256M and SmolVLM-500M are published as this."""
    tokenizer = tiny_tokenizer((*SMOL, "<row_1_col_1>"), SMOL_TEMPLATE)
    model = Idefics3ForConditionalGeneration(Idefics3Config(**_in_tiles(tokenizer)))
    return model, tokenizer, Idefics3ImageProcessorPil(**TILES)


def _in_tiles(tokenizer: PreTrainedTokenizerFast) -> dict[str, Any]:
    """The configuration that both share."""
    return {
        "vision_config": SMALL_EYE,
        "text_config": LlamaConfig(**_language(tokenizer)),
        "image_token_id": tokenizer.convert_tokens_to_ids("<image>"),
        "scale_factor": 2,
        "tie_word_embeddings": True,
    }


def llava() -> tuple[PreTrainedModel, PreTrainedTokenizerFast, CLIPImageProcessorPil]:
    """64 tokens a picture; its tokenizer starts every text with a token that its template does not know."""
    tokenizer = tiny_tokenizer(LLAVA, LLAVA_TEMPLATE)
    start = ("<s>", tokenizer.bos_token_id)
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(single="<s> $A", special_tokens=[start])
    config = LlavaConfig(
        vision_config={**SMALL_EYE, "model_type": "clip_vision_model"},
        text_config=LlamaConfig(**_language(tokenizer)),
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        tie_word_embeddings=True,
    )
    processor = CLIPImageProcessorPil(size=SQUARE, do_center_crop=False, **HALF)
    return LlavaForConditionalGeneration(config), tokenizer, processor


def internvl() -> tuple[PreTrainedModel, PreTrainedTokenizerFast, GotOcr2ImageProcessorPil]:
    """16 tokens a picture, Qwen2 behind it; its processor would cut a picture into tiles."""
    tokenizer = tiny_tokenizer(INTERN, CHATML, INTERN_NAMES)
    config = InternVLConfig(
        vision_config=SMALL_EYE,
        text_config={**_language(tokenizer), "model_type": "qwen2"},
        image_token_id=tokenizer.convert_tokens_to_ids("<IMG_CONTEXT>"),
        tie_word_embeddings=True,
    )
    processor = GotOcr2ImageProcessorPil(size=SQUARE, crop_to_patches=True, **HALF)
    return InternVLForConditionalGeneration(config), tokenizer, processor


def llava_onevision() -> tuple[PreTrainedModel, PreTrainedTokenizerFast, LlavaOnevisionImageProcessorPil]:
    """64 tokens a picture and a mark of the row's end; a lone picture would be cut into tiles as well."""
    tokenizer = tiny_tokenizer(ONEVISION, CHATML)
    image, video = tokenizer.convert_tokens_to_ids(list(ONEVISION[2:]))
    places = [[64, 64], [64, 128], [128, 64], [128, 128]]
    config = LlavaOnevisionConfig(
        vision_config={**SMALL_EYE, "model_type": "siglip_vision_model", "vision_use_head": False},
        text_config={**_language(tokenizer), "model_type": "qwen2"},
        image_token_index=image,
        video_token_index=video,
        image_grid_pinpoints=places,
        tie_word_embeddings=True,
    )
    processor = LlavaOnevisionImageProcessorPil(size=SQUARE, image_grid_pinpoints=places, **HALF)
    return LlavaOnevisionForConditionalGeneration(config), tokenizer, processor


def gemma3() -> tuple[PreTrainedModel, PreTrainedTokenizerFast, Gemma3ImageProcessorPil]:
    """16 tokens a picture; a layer that looks twelve tokens back, and one that sees all."""
    tokenizer = tiny_tokenizer(GEMMA, GEMMA_TEMPLATE, GEMMA_NAMES)
    start, end, image = tokenizer.convert_tokens_to_ids(list(GEMMA[3:]))
    config = Gemma3Config(
        vision_config={**SMALL_EYE, "model_type": "siglip_vision_model"},
        text_config={**_language(tokenizer), **_windows()},
        mm_tokens_per_image=16,
        boi_token_index=start,
        eoi_token_index=end,
        image_token_index=image,
        tie_word_embeddings=True,
    )
    return Gemma3ForConditionalGeneration(config), tokenizer, Gemma3ImageProcessorPil(size=SQUARE, **HALF)


def _windows() -> dict:
    layers = ["sliding_attention", "full_attention"]
    return {"head_dim": 16, "query_pre_attn_scalar": 16, "sliding_window": 12, "layer_types": layers}


def llama() -> tuple[PreTrainedModel, PreTrainedTokenizerFast, None]:
    tokenizer = tiny_tokenizer()
    return LlamaForCausalLM(LlamaConfig(**_language(tokenizer))), tokenizer, None


def gemma2(pairs: int = 1) -> tuple[PreTrainedModel, PreTrainedTokenizerFast, None]:
    """Caps its attention's scores, so its packs are computed from a shared prefix. pairs: of layers."""
    tokenizer = tiny_tokenizer(GEMMA, GEMMA_TEMPLATE)
    language, windows = _language(tokenizer), _windows()
    language["num_hidden_layers"], windows["layer_types"] = 2 * pairs, windows["layer_types"] * pairs
    config = Gemma2Config(**language, **windows, attn_logit_softcapping=5.0, final_logit_softcapping=None)
    return Gemma2ForCausalLM(config), tokenizer, None


QWENS_AND_SMOL: dict[str, Callable] = {"qwen2_5_vl": qwen2_5_vl, "qwen3_vl": qwen3_vl, "smolvlm": smolvlm}
ARCHITECTURES = {
    **QWENS_AND_SMOL,
    "llava": llava,
    "llava_onevision": llava_onevision,
    "internvl": internvl,
    "gemma3": gemma3,
}
TEXT_ONLY: dict[str, Callable] = {"llama": llama, "gemma2": gemma2}
OTHER_NAMES: dict[str, Callable] = {"idefics3": idefics3}
PROCESSING: dict[str, dict] = {  # settings of processors, as published models have them in processor_config.json
    "smolvlm": {"image_seq_len": 16},
    "idefics3": {"image_seq_len": 16},
    "internvl": {"image_seq_length": 16},
    "gemma3": {"image_seq_length": 16},
    "llava": {"patch_size": 8, "vision_feature_select_strategy": "default", "num_additional_image_tokens": 1},
    "llava_onevision": {"num_image_tokens": 64, "vision_feature_select_strategy": "full"},
}
EYES = ("visual", "vision_model", "vision_tower")
JOINTS = ("connector", "multi_modal_projector")


def tiny_of(name: str, seed: int = 0) -> Mllm:
    """A fresh model in float32 of an architecture; the same for the same seed."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model, tokenizer, processor = {**ARCHITECTURES, **TEXT_ONLY, **OTHER_NAMES}[name]()
        # as transformers draws it, a random eye dims the picture to nothing
        for part in (part for key, part in model.model.named_children() if key in (*EYES, *JOINTS)):
            for module in part.modules():
                if isinstance(module, nn.Linear | nn.Conv2d | nn.Conv3d):
                    nn.init.kaiming_normal_(module.weight)
            if hasattr(part, "mm_input_projection_weight"):
                nn.init.kaiming_normal_(part.mm_input_projection_weight)
    model.tie_weights()
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    whole = make_processor(model.config, tokenizer, processor, PROCESSING.get(name, {})) if processor else None
    return Mllm(model, tokenizer, processor, fingerprint=f"{name}-{seed}", processor=whole)
