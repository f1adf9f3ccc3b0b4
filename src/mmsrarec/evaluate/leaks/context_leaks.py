"""Leak checks of retrieval, the leak to fear: what a prompt's context may know, seen from outside.

Each check asks `Retrieval.gather`, the one function that training, evaluation and serving ask.
"""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from mmsrarec.data.dataset import Events, IntArray
from mmsrarec.data.splits import Moments, Split
from mmsrarec.errors import MmsrarecError
from mmsrarec.evaluate.leaks.finding import SURE, Build, Finding, share_difference
from mmsrarec.evaluate.leaks.perturbations import (
    all_at_once,
    by_others_before,
    free_items,
    last_moments,
    rows_of,
    some,
    with_items,
)
from mmsrarec.recommend.prompt.prompt_context import Evidence, Retrieval, sample_training
from mmsrarec.recommend.settings import RecommendSettings
from mmsrarec.retrieve.neighbours import SHORTEST_COPY

Gather: TypeAlias = Callable[[Moments, IntArray, RecommendSettings], list[Evidence]]

MOMENTS = 500
"""Moments a check looks at, at most."""
FACTOR, SMALL = 1.5, 0.02
"""Shares agree within this factor or this difference: users change from their last training event to their test."""


def held_out_item(log: Events, build: Build, settings: RecommendSettings, seed: int) -> Finding:
    """Plant one item in place of every test target, another in place of every validation target, and look for them in
    the context of test and training moments."""
    rng = np.random.default_rng(seed)
    log, (tested, validated) = free_items(log, 2)
    split = build(log).split
    log = with_items(log, rows_of(log, split.test), tested)
    log = with_items(log, rows_of(log, split.valid), validated)
    world = build(log)
    training, _, _ = sample_training(world.split.train, MOMENTS, 1, rng)
    shown = counted = asked = 0
    for moments in (some(world.split.test, MOMENTS, rng), training):
        for evidence in _ask(world.retrieval.gather, moments, np.array([tested, validated]), settings):
            shown += tested in evidence.history or bool({tested, validated} & _told(evidence))
            counted += _counted(evidence)
            asked += 1
    return Finding(
        "held-out items",
        shown == counted == 0 < asked,
        {"moments": asked, "shown": shown, "counted": counted},
        "a planted item that exists only as held-out is in no context, and no count knows it",
        "build index and counts from split.train alone",
    )


def clock(log: Events, build: Build, settings: RecommendSettings, seed: int) -> Finding:
    """Let all that happened from the middle of the log on happen in one second, as a planted item, and ask everybody
    at that very second: it must not show. A clock that is off by one shows it."""
    log, (planted,) = free_items(log, 1)
    now = int(np.median(log.time))
    log = all_at_once(log, now, planted)
    world, rng = build(log), np.random.default_rng(seed)
    early = log.where(log.time < now)
    users = np.flatnonzero(np.diff(early.offsets) > 0)
    users = np.sort(rng.permutation(users)[:MOMENTS])
    histories = tuple(early.items_of(int(user)) for user in users)
    moments = Moments(users, np.full(len(users), now), np.full(len(users), -1), histories)
    evidence = _ask(world.retrieval.gather, moments, np.array([planted]), settings)
    shown = sum(planted in _told(one) for one in evidence)
    counted = sum(map(_counted, evidence))
    return Finding(
        "the clock",
        shown == counted == 0 < len(users),
        {"moments": len(users), "shown": shown, "counted": counted},
        "what others do at the moment or later is in no context and no count",
        "compare times with <, not <=, in neighbours, next items and counts",
    )


def without_a_moment(retrieval: Retrieval, moments: Moments, settings: RecommendSettings) -> Finding:
    """Retrieval refuses to work for a moment that has no time."""
    one = moments.pick(np.array([0]))
    answered = []
    for name, time in (("none", np.array([-1])), ("not a number", np.array([np.nan])), ("missing", np.array([]))):
        try:
            timeless = Moments(one.user, time, one.target, one.history)
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
    event, which would be the answer."""
    train, rng = retrieval.train, np.random.default_rng(seed)
    k, after = retrieval.settings.k, int(retrieval.train.time.max(initial=0)) + 1
    long = np.flatnonzero(np.diff(train.offsets) >= SHORTEST_COPY)
    users = np.sort(rng.permutation(long)[:MOMENTS])
    whole = [train.items_of(int(user)) for user in users]

    def found(moments: Moments, own: IntArray) -> int:
        return int((retrieval.neighbours.find(moments, k).user == own[:, None]).any(axis=1).sum())

    def stranger(histories: list[IntArray]) -> int:
        nobody, now = np.full(len(users), -1), np.full(len(users), after)
        return found(Moments(nobody, now, nobody, tuple(histories)), users)

    known = [some(part, MOMENTS, rng) for part in (split.test, last_moments(train))]
    by_id = sum(found(moments, moments.user) for moments in known)
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
    event against the test, among targets that others had taken before and that were as popular then (strata are powers
    of two of their count). The other moments that training draws are reported, not judged: early events differ.
    """
    train, rng = split.train, np.random.default_rng(seed)
    drawn, _, _ = sample_training(train, packs, 1, rng)
    last, tested = (some(moments, 8 * MOMENTS, rng) for moments in (last_moments(train), split.test))
    asked = {"in training": (training, drawn), "at its end": (training, last), "in the test": (test, tested)}
    shares, unknown, hits, popular = {}, 0, {}, {}
    for name, (gather, moments) in asked.items():
        similar = _similar(gather, moments, settings)
        unknown += int(((similar >= 0) & (by_others_before(train, moments, similar) == 0)).any(axis=1).sum())
        hit = (similar == moments.target[:, None]).any(axis=1)
        before = by_others_before(train, moments, moments.target[:, None])[:, 0]
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
    """How often the target is among the collaborative items: at the moments that stage 3 trains on, and in the test."""
    moments, _, _ = sample_training(split.train, settings.packs, 1, np.random.default_rng(seed), settings.late)
    shares = {}
    for name, part in (("training", moments), ("test", split.test)):
        hit = _similar(retrieval.gather, part, settings) == part.target[:, None]
        shares[f"context_share_{name}"] = float(hit.any(axis=1).mean()) if len(part) else 0.0
    return shares


def _similar(gather: Gather, moments: Moments, settings: RecommendSettings) -> IntArray:
    """(m, c) the collaborative items of each moment, -1 where there are fewer."""
    evidence = gather(moments, moments.target[:, None], settings)
    similar = np.full((len(moments), max((len(one.similar) for one in evidence), default=0)), -1, dtype=np.int64)
    for row, one in zip(similar, evidence, strict=True):
        row[: len(one.similar)] = one.similar
    return similar


def _told(evidence: Evidence) -> set[int]:
    """The collaborative items of a moment, those included that speak by their keywords only."""
    return {*evidence.similar, *(voice.item for voice in evidence.voices)}


def _counted(evidence: Evidence) -> bool:
    """Whether any word about the candidates says that somebody took one of them."""
    words = (evidence.popularity, evidence.alike, evidence.follows, evidence.recency, evidence.trend)
    return any(map(any, words))


def _ask(gather: Gather, moments: Moments, items: IntArray, settings: RecommendSettings) -> list[Evidence]:
    """The evidence with the same candidates for all moments."""
    return gather(moments, np.broadcast_to(items, (len(moments), len(items))), settings)
