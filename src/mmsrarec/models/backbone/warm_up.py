"""Trains the projector for a few steps on pictures with known words, so that the model can read pictures.

The vision encoder and the language model stay frozen. `scripts/train_projector.py` makes the shipped projector with
this module. A run can add some steps on its catalogue's pictures and categories, because photographs differ from the
pictures of the shipped training.
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from PIL.Image import Image
from torch import Tensor, nn
from torch.nn import functional as F

from mmsrarec.core.progress import Count
from mmsrarec.errors import RecipeError
from mmsrarec.models.backbone.mllm import Mllm
from mmsrarec.models.untyped import backward, optimizer_step
from mmsrarec.models.vision.pooling import pool_grid

VISUAL_TOKENS = (9, 9, 1)
"""The numbers of visual tokens in turn: stage 1 reads 9 tokens, the ranking prompt reads their mean."""


def projector_of(mllm: Mllm) -> nn.Module:
    """The projector of a model that is built like the embedded one.

    Raises:
        RecipeError: The model has no such projector.
    """
    projector = getattr(mllm.model.model, "multi_modal_projector", None)
    if projector is None or not hasattr(mllm.model.model, "vision_tower"):
        raise RecipeError("only models like the embedded one can be warmed up: set model.warm_up_steps to 0")
    return projector


@torch.inference_mode()
def grids(mllm: Mllm, pictures: Sequence[Image]) -> Tensor:
    """Compute the output of the vision encoder once for all steps.

    Args:
        mllm: A model that is built like the embedded one.
        pictures: n pictures.

    Returns:
        (n, v, channels), with v positions of the encoder's grid.
    """
    tower: nn.Module = mllm.model.model.vision_tower
    outputs: list[Tensor] = []
    for start in range(0, len(pictures), 64):
        pixels = mllm.image_processor(list(pictures[start : start + 64]), return_tensors="pt").pixel_values
        channels: Tensor = tower(pixels.to(mllm.device, mllm.dtype)).last_hidden_state
        outputs.append(channels.flatten(2).permute(0, 2, 1))
    return torch.cat(outputs)


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
    """Train the projector in place, so that the model answers a question about a picture with its words.

    Args:
        mllm: A model that is built like the embedded one.
        seen: (n, v, channels) outputs of the vision encoder (`grids`).
        words: n answers.
        prompt: The number of visual tokens -> the question as token ids.
        steps: The number of steps.
        seed: The seed of the order of pictures.
        batch: The number of pictures in a step.
        lr: The highest learning rate.
        progress: Receives the number of steps that are done.

    Returns:
        The loss of every step.
    """
    rng = np.random.default_rng(seed)
    answers = [[*mllm.encode(answer), mllm.turn_end] for answer in words]
    projector = projector_of(mllm)
    projector.float().requires_grad_(True)
    optimizer = torch.optim.AdamW(projector.parameters(), lr=lr, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, lr, total_steps=max(steps, 2), pct_start=0.1)
    losses: list[float] = []
    for step in range(steps):
        rows: list[int] = rng.choice(len(answers), min(batch, len(answers)), replace=False).tolist()
        visual_tokens = VISUAL_TOKENS[step % len(VISUAL_TOKENS)]
        projected: Tensor = projector(seen[rows].float())
        features = torch.stack([pool_grid(picture, max(VISUAL_TOKENS)) for picture in projected])
        features = features if visual_tokens > 1 else features.mean(1, keepdim=True)
        loss = answer_loss(mllm, prompt(visual_tokens), features, [answers[row] for row in rows])
        optimizer.zero_grad()
        backward(loss)
        torch.nn.utils.clip_grad_norm_(projector.parameters(), 1.0)
        optimizer_step(optimizer)
        schedule.step()
        losses.append(loss.item())
        progress(step + 1, steps, "warm-up of the projector")
    projector.to(dtype=mllm.dtype).requires_grad_(False)
    return losses


def answer_loss(mllm: Mllm, prompt: list[int], features: Tensor, answers: Sequence[Sequence[int]]) -> Tensor:
    """Compute the mean cross-entropy of the answers' tokens.

    Args:
        mllm: The model.
        prompt: The token ids of the question, the same for all pictures.
        features: (b, visual tokens, d) features of the pictures.
        answers: b answers as token ids.

    Returns:
        () the loss.
    """
    width = len(prompt) + max(map(len, answers))
    ids = torch.full((len(answers), width), mllm.turn_end, device=mllm.device)
    targets = torch.full_like(ids, -100)
    ids[:, : len(prompt)] = torch.tensor(prompt)
    for row, answer in enumerate(answers):
        ids[row, len(prompt) : len(prompt) + len(answer)] = torch.tensor(answer)
        targets[row, len(prompt) : len(prompt) + len(answer)] = torch.tensor(answer)
    hidden: Tensor = mllm.decoder(inputs_embeds=mllm.embed(ids, features)).last_hidden_state
    hidden, targets = hidden[:, len(prompt) - 1 : -1], targets[:, len(prompt) :]
    is_answer = targets != -100
    logits = hidden[is_answer] @ mllm.model.get_output_embeddings().weight.T
    return F.cross_entropy(logits.float(), targets[is_answer])
