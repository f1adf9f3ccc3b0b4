"""Asks a model about pictures in its own way: by its own processor and forward pass, as transformers has them.

A picture is then as many tokens as the model was trained with: tiles, marks around them and at the end of their rows,
features of deeper layers, positions in rows and columns. Prompts hold no text of an item, so they are rendered as text.
Shapes: n pictures, t tokens.
"""

import json
from collections.abc import Callable, Sequence
from typing import Any, cast

import torch
from PIL.Image import Image
from torch import Tensor
from torch.nn import functional as F
from torch.nn.utils.rnn import pad_sequence

from mmsrarec.models.backbone.mllm import SENTINEL, Mllm, user_turn, words_turn
from mmsrarec.models.loading_lock import LOADING
from mmsrarec.models.untyped import to_list
from mmsrarec.models.vision.native_processor import PICTURES_AT_ONCE

TYPES = ("mm_token_type_ids", "token_type_ids")
"""What processors call the numbers that say which tokens are a picture's."""


def native_key(mllm: Mllm, question: str) -> dict[str, Any]:
    """What answers about pictures depend on besides the model and the pictures."""
    settings = mllm.processor.image_processor.to_dict()
    return {"text": question_text(mllm, question), "processor": json.dumps(settings, sort_keys=True, default=str)}


def question_text(mllm: Mllm, question: str) -> str:
    """Render a question about a picture in the model's chat template, with the mark of a picture before it.

    Args:
        mllm: The model.
        question: The question, which holds no untrusted text.
    """
    mark: str = mllm.processor.image_token
    template: str | None = getattr(mllm.processor, "chat_template", None) or mllm.tokenizer.chat_template
    text = ""
    if template is not None:
        text = user_turn(mllm.tokenizer, [{"type": "image"}, {"type": "text", "text": SENTINEL}], template)
    if text.count(mark) != 1 or text.count(SENTINEL) != 1:  # the template knows no pictures
        text = (mark + SENTINEL).join(words_turn(mllm.tokenizer))
    return text.replace(SENTINEL, question)


def native_inputs(mllm: Mllm, pictures: Sequence[Image], question: str) -> dict[str, Tensor]:
    """What the model reads of a question about each of n pictures.

    Args:
        mllm: The model.
        pictures: n pictures.
        question: The question.

    Returns:
        Tensors by name, on the model's device; prompts are padded on the left.
    """
    text = question_text(mllm, question)
    start = mllm.tokenizer.bos_token
    processed: Any = mllm.processor(
        images=[[picture] for picture in pictures],
        text=[text] * len(pictures),
        padding=True,
        padding_side="left",
        add_special_tokens=not (start and text.startswith(start)),
        return_tensors="pt",
    )
    return {
        name: value.to(mllm.device, mllm.dtype if value.is_floating_point() else None)
        for name, value in processed.items()
    }


@torch.no_grad()
def native_answers(
    mllm: Mllm, pictures: Sequence[Image], question: str, max_new_tokens: int, stop: Callable[[str], bool]
) -> list[str]:
    """Answer a question about each picture, with the likeliest token at each step.

    Args:
        mllm: The model.
        pictures: n pictures.
        question: The question.
        max_new_tokens: The largest length of an answer, in tokens.
        stop: Whether an answer with this text is complete.

    Returns:
        n texts, without special tokens.
    """
    if len(pictures) > PICTURES_AT_ONCE:
        parts = [slice(start, start + PICTURES_AT_ONCE) for start in range(0, len(pictures), PICTURES_AT_ONCE)]
        return [text for part in parts for text in native_answers(mllm, pictures[part], question, max_new_tokens, stop)]
    with LOADING:
        from transformers import GenerationConfig

    inputs = native_inputs(mllm, pictures, question)
    width, tokenizer = inputs["input_ids"].shape[1], mllm.tokenizer

    def ended(ids: Tensor, *_: Any, **__: Any) -> Tensor:
        return torch.tensor([stop(tokenizer.decode(row)) for row in to_list(ids[:, width:])], device=ids.device)

    greedy = GenerationConfig(
        max_new_tokens=max_new_tokens,
        do_sample=False,
        num_beams=1,
        repetition_penalty=1.0,
        no_repeat_ngram_size=0,
        eos_token_id=sorted(mllm.end_tokens),
        pad_token_id=mllm.turn_end if tokenizer.pad_token_id is None else tokenizer.pad_token_id,
    )
    written: Tensor = cast(Any, mllm.model).generate(**inputs, generation_config=greedy, stopping_criteria=[ended])
    _forget_positions(mllm)
    return tokenizer.batch_decode(to_list(written[:, width:]), skip_special_tokens=True)


@torch.no_grad()
def native_log_probs(
    mllm: Mllm, pictures: Sequence[Image], question: str, answers: Sequence[Sequence[int]]
) -> list[Tensor]:
    """Compute the log-probability of each token of an answer to the question about each picture.

    Args:
        mllm: The model.
        pictures: n pictures.
        question: The question.
        answers: n answers, as token ids.

    Returns:
        For each picture (len(answer),) float32 on the CPU.
    """
    if len(pictures) > PICTURES_AT_ONCE:
        parts = [slice(start, start + PICTURES_AT_ONCE) for start in range(0, len(pictures), PICTURES_AT_ONCE)]
        return [row for part in parts for row in native_log_probs(mllm, pictures[part], question, answers[part])]
    inputs = native_inputs(mllm, pictures, question)
    rows = [torch.tensor(answer, dtype=torch.long) for answer in answers]
    ids = pad_sequence(rows, batch_first=True, padding_value=mllm.turn_end).to(mllm.device)
    real = pad_sequence([torch.ones_like(row) for row in rows], batch_first=True).to(mllm.device)
    inputs["input_ids"] = torch.cat([inputs["input_ids"], ids], 1)
    inputs["attention_mask"] = torch.cat([inputs["attention_mask"], real], 1)
    for name in TYPES:
        if name in inputs:
            inputs[name] = F.pad(inputs[name], (0, ids.shape[1]))
    logits: Tensor = cast(Any, mllm.model)(**inputs, use_cache=False, logits_to_keep=ids.shape[1] + 1).logits
    _forget_positions(mllm)
    log_probs = logits[:, :-1].float().log_softmax(-1).gather(2, ids[..., None])[..., 0].cpu()
    return [values[: len(answer)] for values, answer in zip(log_probs, answers, strict=True)]


def _forget_positions(mllm: Mllm) -> None:
    """Drop how far positions are behind the tokens, which the Qwen models keep from one prompt to the next."""
    if getattr(mllm.model.model, "rope_deltas", None) is not None:
        mllm.model.model.rope_deltas = None
