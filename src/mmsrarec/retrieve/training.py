"""Train the sequence encoder of stage 2, or another sequence model, by the interactions of the training data."""

from collections.abc import Callable, Iterator
from copy import deepcopy

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from mmsrarec.data.dataset import IntArray, Interactions
from mmsrarec.data.splits import Queries, queries_at
from mmsrarec.errors import MmsrarecError
from mmsrarec.models.sequence.catalogue_softmax import catalogue_loss
from mmsrarec.models.sequence.content_sasrec import ContentSASRec
from mmsrarec.models.sequence.encoders import SequenceModel, fill
from mmsrarec.retrieve.encoder import Encoder, new_model
from mmsrarec.retrieve.settings import RetrieveSettings

PassCallback = Callable[[int, float, float], None]
"""Told after every pass: pass number from 1, mean training loss, validation NDCG@10."""

MOST_VALIDATED = 4000  # validation queries that decide when to stop: more cost time and change no decision


def train_encoder(
    train: Interactions,
    valid: Queries,
    settings: RetrieveSettings,
    seed: int,
    progress: PassCallback | None = None,
    device: str = "cpu",
    content: Tensor | None = None,
) -> Encoder:
    """A model trained on `train` by cross-entropy; stops by, and keeps the best of, validation NDCG@10.

    What is validated and kept is the moving average of the weights over about one pass (Polyak and Juditsky, 1992): the
    weights themselves wander with each step. Every interaction of every user is seen once a pass, and predicted, by
    BERT4Rec if it is hidden: a long history is cut into windows, at places that move from pass to pass. Validation
    ranks all items that may be recommended, at the queries whose target is among them (`Queries.rankable`). Without
    such queries the last pass is kept. content: (items, content_dims), for the one that wants it. Equal seeds give
    equal encoders; the global random state is left as it was.
    """
    if not len(train):
        raise MmsrarecError("no training events to learn an encoder from: check the split and the filters")
    rng, valid = np.random.default_rng(seed), valid.rankable
    if len(valid) > MOST_VALIDATED:
        valid = valid.pick(np.sort(rng.choice(len(valid), MOST_VALIDATED, replace=False)))
    with torch.random.fork_rng(devices=[] if device == "cpu" else None):  # dropout draws from the global state
        torch.manual_seed(seed)
        model = new_model(train.n_items, settings).reset(torch.Generator().manual_seed(seed)).to(device)
        if isinstance(model, ContentSASRec):
            if content is None:
                raise MmsrarecError(f"{settings.encoder} learns from what items are: tell it their content")
            model.describe(content, torch.from_numpy(train.counts > 0))
        averaged, steps, a_pass = (
            deepcopy(model).eval().requires_grad_(False),
            0,
            max(1, len(train) // settings.batch_size),
        )
        optimizer = torch.optim.AdamW(
            model.parameters(),
            lr=settings.learning_rate,
            betas=(0.9, 0.98),
            weight_decay=settings.weight_decay,
            fused=True,
        )
        best, best_weights, best_pass, curve = -1.0, {}, 0, []
        for number in range(1, settings.epochs + 1):
            model.train()
            losses = []
            for items in _batches(train, settings, model.pad, rng):
                loss = _loss(model, items, settings, rng)
                optimizer.zero_grad(set_to_none=True)
                loss.backward()
                optimizer.step()
                steps += 1
                # at first over the steps there have been, so that the untrained weights are soon forgotten
                _follow(averaged, model, max(1 / a_pass, 10 / (10 + steps)))
                losses.append(loss.item())
            ndcg = _ndcg_at_10(Encoder(averaged, settings), valid)
            curve.append((float(np.mean(losses)), ndcg))
            if progress is not None:
                progress(number, *curve[-1])
            if ndcg > best or not len(valid):
                best, best_pass = ndcg, number
                best_weights = {name: w.detach().clone() for name, w in averaged.state_dict().items()}
            elif number - best_pass >= settings.patience:
                break
    averaged.load_state_dict(best_weights)
    return Encoder(averaged, settings, tuple(curve), train.counts > 0)


@torch.no_grad()
def _follow(averaged: SequenceModel, model: SequenceModel, share: float) -> None:
    for mean, weight in zip(averaged.parameters(), model.parameters(), strict=True):
        mean.lerp_(weight, share)


def refit(
    encoder: Encoder,
    interactions: Interactions,
    seed: int,
    progress: PassCallback | None = None,
    device: str = "cpu",
    content: Tensor | None = None,
) -> Encoder:
    """The model trained anew on `interactions`, such as training and validation, for as many passes as it was best
    after.

    What a table's row may do before the test: every choice was made on validation, and nothing of the test is seen.
    """
    nobody = queries_at(interactions, np.empty(0, dtype=np.int64))
    settings = encoder.settings.model_copy(update={"epochs": encoder.best_pass})
    return train_encoder(interactions, nobody, settings, seed, progress, device, content)


def _batches(train: Interactions, s: RetrieveSettings, pad: int, rng: np.random.Generator) -> Iterator[IntArray]:
    """Batches (b, up to length + 1) of one pass: interactions of one user, padded on the right, each in one window
    only.

    A window has one interaction more than a history that is read, so that the place of what comes next is trained as
    well.
    """
    size, cuts = s.max_length + 1, []
    for begin, end in zip(train.offsets[:-1], train.offsets[1:], strict=True):
        # a long history is cut anew each pass, so that each interaction is seen after shorter and longer pasts
        first = begin + (int(rng.integers(size)) if end - begin > size else 0)
        cuts += [(b, min(b + size, end)) for b in range(first, end, size)]
        if first > begin:
            cuts.append((begin, first))
    cuts = [cuts[i] for i in rng.permutation(len(cuts))]
    cuts.sort(
        key=lambda cut: cut[1] - cut[0]
    )  # equal lengths share a batch, which then needs no padding; sort is stable
    step = np.cumsum([end - begin for begin, end in cuts]) // s.batch_size
    parts = np.split(np.arange(len(cuts)), np.flatnonzero(np.diff(step)) + 1)
    for part in (parts[i] for i in rng.permutation(len(parts))):
        pieces = [train.item[slice(*cuts[i])] for i in part]
        yield fill(pieces, max(map(len, pieces)), pad)


def _loss(model: SequenceModel, items_bt: IntArray, s: RetrieveSettings, rng: np.random.Generator) -> Tensor:
    """Mean cross-entropy of the items that the windows ask for."""
    device = model.scale.device
    tokens_bt, wanted_bt = (torch.from_numpy(part).to(device) for part in model.exercise(items_bt, rng))
    asked_bt = wanted_bt != model.pad
    states, target = model(tokens_bt)[asked_bt], wanted_bt[asked_bt]
    if s.loss == "softmax" or s.negatives >= model.n_items:
        return catalogue_loss(states, model.items.weight[: model.n_items], target, getattr(torch, s.logits_dtype))
    drawn = torch.from_numpy(rng.choice(model.n_items, s.negatives, replace=False)).to(device)
    right = (states * model.items(target)).sum(-1, keepdim=True)
    # a sampled item stands for n_items / negatives of them, so that the sum estimates the full softmax's
    wrong = model.logits(states, drawn) + float(np.log(model.n_items / s.negatives))
    wrong = wrong.masked_fill(drawn[None, :] == target[:, None], -torch.inf)
    return F.cross_entropy(torch.cat([right, wrong], dim=1), torch.zeros_like(target))


def _ndcg_at_10(encoder: Encoder, queries: Queries) -> float:
    """Mean NDCG@10 over all items that may be recommended; ties count half. 0 where there are no queries."""
    gains = []
    for begin in range(0, len(queries), 512):
        part = queries.pick(np.arange(begin, min(begin + 512, len(queries))))
        scores = encoder.scores(part.history)
        known = np.where((part.target >= 0) & (part.target < encoder.n_items), part.target, 0)
        right = scores[np.arange(len(part)), known][:, None].copy()
        for row, excluded in zip(scores, part.excluded, strict=True):
            row[excluded[(excluded >= 0) & (excluded < encoder.n_items)]] = -np.inf
        rank = (scores > right).sum(1) + ((scores == right).sum(1) - 1).clip(0) / 2
        gains.append(np.where((rank < 10) & (known == part.target), 1 / np.log2(rank + 2), 0.0))
    return float(np.concatenate(gains).mean()) if gains else 0.0
