"""Computes the log-probability of each token of an answer after a prompt, for rewards and image grounding.

Shapes: b rows, t tokens, v visual tokens a picture, d hidden size.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from mmsrarec.models.backbone.mllm import Mllm
from mmsrarec.models.packing.forward import batch_of, read
from mmsrarec.models.packing.packed_prompt import PackedPrompt
from mmsrarec.models.untyped import checkpointed

MAX_LOGITS_HELD = 16_000_000
"""Logits held at once: 64 MB."""


@torch.inference_mode()
def token_log_probs(
    mllm: Mllm,
    prompts: Sequence[Sequence[int]],
    answers: Sequence[Sequence[int]],
    features: Sequence[Tensor | None] | None = None,
    batch_tokens: int = 8192,
) -> list[Tensor]:
    """Compute the log-probabilities of the tokens of one answer after each prompt.

    An adapter on the model counts unless it is disabled. Rows of similar length are computed together.

    Args:
        mllm: The model.
        prompts: b prompts of at least one token id each.
        answers: b answers, as token ids.
        features: For each prompt the (v, d) features of its picture, or None.
        batch_tokens: The largest number of tokens that are computed at once, padding included.

    Returns:
        For each row (len(answer),) float32 on the CPU.
    """
    features = features if features is not None else [None] * len(prompts)
    log_probs: list[Tensor] = [torch.zeros(0)] * len(prompts)
    answered_rows = [row for row in range(len(prompts)) if answers[row]]
    order = sorted(answered_rows, key=lambda row: _length(prompts, answers, row))
    start = 0
    while start < len(order):
        stop = start + 1
        while stop < len(order) and (stop + 1 - start) * _length(prompts, answers, order[stop]) <= batch_tokens:
            stop += 1
        rows = order[start:stop]
        for row, values in zip(rows, _batch_log_probs(mllm, prompts, answers, features, rows), strict=True):
            log_probs[row] = values
        start = stop
    return log_probs


def _length(prompts: Sequence[Sequence[int]], answers: Sequence[Sequence[int]], row: int) -> int:
    """The number of tokens of a row."""
    return len(prompts[row]) + len(answers[row])


def _batch_log_probs(
    mllm: Mllm,
    prompts: Sequence[Sequence[int]],
    answers: Sequence[Sequence[int]],
    features: Sequence[Tensor | None],
    rows: Sequence[int],
) -> list[Tensor]:
    """The log-probabilities of some rows. Padding follows the rows, which never look ahead, so it needs no mask."""
    width = max(_length(prompts, answers, row) for row in rows)
    ids = torch.full((len(rows), width), mllm.turn_end, device=mllm.device)
    for place, row in enumerate(rows):
        ids[place, : _length(prompts, answers, row)] = torch.tensor([*prompts[row], *answers[row]])
    pictures = [feature for row in rows if (feature := features[row]) is not None]
    picture_features = torch.cat(pictures).to(mllm.device) if pictures else None
    hidden = mllm.decoder(inputs_embeds=mllm.embed(ids, picture_features), use_cache=False).last_hidden_state
    starts = [len(prompts[row]) - 1 for row in rows]
    states = [hidden[place, start : start + len(answers[rows[place]])] for place, start in enumerate(starts)]
    return [_state_log_probs(mllm, state, answers[row]) for state, row in zip(states, rows, strict=True)]


def _state_log_probs(mllm: Mllm, states: Tensor, ids: Sequence[int]) -> Tensor:
    """Log-probabilities of token ids, (t,), each after the (t, d) hidden state that predicts it, on the CPU."""
    return _block_log_probs(mllm, states, torch.tensor(ids, device=mllm.device)).cpu()


def log_probs_after(mllm: Mllm, states: Tensor, ids: Tensor) -> Tensor:
    """Compute log-probabilities in blocks, so that the logits of all tokens are never held at once.

    Gradients flow through them; a block's logits are then computed anew in the backward pass.

    Args:
        mllm: The model.
        states: (t, d) hidden states.
        ids: (t,) token ids, each predicted by its state.

    Returns:
        (t,) float32.
    """
    head = mllm.model.get_output_embeddings()
    size = max(1, MAX_LOGITS_HELD // head.weight.shape[0])
    parts = [(states[begin : begin + size], ids[begin : begin + size]) for begin in range(0, len(ids), size)]
    if not torch.is_grad_enabled():
        return torch.cat([_block_log_probs(mllm, *part) for part in parts])
    return torch.cat([checkpointed(_block_log_probs, mllm, *part) for part in parts])


def _block_log_probs(mllm: Mllm, states: Tensor, targets: Tensor) -> Tensor:
    """Log-probabilities of (t,) token ids, each after the (t, d) hidden state that predicts it."""
    logits: Tensor = mllm.model.get_output_embeddings()(states).float()
    return logits.gather(1, targets[:, None])[:, 0] - logits.logsumexp(1)


@torch.inference_mode()
def packed_log_probs(mllm: Mllm, packs: Sequence[PackedPrompt], batch_tokens: int = 8192) -> list[list[Tensor]]:
    """Compute log-probabilities like `token_log_probs` for several answers after each prompt, which is computed once.

    Args:
        mllm: The model.
        packs: The prompts as shared parts, and their answers as candidates.
        batch_tokens: The largest number of tokens that are computed at once, padding included.

    Returns:
        For each prompt and each of its answers (len(answer),) float32 on the CPU.
    """
    log_probs: list[list[Tensor]] = [[] for _ in packs]
    order = sorted(range(len(packs)), key=lambda row: len(packs[row]))
    while order:
        rows, order = order, []
        while len(rows) > 1 and len(rows) * len(packs[rows[-1]]) > batch_tokens:
            rows, order = rows[: len(rows) // 2], rows[len(rows) // 2 :] + order
        batch = batch_of(mllm, [packs[row] for row in rows])
        hidden = read(mllm, batch, {})
        for place, row in enumerate(rows):
            before = hidden[place, len(packs[row].shared.ids) - 1]
            for number, answer in enumerate(packs[row].candidates):
                start = batch.layout.shared + number * batch.layout.length
                states = torch.cat([before[None], hidden[place, start : start + len(answer.ids) - 1]])
                log_probs[row].append(_state_log_probs(mllm, states, answer.ids))
    return log_probs
