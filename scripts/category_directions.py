"""What is added to the visual tokens of a picture, so that the language model says its categories.

The teacher's score of a category is linear in the vision encoder's features, so each position of a picture has a score,
and their mean is the picture's. A direction a category, times the score, is added to the projector's output. Only the
directions are learned through the language model: a few thousand numbers, which takes minutes.
Shapes: n pictures, v positions, c channels, k categories, t visual tokens, d width of the language model.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from catalogue_teacher import CategoryTeacher
from torch import Tensor, nn
from torch.nn import functional as F

from mmsrarec.core.progress import Count
from mmsrarec.models.backbone.mllm import Mllm
from mmsrarec.models.backbone.warm_up import VISUAL_TOKENS, plain_attention, projector_of
from mmsrarec.models.untyped import backward, optimizer_step
from mmsrarec.models.vision.pooling import pool_grid
from mmsrarec.summarize.prompts import image_prompt

REST_WEIGHT = 0.3
"""Weight of the loss of the tokens behind an answer's first one."""


@dataclass(frozen=True)
class CategoryDirections:
    """Directions of the categories of one catalogue.

    Attributes:
        weight: (k, c) of the scores; over the catalogue's pictures a score has mean 0 and deviation 1.
        bias: (k,) of the scores.
        table: (k + 1, d) a direction for each category, and what is added to every picture of the catalogue.
    """

    weight: Tensor
    bias: Tensor
    table: Tensor

    @classmethod
    def start(cls, teacher: CategoryTeacher, states: Tensor, width: int) -> "CategoryDirections":
        """Directions that add nothing yet, for (n, c) mean features of the catalogue's pictures."""
        scores = teacher.probabilities(states).logit()
        mean, scale = scores.mean(0), scores.std(0) + 1e-6
        table = torch.zeros(len(teacher.labels) + 1, width, requires_grad=True)
        return cls(teacher.weight / scale[:, None], (teacher.bias - mean) / scale, table)

    def scores(self, features: Tensor) -> Tensor:
        """(n, v, k) of (n, v, c) features."""
        return features.float() @ self.weight.T + self.bias

    def moved(self, tokens: Tensor, scores: Tensor) -> Tensor:
        """(n, t, d) visual tokens with their directions, of tokens and their (n, t, k) scores."""
        return tokens + scores @ self.table[:-1] + self.table[-1]


@dataclass(frozen=True)
class Taught:
    """A catalogue to learn from.

    Attributes:
        features: (n, v, c) features of its pictures.
        teacher: Its teacher.
        directions: Its directions.
    """

    features: Tensor
    teacher: CategoryTeacher
    directions: CategoryDirections


def first_token_loss(log_probs: Tensor, first: Sequence[int], shares: Tensor) -> Tensor:
    """The divergence of the first token from the teacher's shares; whatever is no category counts as one rest.

    Args:
        log_probs: (n, vocabulary) of the first token.
        first: k first tokens of the categories; some categories may have the same one.
        shares: (n, k) shares (`CategoryTeacher.shares`).

    Returns:
        () the mean over the pictures, in nats.
    """
    tokens = sorted(set(first))
    same = torch.tensor([[float(token == own) for token in tokens] for own in first])
    own, wanted = log_probs[:, tokens], shares @ same
    rest = (1 - own.exp().sum(1)).clamp(min=1e-4)
    wanted_rest = (1 - wanted.sum(1)).clamp(min=0)
    found = torch.cat([own, rest.log()[:, None]], dim=1)
    target = torch.cat([wanted, wanted_rest[:, None]], dim=1)
    return (torch.xlogy(target, target) - target * found).sum(1).mean()


def learn_directions(
    mllm: Mllm,
    catalogues: Sequence[Taught],
    steps: int,
    batch: int = 20,
    lr: float = 0.01,
    seed: int = 0,
    progress: Count = lambda done, total, label: None,
) -> list[float]:
    """Learn the directions in place.

    Args:
        mllm: The model.
        catalogues: The catalogues.
        steps: The number of steps.
        batch: Pictures of a step, equally many of each catalogue.
        lr: The highest learning rate, as a share of the tokens' root mean square.
        seed: Of the pictures' and answers' order.
        progress: Receives the number of steps that are done.

    Returns:
        The divergence of the first token at every step.
    """
    rng, prompt = np.random.default_rng(seed), image_prompt(mllm, max(VISUAL_TOKENS))
    tokens = [tokens_of(projector_of(mllm), one.features) for one in catalogues]
    scores = [pooled(one.directions.scores, one.features) for one in catalogues]
    first = [[mllm.encode(label)[0] for label in one.teacher.labels] for one in catalogues]
    rate = lr * float(torch.cat(tokens).pow(2).mean().sqrt())
    optimizer = torch.optim.Adam([one.directions.table for one in catalogues], lr=rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=max(steps, 2), pct_start=0.15)
    losses: list[float] = []
    words = mllm.model.get_output_embeddings().weight
    with plain_attention(mllm):
        for step in range(steps):
            moved: list[Tensor] = []
            shares: list[Tensor] = []
            answers: list[list[int]] = []
            for one, own_tokens, own_scores in zip(catalogues, tokens, scores, strict=True):
                rows = torch.from_numpy(rng.choice(len(own_tokens), max(1, batch // len(catalogues))))
                shares.append(one.teacher.shares(one.features[rows].float().mean(1)))
                moved.append(one.directions.moved(own_tokens[rows], own_scores[rows]))
                answers += [mllm.encode(label) for (label,) in one.teacher.draw(shares[-1], rng, 1)]
            ids, targets = _padded(prompt, answers, mllm.turn_end)
            hidden: Tensor = mllm.decoder(inputs_embeds=mllm.embed(ids, torch.cat(moved))).last_hidden_state
            log_probs = (hidden[:, len(prompt) - 1] @ words.T).float().log_softmax(-1)
            parts = log_probs.split([len(own) for own in shares])
            divergence = torch.stack(
                [first_token_loss(*each) for each in zip(parts, first, shares, strict=True)]
            ).mean()
            is_rest = targets[:, 1:] != -100
            rest = F.cross_entropy(
                (hidden[:, :-1][is_rest] @ words.T).float(), targets[:, 1:][is_rest], reduction="sum"
            )
            optimizer.zero_grad()
            backward(divergence + REST_WEIGHT * rest / max(1, int(is_rest.sum())))
            optimizer_step(optimizer)
            schedule.step()
            losses.append(divergence.item())
            progress(step + 1, steps, "directions of categories")
    return losses


def _padded(prompt: Sequence[int], answers: Sequence[Sequence[int]], end: int) -> tuple[Tensor, Tensor]:
    """Token ids of prompts with answers, and the answers' tokens behind the first one; -100 elsewhere."""
    length = len(prompt) + max(map(len, answers))
    ids, targets = torch.full((len(answers), length), end), torch.full((len(answers), length), -100)
    for row, answer in enumerate(answers):
        ids[row, : len(prompt) + len(answer)] = torch.tensor([*prompt, *answer])
        targets[row, len(prompt) + 1 : len(prompt) + len(answer)] = torch.tensor(answer[1:], dtype=torch.long)
    return ids, targets


def tokens_of(projector: nn.Module, features: Tensor) -> Tensor:
    """(n, t, d) visual tokens of (n, v, c) features."""
    return pooled(projector.float(), features)


@torch.no_grad()
def pooled(of: Callable[[Tensor], Tensor], features: Tensor) -> Tensor:
    """(n, t, ...) what something makes of (n, v, c) features, averaged to the visual tokens of stage 1."""
    parts = [of(part.float()) for part in features.split(128)]
    return torch.stack([pool_grid(row, max(VISUAL_TOKENS)) for part in parts for row in part])
