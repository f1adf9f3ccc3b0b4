"""Training examples of stage 3: queries of the training log, each with its positive and its negatives."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from mmsrarec.data.dataset import IntArray, Interactions
from mmsrarec.data.splits import Queries, queries_at
from mmsrarec.errors import MmsrarecError

HARD_NEGATIVE_POOL = 100
"""Hard negatives are drawn from as many of the encoder's highest items."""


def without_negatives(train: Interactions) -> NDArray[np.bool_]:
    """The users who consumed every item of the catalogue, and so leave no negative.

    Args:
        train: The training log.

    Returns:
        (n_users,) mask.
    """
    user_item_codes = np.unique(train.user * train.n_items + train.item)
    return np.bincount(user_item_codes // train.n_items, minlength=train.n_users) >= train.n_items


def sample_queries(
    train: Interactions,
    n: int,
    rng: np.random.Generator,
    recency_power: float = 0.0,
    excluded_users: NDArray[np.bool_] | None = None,
) -> Queries:
    """Draw training queries: a user uniformly, then one of the user's interactions that has a past.

    Args:
        train: The training log.
        n: Number of queries.
        rng: The random numbers.
        recency_power: How much more often later interactions are drawn, as in `sample_training`.
        excluded_users: (n_users,) mask of users that no query is drawn of; None excludes nobody.

    Returns:
        n queries with their targets.

    Raises:
        MmsrarecError: No user has two training interactions and an item left to take.
    """
    lengths = np.diff(train.offsets)
    eligible_users = np.flatnonzero((lengths >= 2) & (True if excluded_users is None else ~excluded_users))
    if not len(eligible_users):
        raise MmsrarecError(
            "nobody has two training events and an item left to take, so there is nothing to learn from: give a longer "
            "log, or more items"
        )
    users = rng.choice(eligible_users, n)
    history_shares = rng.random(n) ** (1 / (1 + recency_power))  # density (1 + power) * x**power
    return queries_at(train, train.offsets[users] + 1 + (history_shares * (lengths[users] - 1)).astype(np.int64))


def sample_training(
    train: Interactions,
    n_examples: int,
    negatives: int,
    rng: np.random.Generator,
    recency_power: float = 0.0,
    matched: bool = True,
    excluded_users: NDArray[np.bool_] | None = None,
) -> tuple[Queries, IntArray, IntArray]:
    """Draw training examples: queries, each with one positive among negatives at a uniform place.

    A negative is an item that the user never consumed in training. An item that nobody consumed in training is no
    negative, because it can never be a positive. Users who consumed every item leave no negative and are left out.

    Args:
        train: The training log.
        n_examples: Number of examples, m.
        negatives: Negatives of an example.
        rng: The random numbers.
        recency_power: The query at share x of a history is drawn with a density proportional to x**recency_power.
        matched: Whether the share of new items, consumed by nobody before the query, is the same among negatives as
            among positives [extension]. Drawn uniformly, most negatives of early queries are new, and the model learns
            that a new item is not wanted.
        excluded_users: (n_users,) mask of users that no query is drawn of; None excludes nobody.

    Returns:
        The m queries, their (m, 1 + negatives) candidates, and the (m,) columns of the positives.

    Raises:
        MmsrarecError: There is nothing to learn from, as in `sample_queries`.
    """
    excluded = without_negatives(train)
    excluded = excluded if excluded_users is None else excluded | excluded_users
    queries = sample_queries(train, n_examples, rng, recency_power, excluded)
    place = rng.integers(0, negatives + 1, n_examples)
    candidates = np.empty((n_examples, negatives + 1), dtype=np.int64)
    first_times = np.full(train.n_items, np.iinfo(np.int64).max)
    np.minimum.at(first_times, train.item, train.time)
    new_share = np.mean(first_times[queries.target] >= queries.time) if n_examples else 0.0
    for row, user in enumerate(queries.user):
        unseen_items = _unseen_items(train, int(user))
        is_new = first_times[unseen_items] >= queries.time[row]
        n_new = rng.binomial(negatives + 1, new_share if matched else is_new.mean())
        candidates[row] = _draw_negatives(unseen_items[is_new], unseen_items[~is_new], n_new, negatives + 1, rng)
        candidates[row, place[row]] = queries.target[row]
    return queries, candidates, place


def _draw_negatives(
    new_items: IntArray, old_items: IntArray, n_new: int, n_items: int, rng: np.random.Generator
) -> IntArray:
    """`n_items` items in random order, `n_new` of them new if there are as many, each once if there are enough."""
    if len(new_items) + len(old_items) < n_items:
        return rng.choice(np.concatenate([new_items, old_items]), n_items)
    n_new = min(max(n_new, n_items - len(old_items)), len(new_items))
    parts = [rng.choice(new_items, n_new, replace=False), rng.choice(old_items, n_items - n_new, replace=False)]
    return rng.permutation(np.concatenate(parts))


def _unseen_items(train: Interactions, user: int) -> IntArray:
    """The items that may be negatives of a user; empty only for users of `without_negatives`."""
    consumed_items = train.items_of(user)
    unseen_items = np.setdiff1d(np.flatnonzero(train.counts), consumed_items)
    if not len(unseen_items):  # the user consumed all items of the training log: only the rest is left
        unseen_items = np.setdiff1d(np.arange(train.n_items), consumed_items)
    return unseen_items


def draw_hard_negatives(
    train: Interactions,
    queries: Queries,
    candidates: IntArray,
    place: IntArray,
    scores: Callable[[Sequence[IntArray]], NDArray[np.floating]],
    share: float,
    rng: np.random.Generator,
) -> tuple[IntArray, NDArray[np.float32]]:
    """Replace some negatives by items that an encoder ranks high, as those that the model re-ranks later [extension].

    A hard negative is one of the `HARD_NEGATIVE_POOL` highest items of the query, and no item that the user consumes at
    any time in training. To stand so high must tell nothing by itself: such items are negatives far more often than
    they would be by a uniform draw. So the loss takes from each logit the logarithm of how often its item is drawn
    (Bengio and Senecal 2008; Yi et al., RecSys 2019), and what is learned ranks as after uniform draws. That is exact
    where each negative is drawn by itself, so none of an example need be hard. The positive counts as high where it
    would be among the highest if the user had not consumed it.

    Args:
        train: The training log.
        queries: m queries.
        candidates: (m, c) item codes, unchanged by the call.
        place: (m,) columns of the positives.
        scores: Maps m histories to (m, n_items) scores of an encoder, which should not have been trained on the
            targets.
        share: How likely a negative is a hard one, 0 to below 1.
        rng: The random numbers.

    Returns:
        (m, c) item codes, and (m, c) logarithms of how many times as often as by the uniform draw each is drawn.
    """
    candidates, log_rates = candidates.copy(), np.zeros(candidates.shape, dtype=np.float32)
    is_hard = rng.random(candidates.shape) < share
    is_hard[np.arange(len(candidates)), place] = False
    for start in range(0, len(queries), 512):  # a block of full rankings at a time
        catalogue_scores = scores(queries.history[start : start + 512])
        for row, row_scores in enumerate(catalogue_scores, start=start):
            unseen_items = _unseen_items(train, int(queries.user[row]))
            highest = unseen_items[np.argsort(-row_scores[unseen_items], kind="stable")[:HARD_NEGATIVE_POOL]]
            pool = np.setdiff1d(highest, candidates[row, ~is_hard[row]])
            columns = np.flatnonzero(is_hard[row])[: len(pool)]
            candidates[row, columns] = rng.choice(pool, len(columns), replace=False)
            rate = 1 + share / len(highest) * len(unseen_items) / (1 - share)
            log_rates[row, row_scores[candidates[row]] >= row_scores[highest[-1]]] = np.log(rate)
    return candidates, log_rates
