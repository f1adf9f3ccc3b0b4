"""The training of stage 2's sequence encoder, or of another sequence model, on the training interactions."""

import math
from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from mmsrarec.data.dataset import FloatArray, IntArray, Interactions
from mmsrarec.data.splits import Queries, queries_at
from mmsrarec.errors import MmsrarecError
from mmsrarec.models.sequence.catalogue_softmax import catalogue_loss
from mmsrarec.models.sequence.content_sasrec import ContentSASRec
from mmsrarec.models.sequence.encoders import SequenceModel, fill
from mmsrarec.models.sequence.item_tokens import ItemTokens
from mmsrarec.models.sequence.language_body import LanguageBody
from mmsrarec.retrieve.encoder import Encoder, new_model
from mmsrarec.retrieve.settings import RetrieveSettings

PassCallback = Callable[[int, float, float], None]
"""Called after every pass with its number from 1, the mean training loss and the validation NDCG@10."""

WARM_UP = 0.5
"""Passes in which the learning rates of a language model's layers, and of what is around them, rise."""
MOST_VALIDATED = 4000
"""Validation queries that decide when to stop, at most: more cost time and change no decision."""


def train_encoder(
    train: Interactions,
    valid: Queries,
    settings: RetrieveSettings,
    seed: int,
    progress: PassCallback | None = None,
    device: str = "cpu",
    content: Tensor | None = None,
    body: LanguageBody | None = None,
) -> Encoder:
    """Train a model by cross-entropy, and keep the pass with the best validation NDCG@10.

    The moving average of the weights over about one pass is validated and kept (Polyak and Juditsky, 1992), for the
    weights themselves vary from step to step. Every interaction of every user is seen once a pass and predicted
    (BERT4Rec predicts those that it masks). A long history is cut into windows, at places that move from pass to pass.
    Validation ranks all items that may be recommended, at the queries whose target is among them (`Queries.rankable`).
    Without such queries, the last pass is kept. Equal seeds give equal encoders; the global random state is left as it
    was.

    Args:
        train: Training interactions.
        valid: Validation queries, which may be none.
        settings: The model and its training.
        seed: Seed of weights, batches and dropout.
        progress: Called after every pass.
        device: A torch device.
        content: (n_items, content_dims) item content, which content-sasrec and item-tokens need.
        body: The layers of a language model, which only item-tokens needs.

    Returns:
        The trained encoder with its learning curve.

    Raises:
        MmsrarecError: If there are no training interactions, or content or layers are needed and not given.
    """
    if not len(train):
        raise MmsrarecError("no training events to learn an encoder from: check the split and the filters")
    rng, valid = np.random.default_rng(seed), valid.rankable
    if len(valid) > MOST_VALIDATED:
        valid = valid.pick(np.sort(rng.choice(len(valid), MOST_VALIDATED, replace=False)))
    with torch.random.fork_rng(  # pyright: ignore[reportUnknownMemberType]
        devices=[] if device == "cpu" else None  # dropout draws from the global state
    ):
        torch.manual_seed(seed)  # pyright: ignore[reportUnknownMemberType]
        model = new_model(train.n_items, settings, body).reset(torch.Generator().manual_seed(seed)).to(device)
        if isinstance(model, ContentSASRec | ItemTokens):
            if content is None:
                raise MmsrarecError(f"{settings.encoder} learns from what items are: tell it their content")
            model.set_content(content, torch.as_tensor(train.counts > 0))
        if isinstance(model, ItemTokens):
            assert body is not None
            model.start_from(None if settings.encoder == "item-tokens-random" else body.weights)
        averaged = deepcopy(model).eval().requires_grad_(False)
        steps, steps_per_pass = 0, max(1, len(train) // settings.batch_size)
        optimizer = _optimizer(model, settings)
        full_rates = [float(group["lr"]) for group in optimizer.param_groups]
        best_ndcg, best_pass = -1.0, 0
        best_weights: dict[str, Tensor] = {}
        curve: list[tuple[float, float]] = []
        for number in range(1, settings.epochs + 1):
            model.train()
            losses: list[float] = []
            for items in _batches(train, settings, model.pad, rng):
                model.progress_to(min(steps / (steps_per_pass * settings.epochs), 1.0))
                loss = _loss(model, items, settings, rng)
                optimizer.zero_grad(set_to_none=True)
                if isinstance(model, ItemTokens):
                    share = _rate_share(steps / steps_per_pass, settings.epochs)
                    for group, rate in zip(optimizer.param_groups, full_rates, strict=True):
                        group["lr"] = rate * share
                loss.backward()  # pyright: ignore[reportUnknownMemberType]
                optimizer.step()  # pyright: ignore[reportUnknownMemberType]
                steps += 1
                # at first the average is over few steps, so that the untrained weights soon drop out of it
                _follow(averaged, model, max(1 / steps_per_pass, 10 / (10 + steps)))
                losses.append(loss.item())
            averaged.progress_to(min((steps - 1) / (steps_per_pass * settings.epochs), 1.0))
            ndcg = _ndcg_at_10(Encoder(averaged, settings), valid)
            curve.append((float(np.mean(losses)), ndcg))
            if progress is not None:
                progress(number, *curve[-1])
            if ndcg > best_ndcg or not len(valid):
                best_ndcg, best_pass = ndcg, number
                best_weights = {name: weight.detach().clone() for name, weight in averaged.state_dict().items()}
            elif number - best_pass >= settings.patience:
                break
    averaged.load_state_dict(best_weights)
    return Encoder(averaged, settings, tuple(curve), train.counts > 0)


def _optimizer(model: SequenceModel, s: RetrieveSettings) -> torch.optim.AdamW:
    """AdamW; the layers of a language model have a learning rate of their own."""
    layers = {id(weight) for weight in model.layers.parameters()} if isinstance(model, ItemTokens) else set[int]()
    own = [weight for weight in model.parameters() if id(weight) not in layers]
    groups: list[dict[str, Any]] = [{"params": own, "lr": s.learning_rate}]
    if isinstance(model, ItemTokens):
        groups.append({"params": list(model.layers.parameters()), "lr": s.body_learning_rate})
    return torch.optim.AdamW(groups, betas=(0.9, 0.98), weight_decay=s.weight_decay, fused=True)


def _rate_share(passes: float, all_passes: int) -> float:
    """The share of the full learning rates: it rises during `WARM_UP` passes, and falls to zero as a cosine."""
    return min(1.0, passes / WARM_UP) * (1 + math.cos(math.pi * min(passes / all_passes, 1.0))) / 2


@torch.no_grad()
def _follow(averaged: SequenceModel, model: SequenceModel, share: float) -> None:
    """Move the average of the weights towards the weights."""
    for mean, weight in zip(averaged.parameters(), model.parameters(), strict=True):
        mean.lerp_(weight, share)


def refit(
    encoder: Encoder,
    interactions: Interactions,
    seed: int,
    progress: PassCallback | None = None,
    device: str = "cpu",
    content: Tensor | None = None,
    body: LanguageBody | None = None,
) -> Encoder:
    """Train the model anew for as many passes as were best on validation.

    A row of the comparison table may do this before the test: every choice was made on validation, and nothing of the
    test is seen.

    Args:
        encoder: The encoder that was trained with validation.
        interactions: What to train on, such as training and validation together.
        seed: Seed of weights, batches and dropout.
        progress: Called after every pass.
        device: A torch device.
        content: (n_items, content_dims) item content, which content-sasrec and item-tokens need.
        body: The layers of a language model, which only item-tokens needs.

    Returns:
        The encoder of the last pass.
    """
    no_queries = queries_at(interactions, np.empty(0, dtype=np.int64))
    settings = encoder.settings.model_copy(update={"epochs": encoder.best_pass})
    return train_encoder(interactions, no_queries, settings, seed, progress, device, content, body)


def _batches(train: Interactions, s: RetrieveSettings, pad: int, rng: np.random.Generator) -> Iterator[IntArray]:
    """The (b, up to max_length + 1) batches of one pass: windows of item codes, padded on the right.

    A window holds interactions of one user, and every interaction is in one window. A window has one interaction more
    than a history that is read, so that the position of the next item is trained as well.
    """
    size = s.max_length + 1
    cuts: list[tuple[int, int]] = []
    for begin, end in zip(train.offsets[:-1].tolist(), train.offsets[1:].tolist(), strict=True):
        # a long history is cut anew each pass, so that each interaction is seen after shorter and longer pasts
        first = begin + (int(rng.integers(size)) if end - begin > size else 0)
        cuts += [(b, min(b + size, end)) for b in range(first, end, size)]
        if first > begin:
            cuts.append((begin, first))
    cuts = [cuts[i] for i in rng.permutation(len(cuts))]
    # equal lengths share a batch, which then needs no padding; sort is stable
    cuts.sort(key=lambda cut: cut[1] - cut[0])
    step = np.cumsum([end - begin for begin, end in cuts]) // s.batch_size
    parts: list[IntArray] = np.split(np.arange(len(cuts)), np.flatnonzero(np.diff(step)) + 1)
    for number in rng.permutation(len(parts)):
        pieces = [train.item[slice(*cuts[int(cut)])] for cut in parts[int(number)]]
        yield fill(pieces, max(map(len, pieces)), pad)


def _loss(model: SequenceModel, items_bt: IntArray, s: RetrieveSettings, rng: np.random.Generator) -> Tensor:
    """The mean cross-entropy of the items that the model must predict in (b, t) windows."""
    device = model.scale.device
    tokens_bt, target_bt = (torch.as_tensor(part).to(device) for part in model.training_batch(items_bt, rng))
    predicted_bt = target_bt != model.pad
    states_btd = model(tokens_bt)
    loss = _next_item_loss(model, states_btd[predicted_bt], target_bt[predicted_bt], s, rng)
    auxiliary = model.auxiliary_loss(states_btd, predicted_bt, rng)
    return loss if auxiliary is None else loss + auxiliary


def _next_item_loss(
    model: SequenceModel, states: Tensor, target: Tensor, s: RetrieveSettings, rng: np.random.Generator
) -> Tensor:
    """The mean cross-entropy of (m,) items after (m, d) states."""
    if s.loss == "softmax" or s.negatives >= model.n_items:
        return catalogue_loss(states, model.items.weight[: model.n_items], target, getattr(torch, s.logits_dtype))
    sample = torch.as_tensor(rng.choice(model.n_items, s.negatives, replace=False)).to(states.device)
    target_logits = (states * model.items(target)).sum(-1, keepdim=True)
    # a sampled item stands for n_items / negatives of them, so that the sum estimates the full softmax's
    sample_logits = model.logits(states, sample) + float(np.log(model.n_items / s.negatives))
    sample_logits = sample_logits.masked_fill(sample[None, :] == target[:, None], -torch.inf)
    return F.cross_entropy(torch.cat([target_logits, sample_logits], dim=1), torch.zeros_like(target))


def _ndcg_at_10(encoder: Encoder, queries: Queries) -> float:
    """The mean NDCG@10 over all items that may be recommended; ties count half. 0 where there are no queries."""
    gains: list[FloatArray] = []
    for begin in range(0, len(queries), 512):
        part = queries.pick(np.arange(begin, min(begin + 512, len(queries))))
        scores = encoder.scores(part.history)
        target = np.where((part.target >= 0) & (part.target < encoder.n_items), part.target, 0)
        target_scores = scores[np.arange(len(part)), target][:, None].copy()
        for row, excluded in zip(scores, part.excluded, strict=True):
            row[excluded[(excluded >= 0) & (excluded < encoder.n_items)]] = -np.inf
        rank = (scores > target_scores).sum(1) + ((scores == target_scores).sum(1) - 1).clip(0) / 2
        gains.append(np.where((rank < 10) & (target == part.target), 1 / np.log2(rank + 2), 0.0))
    return float(np.concatenate(gains).mean()) if gains else 0.0
