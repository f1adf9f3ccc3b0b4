"""Bayesian personalised ranking (Rendle et al., UAI 2009): what was consumed next is to be above an item that was not.

A user's vector comes from what they consumed before the interaction, as it will at a query. Shapes: b interactions of a
batch, t items of a history.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from mmsrarec.data.dataset import IntArray, Interactions
from mmsrarec.models.loading_lock import LOADING
from mmsrarec.models.two_tower.towers import ABSENT, Towers

AnyTowers = TypeVar("AnyTowers", bound=Towers)
START = 0.05
"""Standard deviation of learned vectors at the start: large ones hold still where few interactions move them."""
MAX_DRAWS = 20
"""How often a negative that its user consumed is drawn anew; somebody who consumed nearly all keeps the last one."""


@dataclass(frozen=True)
class BprTraining:
    """How towers are trained.

    Attributes:
        epochs: Passes over the interactions.
        batch_size: Interactions of a step.
        learning_rate: Of Adam.
        l2: Weight of the squared size of the vectors of a step.
        max_length: t, items of a history that are read.
        user_dropout: Share of users whose own vector a step leaves out, so that their history learns to stand alone.
        content_weight: Weight of ranking by content alone beside the whole, where towers have it.
        whole_histories: Read all that a user consumed, the target and later items included. This is a leak; it exists
            to be measured.
    """

    epochs: int
    batch_size: int
    learning_rate: float
    l2: float
    max_length: int
    user_dropout: float = 0.0
    content_weight: float = 0.0
    whole_histories: bool = False


def histories_before(log: Interactions, rows: IntArray, length: int, whole: bool = False) -> IntArray:
    """What the users of interactions consumed before them.

    Args:
        log: The interactions, those of a user together and in order of time.
        rows: (b,) places of interactions in the log.
        length: t, the newest items are kept.
        whole: Everything that the users consumed instead, up to the end of their histories.

    Returns:
        (b, t) item codes, the newest last, `ABSENT` in front of a short history.
    """
    users = log.user[rows]
    ends = log.offsets[users + 1] if whole else rows
    places = ends[:, None] - np.arange(length, 0, -1)
    inside = places >= log.offsets[users][:, None]
    return np.where(inside, log.item[np.maximum(places, 0)], ABSENT)


def draw_negatives(
    log: Interactions, users: IntArray, known: IntArray, consumed: IntArray, rng: np.random.Generator
) -> IntArray:
    """Draw an item for each user that they did not consume, uniformly among those that somebody consumed.

    Args:
        log: The interactions.
        users: (b,) user codes.
        known: Codes of the items that somebody consumed.
        consumed: (len(log),) user * n_items + item of all interactions, sorted.
        rng: The source of the draw.

    Returns:
        (b,) item codes.
    """
    items = rng.choice(known, len(users))
    for _ in range(MAX_DRAWS):
        codes = users * log.n_items + items
        again = np.flatnonzero(consumed[np.minimum(np.searchsorted(consumed, codes), len(consumed) - 1)] == codes)
        if not len(again):
            break
        items[again] = rng.choice(known, len(again))
    return items


def new_towers(make: Callable[[], AnyTowers], seed: int) -> AnyTowers:
    """Make towers and draw their weights anew; the global random state is left as it was.

    Args:
        make: Makes the towers.
        seed: Of the weights.
    """
    with LOADING, torch.random.fork_rng(devices=[]):  # pyright: ignore[reportUnknownMemberType]
        torch.manual_seed(seed)  # pyright: ignore[reportUnknownMemberType]
        towers = make()
        for part in towers.modules():
            if isinstance(part, nn.Embedding):
                nn.init.normal_(part.weight, std=START)
    return towers


def train_towers(towers: Towers, log: Interactions, how: BprTraining, seed: int) -> list[float]:
    """Train towers in place. Equal seeds give equal towers, if they began equal.

    Args:
        towers: The model.
        log: Training interactions.
        how: The training.
        seed: Of batches, negatives and what is left out.

    Returns:
        The mean loss of each pass.
    """
    rng, losses = np.random.default_rng(seed), list[float]()
    consumed, known = np.sort(log.user * log.n_items + log.item), np.flatnonzero(log.counts)
    optimizer = torch.optim.Adam(towers.parameters(), lr=how.learning_rate, fused=True)
    for _ in range(how.epochs if len(log) else 0):
        total, order = 0.0, rng.permutation(len(log))
        for begin in range(0, len(order), how.batch_size):
            rows = order[begin : begin + how.batch_size]
            users = log.user[rows]
            pair = np.stack([log.item[rows], draw_negatives(log, users, known, consumed, rng)])
            known_users = np.where(rng.random(len(rows)) < how.user_dropout, ABSENT, users)
            histories = torch.as_tensor(histories_before(log, rows, how.max_length, how.whole_histories))
            loss = _loss(towers, torch.as_tensor(known_users), towers.thinned(histories, rng), pair, how)
            optimizer.zero_grad()
            loss.backward()  # pyright: ignore[reportUnknownMemberType]
            optimizer.step()  # pyright: ignore[reportUnknownMemberType]
            total += float(loss.detach()) * len(rows)
        losses.append(total / len(log))
    return losses


def _loss(towers: Towers, users: Tensor, histories_bt: Tensor, pair: NDArray[np.int64], how: BprTraining) -> Tensor:
    """The mean loss of a batch, whose items `pair` (2, b) holds: what was consumed, then what was not."""
    vectors, bias = towers.item_vectors()
    items = torch.as_tensor(pair)
    user_vectors, own = towers.user_vectors(users, histories_bt), F.embedding(items, vectors)
    scores = (own * user_vectors).sum(-1) + bias[items]
    loss = F.softplus(scores[1] - scores[0]).mean()
    if how.content_weight and (content := towers.content_vectors()) is not None:
        by_content = (F.embedding(items, content) * user_vectors).sum(-1)
        loss = loss + how.content_weight * F.softplus(by_content[1] - by_content[0]).mean()
    if how.l2:
        loss = loss + how.l2 * (user_vectors.square().sum(-1).mean() + own.square().sum(-1).sum(0).mean())
    return loss
