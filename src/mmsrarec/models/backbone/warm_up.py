"""A short warm-up of the projector on pictures whose words are known, so that pictures mean something to the model.

Eye and language model stay frozen. `scripts/train_projector.py` makes the shipped projector with it; a run can add a
few steps on its own catalogue's pictures and categories, for photographs look unlike what the shipped one has seen.
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from PIL.Image import Image
from torch import Tensor, nn
from torch.nn import functional as F

from mmsrarec.core.progress import Count
from mmsrarec.errors import RecipeError
from mmsrarec.models.backbone.mllm import Mllm, pool_grid

VISUAL_TOKENS = (9, 9, 1)
"""Sizes that take turns: stage 1 looks at 9 tokens, the ranking prompt at their mean."""


def projector_of(mllm: Mllm) -> nn.Module:
    """Raises MmsrarecError for a model that is not built like the embedded one."""
    projector = getattr(mllm.model.model, "multi_modal_projector", None)  # pyright: ignore
    if projector is None or not hasattr(mllm.model.model, "vision_tower"):  # pyright: ignore
        raise RecipeError("only models like the embedded one can be warmed up: set model.warm_up_steps to 0")
    return projector


@torch.inference_mode()
def grids(mllm: Mllm, pictures: Sequence[Image]) -> Tensor:
    """The eye's (n, v, channels) output, computed once for all steps."""
    tower: nn.Module = mllm.model.model.vision_tower  # pyright: ignore
    out = []
    for start in range(0, len(pictures), 64):
        pixels = mllm.image_processor(list(pictures[start : start + 64]), return_tensors="pt").pixel_values
        seen = tower(pixels.to(mllm.device, mllm.dtype)).last_hidden_state
        out.append(seen.flatten(2).permute(0, 2, 1))
    return torch.cat(out)


def warm_up(
    mllm: Mllm,
    seen: Tensor,
    words: Sequence[str],
    prompt: Callable[[int], list[int]],
    steps: int,
    seed: int,
    batch: int = 32,
    lr: float = 1e-3,
    progress: Count = lambda done, total, label: None,
) -> list[float]:
    """Train the projector in place to answer `prompt(visual_tokens)` with `words`; returns the loss of every step.

    seen: (n, v, channels) from `grids`; words: n answers.
    """
    rng = np.random.default_rng(seed)
    answers = [[*mllm.encode(answer), mllm.turn_end] for answer in words]
    projector = projector_of(mllm)
    projector.float().requires_grad_(True)
    optimizer = torch.optim.AdamW(projector.parameters(), lr=lr, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, lr, total_steps=max(steps, 2), pct_start=0.1)
    losses = []
    for step in range(steps):
        rows = rng.choice(len(answers), min(batch, len(answers)), replace=False).tolist()
        visual_tokens = VISUAL_TOKENS[step % len(VISUAL_TOKENS)]
        features = torch.stack([pool_grid(p, max(VISUAL_TOKENS)) for p in projector(seen[rows].float())])
        features = features if visual_tokens > 1 else features.mean(1, keepdim=True)
        loss = answer_loss(mllm, prompt(visual_tokens), features, [answers[row] for row in rows])
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(projector.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
        progress(step + 1, steps, "warm-up of the projector")
    projector.to(dtype=mllm.dtype).requires_grad_(False)
    return losses


def answer_loss(mllm: Mllm, prompt: list[int], features: Tensor, answers: Sequence[Sequence[int]]) -> Tensor:
    """Mean cross-entropy of the answers' tokens after one prompt; features: (b, visual_tokens, d)."""
    width = len(prompt) + max(map(len, answers))
    ids = torch.full((len(answers), width), mllm.turn_end, device=mllm.device)
    wanted = torch.full_like(ids, -100)
    ids[:, : len(prompt)] = torch.tensor(prompt)
    for row, answer in enumerate(answers):
        ids[row, len(prompt) : len(prompt) + len(answer)] = torch.tensor(answer)
        wanted[row, len(prompt) : len(prompt) + len(answer)] = torch.tensor(answer)
    hidden = mllm.decoder(inputs_embeds=mllm.embed(ids, features)).last_hidden_state
    hidden, wanted = hidden[:, len(prompt) - 1 : -1], wanted[:, len(prompt) :]
    said = wanted != -100
    logits = hidden[said] @ mllm.model.get_output_embeddings().weight.T  # pyright: ignore
    return F.cross_entropy(logits.float(), wanted[said])
