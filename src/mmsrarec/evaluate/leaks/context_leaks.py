"""Leak checks of retrieval, the leak to fear: what a prompt's context may know, seen from outside.

Each check asks `Retrieval.gather`, the one function that training, evaluation and serving ask.
"""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from mmsrarec.data.dataset import IntArray, Interactions
from mmsrarec.data.splits import Queries, Split
from mmsrarec.errors import MmsrarecError
from mmsrarec.evaluate.leaks.finding import SURE, Finding, Rebuild, share_difference
from mmsrarec.evaluate.leaks.perturbations import (
    all_at_once,
    by_others_before,
    free_items,
    last_queries,
    rows_of,
    some,
    with_items,
)
from mmsrarec.recommend.prompt.prompt_context import PromptContext, Retrieval, sample_training
from mmsrarec.recommend.settings import RecommendSettings
from mmsrarec.retrieve.neighbours import MIN_COPY_LENGTH

Gather: TypeAlias = Callable[[Queries, IntArray, RecommendSettings], list[PromptContext]]

QUERIES = 500
"""Queries a check looks at, at most."""
FACTOR, SMALL = 1.5, 0.02
"""Shares agree within this factor or this difference: users change from their last training interaction to their
test."""


def held_out_item(log: Interactions, build: Rebuild, settings: RecommendSettings, seed: int) -> Finding:
    """Plant one item in place of every test target, another in place of every validation target, and look for them in
    the context of test and training queries."""
    rng = np.random.default_rng(seed)
    log, (tested, validated) = free_items(log, 2)
    split = build(log).split
    log = with_items(log, rows_of(log, split.test), tested)
    log = with_items(log, rows_of(log, split.valid), validated)
    run_view = build(log)
    training, _, _ = sample_training(run_view.split.train, QUERIES, 1, rng)
    shown = counted = asked = 0
    for queries in (some(run_view.split.test, QUERIES, rng), training):
        for context in _ask(run_view.retrieval.gather, queries, np.array([tested, validated]), settings):
            shown += tested in context.history or bool({tested, validated} & _told(context))
            counted += _counted(context)
            asked += 1
    return Finding(
        "held-out items",
        shown == counted == 0 < asked,
        {"moments": asked, "shown": shown, "counted": counted},
        "a planted item that exists only as held-out is in no context, and no count knows it",
        "build index and counts from split.train alone",
    )


def clock(log: Interactions, build: Rebuild, settings: RecommendSettings, seed: int) -> Finding:
    """Let all that happened from the middle of the log on happen in one second, as a planted item, and ask everybody
    at that very second: it must not show. A clock that is off by one shows it."""
    log, (planted,) = free_items(log, 1)
    now = int(np.median(log.time))
    log = all_at_once(log, now, planted)
    run_view, rng = build(log), np.random.default_rng(seed)
    early = log.where(log.time < now)
    users = np.flatnonzero(np.diff(early.offsets) > 0)
    users = np.sort(rng.permutation(users)[:QUERIES])
    histories = tuple(early.items_of(int(user)) for user in users)
    queries = Queries(users, np.full(len(users), now), np.full(len(users), -1), histories)
    context = _ask(run_view.retrieval.gather, queries, np.array([planted]), settings)
    shown = sum(planted in _told(one) for one in context)
    counted = sum(map(_counted, context))
    return Finding(
        "the clock",
        shown == counted == 0 < len(users),
        {"moments": len(users), "shown": shown, "counted": counted},
        "what others do at the moment or later is in no context and no count",
        "compare times with <, not <=, in neighbours, next items and counts",
    )


def without_a_query(retrieval: Retrieval, queries: Queries, settings: RecommendSettings) -> Finding:
    """Retrieval refuses to work for a query that has no time."""
    one = queries.pick(np.array([0]))
    answered = []
    for name, time in (("none", np.array([-1])), ("not a number", np.array([np.nan])), ("missing", np.array([]))):
        try:
            timeless = Queries(one.user, time, one.target, one.history)
            retrieval.gather(timeless, one.target[:, None], settings)
            answered.append(name)
        except MmsrarecError:
            continue
    return Finding(
        "no moment, no retrieval",
        not answered,
        {"asked": 3, "answered": ", ".join(answered) or "none"},
        "without a time there is no telling what is in the future",
        "let whatever retrieves begin with neighbours.clock",
    )


def itself(retrieval: Retrieval, split: Split, seed: int) -> Finding:
    """Nobody is a neighbour of its own: by id, and as a stranger with the same sequence, or with all but its last
    interaction, which would be the answer."""
    train, rng = retrieval.train, np.random.default_rng(seed)
    k, after = retrieval.settings.k, int(retrieval.train.time.max(initial=0)) + 1
    long = np.flatnonzero(np.diff(train.offsets) >= MIN_COPY_LENGTH)
    users = np.sort(rng.permutation(long)[:QUERIES])
    whole = [train.items_of(int(user)) for user in users]

    def found(queries: Queries, own: IntArray) -> int:
        return int((retrieval.neighbours.find(queries, k).user == own[:, None]).any(axis=1).sum())

    def stranger(histories: list[IntArray]) -> int:
        nobody, now = np.full(len(users), -1), np.full(len(users), after)
        return found(Queries(nobody, now, nobody, tuple(histories)), users)

    known = [some(part, QUERIES, rng) for part in (split.test, last_queries(train))]
    by_id = sum(found(queries, queries.user) for queries in known)
    measured = {
        "asked": sum(map(len, known)) + 2 * len(users),
        "by id": by_id,
        "by sequence": stranger(whole),
        "by all but the last event": stranger([items[:-1] for items in whole]),
    }
    return Finding(
        "the user itself",
        not any(list(measured.values())[1:]),
        measured,
        "nobody retrieves itself, nor an account that copies it",
        "exclude the moment's user, and users of the same sequence, from the neighbours",
    )


def agreement(
    training: Gather, test: Gather, split: Split, settings: RecommendSettings, packs: int, seed: int
) -> Finding:
    """Contexts of training and of test hold their targets alike often, and nothing that nobody else had taken yet.

    Exact: each item of a context was taken by somebody else strictly before. Statistical: everybody's last training
    interaction against the test, among targets that others had taken before and that were as popular then (strata are
    powers of two of their count). The other queries that training draws are reported, not judged: early interactions
    differ.
    """
    train, rng = split.train, np.random.default_rng(seed)
    drawn, _, _ = sample_training(train, packs, 1, rng)
    last, tested = (some(queries, 8 * QUERIES, rng) for queries in (last_queries(train), split.test))
    asked = {"in training": (training, drawn), "at its end": (training, last), "in the test": (test, tested)}
    shares, unknown, hits, popular = {}, 0, {}, {}
    for name, (gather, queries) in asked.items():
        similar = _similar(gather, queries, settings)
        unknown += int(((similar >= 0) & (by_others_before(train, queries, similar) == 0)).any(axis=1).sum())
        hit = (similar == queries.target[:, None]).any(axis=1)
        before = by_others_before(train, queries, queries.target[:, None])[:, 0]
        shares[name] = float(hit.mean())
        hits[name], popular[name] = hit[before > 0], np.log2(before[before > 0]).astype(np.int64)
    difference, error = share_difference(
        hits["at its end"], popular["at its end"], hits["in the test"], popular["in the test"]
    )
    larger = max((float(hits[name].mean()) for name in ("at its end", "in the test") if len(hits[name])), default=0.0)
    allowed = max(SMALL, larger * (1 - 1 / FACTOR))
    agree = bool(abs(difference) - SURE * error <= allowed)
    return Finding(
        "training and test contexts",
        not unknown and agree,
        {
            **{f"target's share {name}": share for name, share in shares.items()},
            "difference among equals": float(difference),
            "±": float(SURE * error),
            "allowed": allowed,
            "contexts ahead of their time": unknown,
        },
        "one function under one clock makes both, so equals find their target in the context alike often",
        "let training ask Retrieval.gather at the moment of the event, as evaluation does",
    )


def target_shares(retrieval: Retrieval, split: Split, settings: RecommendSettings, seed: int) -> dict[str, float]:
    """How often the target is among the collaborative items: at the queries that stage 3 trains on, and in the test."""
    queries, _, _ = sample_training(
        split.train, settings.n_examples, 1, np.random.default_rng(seed), settings.recency_power
    )
    shares = {}
    for name, part in (("training", queries), ("test", split.test)):
        hit = _similar(retrieval.gather, part, settings) == part.target[:, None]
        shares[f"context_share_{name}"] = float(hit.any(axis=1).mean()) if len(part) else 0.0
    return shares


def _similar(gather: Gather, queries: Queries, settings: RecommendSettings) -> IntArray:
    """(m, c) the collaborative items of each query, -1 where there are fewer."""
    context = gather(queries, queries.target[:, None], settings)
    similar = np.full((len(queries), max((len(one.similar) for one in context), default=0)), -1, dtype=np.int64)
    for row, one in zip(similar, context, strict=True):
        row[: len(one.similar)] = one.similar
    return similar


def _told(context: PromptContext) -> set[int]:
    """The collaborative items of a query, those included that speak by their keywords only."""
    return {*context.similar, *(vote.item for vote in context.votes)}


def _counted(context: PromptContext) -> bool:
    """Whether any word about the candidates says that somebody took one of them."""
    words = (context.popularity, context.neighbour_votes, context.follows, context.recency, context.trend)
    return any(map(any, words))


def _ask(gather: Gather, queries: Queries, items: IntArray, settings: RecommendSettings) -> list[PromptContext]:
    """The prompt context with the same candidates for all queries."""
    return gather(queries, np.broadcast_to(items, (len(queries), len(items))), settings)
