"""A language model that sees, small enough for tests: random weights, built in a second, nothing downloaded."""

from functools import cache

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from torch import nn
from transformers import (
    CLIPImageProcessorPil,
    EfficientNetConfig,
    FastVlmConfig,
    FastVlmForConditionalGeneration,
    LlamaConfig,
    PreTrainedTokenizerFast,
)

from mmsrarec.models.backbone.mllm import Mllm

SPECIAL = ("<|im_start|>", "<|im_end|>", "<image>")
CHATML = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
SENTENCES = [
    "user assistant yes no Keywords of this text: Keywords of this picture:",
    "A mug of blue clay, a star, red, kitchen. Two detectives hunt a killer through the rain. Crime, Thriller",
    "This person took: seen by many, seen by few. Will they take this next? Answer yes or no.",
]


@cache
def tiny_tokenizer(
    special: tuple[str, ...] = SPECIAL, template: str = CHATML, names: tuple[tuple[str, str], ...] = ()
) -> PreTrainedTokenizerFast:
    """Byte-level BPE: any text goes in and comes out again. special: what starts a turn, what ends it, and the rest.
    names: of special tokens, as processors ask for them."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=400, special_tokens=list(special), initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(SENTENCES * 3, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=special[0],
        eos_token=special[1],
        pad_token=special[1],
        additional_special_tokens=list(special[2:]),
        chat_template=template,
        model_specific_special_tokens=dict(names),
    )


def tiny_mllm(seed: int = 0) -> Mllm:
    """A fresh model in float32, hidden size 64, two layers; a picture is a grid of 7 x 7 visual tokens before pooling.

    Its answers are noise, but the same noise for the same seed.
    """
    tokenizer = tiny_tokenizer()
    end = tokenizer.convert_tokens_to_ids("<|im_end|>")
    eye = EfficientNetConfig(
        image_size=56,
        width_coefficient=0.05,
        depth_coefficient=1.0,
        kernel_sizes=(3, 3, 3),
        in_channels=(32, 16, 24),
        out_channels=(16, 24, 40),
        strides=(1, 2, 2),
        num_block_repeats=(1, 1, 1),
        expand_ratios=(1, 2, 2),
        hidden_dim=64,
    )
    eye.hidden_size = 64
    language = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=4096,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=end,
        pad_token_id=end,
        tie_word_embeddings=True,
        initializer_range=0.2,  # large enough that answers depend on prompts
    )
    config = FastVlmConfig(
        vision_config=eye,
        text_config=language,
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        image_seq_length=49,
        tie_word_embeddings=True,
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = FastVlmForConditionalGeneration(config)
        # as transformers draws it, a random eye dims the picture to nothing
        for module in (*model.model.vision_tower.modules(), *model.model.multi_modal_projector.modules()):
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(module.weight)
            elif isinstance(module, nn.BatchNorm2d):
                nn.init.ones_(module.weight)
    model.tie_weights()
    model.generation_config.eos_token_id = end
    processor = CLIPImageProcessorPil(
        size={"height": 56, "width": 56}, do_center_crop=False, image_mean=[0.5] * 3, image_std=[0.5] * 3
    )
    return Mllm(model, tokenizer, processor, fingerprint=f"tiny-{seed}")


def talking_mllm(prompts: list[list[int]], answers: list[str], steps: int = 120, mllm: Mllm | None = None) -> Mllm:
    """A tiny model that was taught, in seconds, to answer any of the prompts with any of the answers."""
    mllm = mllm or tiny_mllm()
    model = mllm.model.train().requires_grad_(True)
    draw = torch.Generator().manual_seed(0)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for _ in range(steps):
        rows = [
            (
                prompts[int(torch.randint(len(prompts), (), generator=draw))],
                [*mllm.encode(answers[int(torch.randint(len(answers), (), generator=draw))]), mllm.turn_end],
            )
            for _ in range(16)
        ]
        width = max(len(prompt) + len(answer) for prompt, answer in rows)
        ids = torch.full((len(rows), width), mllm.turn_end)
        labels = torch.full_like(ids, -100)
        for row, (prompt, answer) in enumerate(rows):
            stop = len(prompt) + len(answer)
            ids[row, :stop] = torch.tensor([*prompt, *answer])
            labels[row, len(prompt) : stop] = torch.tensor(answer)
        loss = model(input_ids=ids, labels=labels).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    model.eval().requires_grad_(False)
    mllm.fingerprint = "talking"
    return mllm
