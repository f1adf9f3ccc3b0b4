"""How likely a model finds an answer after a prompt, token by token: what rewards and grounding are made of.

Shapes: b rows, t tokens, v visual tokens a picture, d hidden size.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from mmsrarec.models.backbone.mllm import Mllm
from mmsrarec.models.packing.forward import batch_of, read
from mmsrarec.models.packing.packed_prompt import PackedPrompt


@torch.inference_mode()
def token_log_probs(
    mllm: Mllm,
    prompts: Sequence[Sequence[int]],
    answers: Sequence[Sequence[int]],
    features: Sequence[Tensor | None] | None = None,
    batch_tokens: int = 8192,
) -> list[Tensor]:
    """For each row the (len(answer),) float32 log-probabilities, on the CPU, of the answer's tokens after its prompt.

    features: (v, d) for a prompt with a picture, else None. An adapter on the model takes part unless it is disabled.
    Rows of like length are computed together, at most `batch_tokens` at a time. A prompt holds at least one token.
    """
    features = features if features is not None else [None] * len(prompts)
    found: list[Tensor] = [torch.zeros(0)] * len(prompts)
    asked = [row for row in range(len(prompts)) if answers[row]]
    order = sorted(asked, key=lambda row: _length(prompts, answers, row))
    start = 0
    while start < len(order):
        stop = start + 1
        while stop < len(order) and (stop + 1 - start) * _length(prompts, answers, order[stop]) <= batch_tokens:
            stop += 1
        rows = order[start:stop]
        for row, values in zip(rows, _batch(mllm, prompts, answers, features, rows), strict=True):
            found[row] = values
        start = stop
    return found


def _length(prompts: Sequence[Sequence[int]], answers: Sequence[Sequence[int]], row: int) -> int:
    return len(prompts[row]) + len(answers[row])


def _batch(
    mllm: Mllm,
    prompts: Sequence[Sequence[int]],
    answers: Sequence[Sequence[int]],
    features: Sequence[Tensor | None],
    rows: Sequence[int],
) -> list[Tensor]:
    """Padding stands behind the rows, which never look ahead, so it needs no mask."""
    width = max(_length(prompts, answers, row) for row in rows)
    ids = torch.full((len(rows), width), mllm.turn_end, device=mllm.device)
    for place, row in enumerate(rows):
        ids[place, : _length(prompts, answers, row)] = torch.tensor([*prompts[row], *answers[row]])
    pictures = [feature for row in rows if (feature := features[row]) is not None]
    seen = torch.cat(pictures).to(mllm.device) if pictures else None
    hidden = mllm.decoder(inputs_embeds=mllm.embed(ids, seen), use_cache=False).last_hidden_state
    starts = [len(prompts[row]) - 1 for row in rows]
    states = [hidden[place, start : start + len(answers[rows[place]])] for place, start in enumerate(starts)]
    return [_consumed(mllm, state, answers[row]) for state, row in zip(states, rows, strict=True)]


def _consumed(mllm: Mllm, states: Tensor, ids: Sequence[int]) -> Tensor:
    """Log-probabilities of token ids, (t,), each after the (t, d) hidden state that foresees it."""
    logits = mllm.model.get_output_embeddings()(states).float()  # pyright: ignore
    wanted = torch.tensor(ids, device=mllm.device)
    return (logits.gather(1, wanted[:, None])[:, 0] - logits.logsumexp(1)).cpu()


@torch.inference_mode()
def packed_log_probs(mllm: Mllm, packs: Sequence[PackedPrompt], batch_tokens: int = 8192) -> list[list[Tensor]]:
    """As `token_log_probs`, for many answers after each prompt, which is computed once: the candidates of a pack are
    its answers. For each pack, each answer's (len(answer),) log-probabilities."""
    found: list[list[Tensor]] = [[] for _ in packs]
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
                found[row].append(_consumed(mllm, states, answer.ids))
    return found
