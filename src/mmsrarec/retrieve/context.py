"""The collaborative context: what a moment's neighbours took next, as items and as keywords (stage 2)."""

from collections import Counter
from collections.abc import Mapping
from math import log
from typing import Protocol

import numpy as np

from mmsrarec.data.dataset import Events, FloatArray, IntArray
from mmsrarec.data.split import Moments
from mmsrarec.retrieve.neighbours import Found, clock


class HasKeywords(Protocol):
    """What is asked of stage 1's result."""

    def united(self, code: int) -> tuple[str, ...]: ...


def next_items(found: Found, train: Events, moments: Moments, n_next: int) -> IntArray:
    """(m, k, n_next) codes of the items each neighbour took from its row on, in order; -1 where there is none.

    Only events strictly before the moment count: a neighbour's later events are the future.
    """
    time = clock(moments)[:, None, None]
    rows = found.row[:, :, None] + np.arange(n_next)
    inside = np.minimum(rows, len(train) - 1)
    real = (found.row[:, :, None] >= 0) & (rows < len(train))
    real &= (train.user[inside] == found.user[:, :, None]) & (train.time[inside] < time)
    return np.where(real, train.item[inside], -1)


def item_weights(items: IntArray, similarity: FloatArray) -> FloatArray:
    """(..., k, n_next): how much each item speaks: its neighbour's cosine, divided by the step (1, 2, 3, ...).

    Nothing where there is no item, or where the neighbour is unlike the user (a cosine below 0).
    """
    near = np.maximum(np.asarray(similarity, dtype=np.float64), 0)[..., None]
    return np.where(items >= 0, near / np.arange(1, items.shape[-1] + 1), 0.0)


def collaborative_items(items: IntArray, similarity: FloatArray, history: IntArray, limit: int) -> tuple[int, ...]:
    """Codes of a moment's collaborative items, the strongest first, each once, none of the history, at most `limit`.

    items: (k, n_next) from `next_items`; similarity: (k,). Equally strong ones keep the order of the neighbours.
    """
    return tuple(code for code, _ in _ranked_items(items, similarity, history)[:limit])


def rarity(keywords: HasKeywords, n_items: int) -> dict[str, float]:
    """Each keyword's inverse document frequency over the catalogue, log((1 + n_items) / (1 + items with it)) + 1."""
    seen = Counter(word for code in range(n_items) for word in set(keywords.united(code)))
    return {word: log((1 + n_items) / (1 + count)) + 1 for word, count in seen.items()}


def collaborative_keywords(
    items: IntArray,
    keywords: HasKeywords,
    similarity: FloatArray,
    history: IntArray,
    budget: int,
    rare: Mapping[str, float] | None = None,
) -> tuple[str, ...]:
    """The keywords of a moment's collaborative items, the weightiest first, each once, at most `budget` of them.

    A keyword weighs the sum of its items' weights, times `rare` (see `rarity`; None: all keywords are equally rare).
    Equally weighty ones keep the order in which they are met. items: (k, n_next); similarity: (k,). Items of the
    history are left out: their keywords are in the prompt already.
    """
    weights: dict[str, float] = {}
    for code, weight in _ranked_items(items, similarity, history):
        for word in dict.fromkeys(keywords.united(code)):
            weights[word] = weights.get(word, 0.0) + weight
    if rare is not None:
        weights = {word: weight * rare.get(word, 1.0) for word, weight in weights.items()}
    return tuple(sorted(weights, key=lambda word: -weights[word])[:budget])  # sorted is stable


def _ranked_items(items: IntArray, similarity: FloatArray, history: IntArray) -> list[tuple[int, float]]:
    weights: dict[int, float] = {}
    had = {int(code) for code in history}
    for code, weight in zip(items.ravel().tolist(), item_weights(items, similarity).ravel().tolist(), strict=True):
        if code >= 0 and code not in had and weight > 0:
            weights[code] = weights.get(code, 0.0) + weight
    return sorted(weights.items(), key=lambda pair: -pair[1])
