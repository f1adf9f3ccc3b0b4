"""Generates answers token by token, for a batch of prompts and several answers to each."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional as F

from mmsrarec.models.untyped import repeat_rows, to_list

if TYPE_CHECKING:
    from mmsrarec.models.backbone.mllm import Mllm


def generate_ids(
    mllm: "Mllm",
    prompts: Sequence[Sequence[int]],
    features: Sequence[Tensor | None],
    max_new_tokens: int,
    stop: Callable[[str], bool],
    samples: int,
    temperature: float,
    draws: Tensor | None,
) -> list[list[int]]:
    """Generate answers as token ids, the end token included.

    The common start of all prompts, up to the first picture, is computed once, and each prompt once for all its
    answers. An answer leaves the batch when it ends or `stop` holds for its text.

    Args:
        mllm: The model.
        prompts: b prompts as token ids.
        features: For each prompt the (v, d) features of its picture, or None.
        max_new_tokens: The largest length of an answer, in tokens.
        stop: Whether an answer with this text is complete.
        samples: The number of answers to each prompt.
        temperature: 0 takes the likeliest token; otherwise tokens are drawn from softmax(logits / temperature).
        draws: (b samples, max_new_tokens) numbers in [0, 1) that choose the tokens of each answer, so that an answer
            does not depend on what is answered beside it, nor on the device; None draws them from torch's global
            random state.

    Returns:
        b times `samples` answers; those to one prompt stand together.
    """
    from transformers import DynamicCache  # takes seconds, and only a model that generates needs it

    cache, head = DynamicCache(), mllm.model.get_output_embeddings()
    columns = enumerate(zip(*prompts, strict=False))
    differing = (at for at, column in columns if len(set(column)) > 1 or column[0] == mllm.vision_layout.image_token)
    last = min(map(len, prompts)) - 1  # each prompt keeps a token of its own, after which its answer starts
    shared = min(next(differing, last), last) if len(prompts) > 1 else 0
    if shared:
        prefix = mllm.embed(torch.tensor([prompts[0][:shared]], device=mllm.device), None)
        mllm.decoder(inputs_embeds=prefix, past_key_values=cache, use_cache=True)
        cache.batch_repeat_interleave(len(prompts))
    ids, mask = pad_left([prompt[shared:] for prompt in prompts], mllm.tokenizer.pad_token_id or 0)
    ids, mask = ids.to(mllm.device), F.pad(mask, (shared, 0), value=1).to(mllm.device)
    pictures = [feature for feature in features if feature is not None]
    step = mllm.embed(ids, torch.cat(pictures).to(mllm.device) if pictures else None)
    positions = (mask.cumsum(1) - 1).clamp(min=0)[:, shared:]
    answers: list[list[int]] = [[] for _ in range(samples * len(prompts))]
    active = list(range(len(answers)))
    draws = None if draws is None else draws.to(mllm.device)
    for number in range(max_new_tokens):
        states: Tensor = mllm.decoder(
            inputs_embeds=step, attention_mask=mask, position_ids=positions, past_key_values=cache, use_cache=True
        ).last_hidden_state[:, -1]
        if number == 0 and samples > 1:
            cache.batch_repeat_interleave(samples)
            states, mask, positions = (repeat_rows(part, samples) for part in (states, mask, positions))
        tokens = choose_tokens(head(states), temperature, None if draws is None else draws[:, number])
        for row, token in zip(active, to_list(tokens), strict=True):
            answers[row].append(token)
        unfinished = [
            place
            for place, row in enumerate(active)
            if answers[row][-1] not in mllm.end_tokens and not stop(mllm.tokenizer.decode(answers[row]))
        ]
        if not unfinished:
            break
        if len(unfinished) < len(active):
            keep = torch.tensor(unfinished, device=mllm.device)
            cache.batch_select_indices(keep)
            tokens, mask, positions = tokens[keep], mask[keep], positions[keep]
            draws = None if draws is None else draws[keep]
            active = [active[place] for place in unfinished]
        step = mllm.embed(tokens[:, None], None)
        mask = F.pad(mask, (0, 1), value=1)
        positions = positions[:, -1:] + 1
    return answers


def choose_tokens(logits: Tensor, temperature: float, draws: Tensor | None = None) -> Tensor:
    """Choose the next tokens.

    Args:
        logits: (b, vocabulary) logits.
        temperature: 0 takes the likeliest token; otherwise tokens are drawn from softmax(logits / temperature).
        draws: (b,) numbers in [0, 1); each takes the token where the summed probabilities pass it. None draws them
            from torch's global random state.

    Returns:
        (b,) token ids.
    """
    if temperature <= 0:
        return logits.argmax(-1)
    draws = torch.rand(len(logits), device=logits.device) if draws is None else draws
    sums = (logits.float() / temperature).softmax(-1).cumsum(-1)
    # of equal sums the first is taken, which has a probability; a draw never reaches the last sum
    places = torch.searchsorted(sums, (draws.to(sums.dtype) * sums[:, -1])[:, None], right=True)[:, 0]
    last = (sums < sums[:, -1:]).sum(-1)
    return torch.minimum(places, last)


def pad_left(prompts: Sequence[Sequence[int]], pad: int) -> tuple[Tensor, Tensor]:
    """Put prompts of different lengths into one table.

    Args:
        prompts: b prompts as token ids.
        pad: The padding token id.

    Returns:
        (b, t) token ids, padded on the left, and (b, t) a mask, 1 on real tokens.
    """
    width = max(map(len, prompts))
    ids = torch.full((len(prompts), width), pad)
    mask = torch.zeros_like(ids)
    for row, prompt in enumerate(prompts):
        ids[row, width - len(prompt) :] = torch.tensor(prompt)
        mask[row, width - len(prompt) :] = 1
    return ids, mask
