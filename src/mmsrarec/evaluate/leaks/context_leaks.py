"""Leak checks of retrieval: what a prompt's context may know, seen from outside.

Each check calls `Retrieval.gather`, the one function that training, evaluation and serving call.
"""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from mmsrarec.data.dataset import IntArray, Interactions
from mmsrarec.data.splits import Queries, Split
from mmsrarec.errors import MmsrarecError
from mmsrarec.evaluate.leaks.finding import Z_999, Finding, Rebuild, share_difference
from mmsrarec.evaluate.leaks.perturbations import (
    all_at_once,
    count_earlier_by_others,
    free_items,
    last_queries,
    rows_of,
    subsample,
    with_items,
)
from mmsrarec.recommend.prompt.prompt_context import PromptContext, Retrieval
from mmsrarec.recommend.settings import RecommendSettings
from mmsrarec.recommend.training.training_samples import sample_training
from mmsrarec.retrieve.neighbours import MIN_COPY_LENGTH

Gather: TypeAlias = Callable[[Queries, IntArray, RecommendSettings], list[PromptContext]]

MAX_QUERIES = 500
"""Largest number of queries that a check looks at."""
MAX_SHARE_RATIO, MAX_SHARE_DIFFERENCE = 1.5, 0.02
"""Ratio or difference within which two shares agree; users change between their last training interaction and the
test."""


def held_out_item(log: Interactions, build: Rebuild, settings: RecommendSettings, seed: int) -> Finding:
    """Check that no context knows a held-out item.

    One item is planted in place of every test target, another in place of every validation target.

    Args:
        log: The whole log.
        build: Rebuilds the run from another log.
        settings: What a prompt shows.
        seed: Seed of the queries that are looked at.

    Returns:
        Passed where no context of test and training queries shows or counts a planted item.
    """
    rng = np.random.default_rng(seed)
    log, (test_item, validation_item) = free_items(log, 2)
    split = build(log).split
    log = with_items(log, rows_of(log, split.test), test_item)
    log = with_items(log, rows_of(log, split.valid), validation_item)
    run_view = build(log)
    training_queries, _, _ = sample_training(run_view.split.train, MAX_QUERIES, 1, rng)
    n_shown = n_counted = n_queries = 0
    for queries in (subsample(run_view.split.test, MAX_QUERIES, rng), training_queries):
        items = np.array([test_item, validation_item])
        for context in _gather_for_all(run_view.retrieval.gather, queries, items, settings):
            n_shown += test_item in context.history or bool({test_item, validation_item} & _shown_items(context))
            n_counted += _counts_any(context)
            n_queries += 1
    return Finding(
        "held-out items",
        n_shown == n_counted == 0 < n_queries,
        {"queries": n_queries, "shown": n_shown, "counted": n_counted},
        "a planted item that exists only as held-out is in no context, and no count knows it",
        "build index and counts from split.train alone",
    )


def temporal_rule(log: Interactions, build: Rebuild, settings: RecommendSettings, seed: int) -> Finding:
    """Check the temporal leakage rule: no context knows what happens in the second of its query.

    All interactions from the middle of the log on are moved into one second, with a planted item. The queries are at
    that very second. A comparison of times that is off by one shows the item.

    Args:
        log: The whole log.
        build: Rebuilds the run from another log.
        settings: What a prompt shows.
        seed: Seed of the users that are looked at.

    Returns:
        Passed where no context shows or counts the planted item.
    """
    log, (planted_item,) = free_items(log, 1)
    now = int(np.median(log.time))
    log = all_at_once(log, now, planted_item)
    run_view, rng = build(log), np.random.default_rng(seed)
    past = log.where(log.time < now)
    users = np.flatnonzero(np.diff(past.offsets) > 0)
    users = np.sort(rng.permutation(users)[:MAX_QUERIES])
    histories = tuple(past.items_of(int(user)) for user in users)
    queries = Queries(users, np.full(len(users), now), np.full(len(users), -1), histories)
    contexts = _gather_for_all(run_view.retrieval.gather, queries, np.array([planted_item]), settings)
    n_shown = sum(planted_item in _shown_items(context) for context in contexts)
    n_counted = sum(map(_counts_any, contexts))
    return Finding(
        "the clock",
        n_shown == n_counted == 0 < len(users),
        {"queries": len(users), "shown": n_shown, "counted": n_counted},
        "what others do at the moment or later is in no context and no count",
        "compare times with <, not <=, in neighbours, next items and counts",
    )


def timeless_query(retrieval: Retrieval, queries: Queries, settings: RecommendSettings) -> Finding:
    """Check that retrieval refuses a query without a time.

    Args:
        retrieval: Stage 2 of the run.
        queries: Queries, of which the first is used.
        settings: What a prompt shows.

    Returns:
        Passed where every kind of missing time raises MmsrarecError.
    """
    query = queries.pick(np.array([0]))
    answered_labels: list[str] = []
    for name, no_time in (("none", np.array([-1])), ("not a number", np.array([np.nan])), ("missing", np.array([]))):
        try:
            timeless = Queries(query.user, no_time, query.target, query.history)
            retrieval.gather(timeless, query.target[:, None], settings)
            answered_labels.append(name)
        except MmsrarecError:
            continue
    return Finding(
        "no query, no retrieval",
        not answered_labels,
        {"asked": 3, "answered": ", ".join(answered_labels) or "none"},
        "without a time there is no telling what is in the future",
        "let whatever retrieves begin with neighbours.clock",
    )


def self_retrieval(retrieval: Retrieval, split: Split, seed: int) -> Finding:
    """Check that no user is a neighbour of itself.

    A user is looked for by id, as an unknown user with the same sequence, and as one with all but the last interaction,
    which would be the answer.

    Args:
        retrieval: Stage 2 of the run.
        split: The split that is checked.
        seed: Seed of the users that are looked at.

    Returns:
        Passed where no user retrieves itself.
    """
    train, rng = retrieval.train, np.random.default_rng(seed)
    k, after_the_log = retrieval.settings.k, int(retrieval.train.time.max(initial=0)) + 1
    long_enough = np.flatnonzero(np.diff(train.offsets) >= MIN_COPY_LENGTH)
    users = np.sort(rng.permutation(long_enough)[:MAX_QUERIES])
    histories = [train.items_of(int(user)) for user in users]

    def count_own(queries: Queries, own_users: IntArray) -> int:
        return int((retrieval.neighbours.find(queries, k).user == own_users[:, None]).any(axis=1).sum())

    def count_as_unknown_user(histories: list[IntArray]) -> int:
        no_user, now = np.full(len(users), -1), np.full(len(users), after_the_log)
        return count_own(Queries(no_user, now, no_user, tuple(histories)), users)

    query_sets = [subsample(part, MAX_QUERIES, rng) for part in (split.test, last_queries(train))]
    by_id = sum(count_own(queries, queries.user) for queries in query_sets)
    figures = {
        "asked": sum(map(len, query_sets)) + 2 * len(users),
        "by id": by_id,
        "by sequence": count_as_unknown_user(histories),
        "by all but the last event": count_as_unknown_user([items[:-1] for items in histories]),
    }
    return Finding(
        "the user itself",
        not any(list(figures.values())[1:]),
        figures,
        "nobody retrieves itself, nor an account that copies it",
        "exclude the query's user, and users of the same sequence, from the neighbours",
    )


def agreement(
    training: Gather, test: Gather, split: Split, settings: RecommendSettings, packs: int, seed: int
) -> Finding:
    """Check that contexts of training and of the test hold their targets equally often.

    Exact: another user consumed each item of a context strictly before the query. Statistical: every user's last
    training interaction is compared with the test, among targets that others had consumed before and that were equally
    popular then; a stratum is a power of two of their interactions. The other training queries are only reported,
    because early interactions differ.

    Args:
        training: Gathers the contexts of training.
        test: Gathers the contexts of the test.
        split: The split that is checked.
        settings: What a prompt shows.
        packs: Number of training queries that are reported.
        seed: Seed of the queries that are looked at.

    Returns:
        Passed where every item of a context is from before its query, and the shares agree.
    """
    train, rng = split.train, np.random.default_rng(seed)
    drawn_queries, _, _ = sample_training(train, packs, 1, rng)
    last_training, test_queries = (
        subsample(queries, 8 * MAX_QUERIES, rng) for queries in (last_queries(train), split.test)
    )
    sources: dict[str, tuple[Gather, Queries]] = {
        "in training": (training, drawn_queries),
        "at its end": (training, last_training),
        "in the test": (test, test_queries),
    }
    n_unknown = 0
    shares: dict[str, float] = {}
    hits_by_name: dict[str, NDArray[np.bool_]] = {}
    strata: dict[str, IntArray] = {}
    for name, (gather, queries) in sources.items():
        similar = _similar(gather, queries, settings)
        n_unknown += int(((similar >= 0) & (count_earlier_by_others(train, queries, similar) == 0)).any(axis=1).sum())
        is_hit = (similar == queries.target[:, None]).any(axis=1)
        n_earlier = count_earlier_by_others(train, queries, queries.target[:, None])[:, 0]
        shares[name] = float(is_hit.mean())
        hits_by_name[name], strata[name] = is_hit[n_earlier > 0], np.log2(n_earlier[n_earlier > 0]).astype(np.int64)
    difference, error = share_difference(
        hits_by_name["at its end"], strata["at its end"], hits_by_name["in the test"], strata["in the test"]
    )
    compared_hits = [hits_by_name[name] for name in ("at its end", "in the test") if len(hits_by_name[name])]
    larger_share = max((float(hits.mean()) for hits in compared_hits), default=0.0)
    allowed = max(MAX_SHARE_DIFFERENCE, larger_share * (1 - 1 / MAX_SHARE_RATIO))
    agree = bool(abs(difference) - Z_999 * error <= allowed)
    return Finding(
        "training and test contexts",
        not n_unknown and agree,
        {
            **{f"target's share {name}": share for name, share in shares.items()},
            "difference among equals": float(difference),
            "±": float(Z_999 * error),
            "allowed": allowed,
            "contexts ahead of their time": n_unknown,
        },
        "one function under one clock makes both, so equals find their target in the context alike often",
        "let training ask Retrieval.gather at the moment of the event, as evaluation does",
    )


def target_shares(retrieval: Retrieval, split: Split, settings: RecommendSettings, seed: int) -> dict[str, float]:
    """The share of queries whose target is among the collaborative items of their context.

    Args:
        retrieval: Stage 2 of the run.
        split: The split.
        settings: Settings of stage 3.
        seed: Seed of the training queries.

    Returns:
        "context_share_training" of the queries that stage 3 trains on, and "context_share_test".
    """
    queries, _, _ = sample_training(
        split.train, settings.n_examples, 1, np.random.default_rng(seed), settings.recency_power
    )
    shares: dict[str, float] = {}
    for name, queries_part in (("training", queries), ("test", split.test)):
        is_target = _similar(retrieval.gather, queries_part, settings) == queries_part.target[:, None]
        shares[f"context_share_{name}"] = float(is_target.any(axis=1).mean()) if len(queries_part) else 0.0
    return shares


def _similar(gather: Gather, queries: Queries, settings: RecommendSettings) -> IntArray:
    """(m, s) collaborative items of each query, -1 behind the last."""
    contexts = gather(queries, queries.target[:, None], settings)
    width = max((len(context.similar) for context in contexts), default=0)
    similar = np.full((len(queries), width), -1, dtype=np.int64)
    for row, context in zip(similar, contexts, strict=True):
        row[: len(context.similar)] = context.similar
    return similar


def _shown_items(context: PromptContext) -> set[int]:
    """The collaborative items of a query, with those that only contribute keywords."""
    return {*context.similar, *(vote.item for vote in context.votes)}


def _counts_any(context: PromptContext) -> bool:
    """Whether any level of the candidates says that somebody consumed one of them."""
    levels = (context.popularity, context.neighbour_votes, context.follows, context.recency, context.trend)
    return any(map(any, levels))


def _gather_for_all(
    gather: Gather, queries: Queries, items: IntArray, settings: RecommendSettings
) -> list[PromptContext]:
    """The prompt contexts of queries that all have the same candidates."""
    return gather(queries, np.broadcast_to(items, (len(queries), len(items))), settings)
