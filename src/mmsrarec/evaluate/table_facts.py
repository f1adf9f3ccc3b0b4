"""What is reported beside a table: whom it asks, how items are ranked, and the parts of its users."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmsrarec.data.dataset import Interactions
from mmsrarec.data.splits import Queries, Split
from mmsrarec.evaluate.protocols import Candidates

HEAD_SHARE = 0.2
"""Share of the catalogue, by number of interactions, that is its head; the other consumed items are its tail."""


def facts(
    split: Split,
    interactions: Interactions,
    seed: int,
    candidates: Candidates | None = None,
    n_users: int | None = None,
    sealed: int = 0,
) -> dict[str, Any]:
    """Describe a table in a JSON object.

    Its shares are of all test queries, because they describe the data: "tied_share" of the queries at whose second the
    user consumed another item too, so that the order of the file decides which item is the last; "cold_share" of those
    whose target does not occur in training; "repeat_share" of those whose target the user consumed before. "left_out"
    counts the test users that the protocol cannot rank, sealed or not.

    Args:
        split: The split that is tested.
        interactions: The whole log.
        seed: Seed of the run.
        candidates: Those of the published protocol, drawn for all test queries; None: full ranking.
        n_users: Number of users of the table; None: all that are not left out.
        sealed: Number of sealed users.

    Returns:
        Name to value.
    """
    test = split.test
    left_out = len(test) - (len(test.rankable) if candidates is None else len(candidates.user))
    times = (interactions.time[interactions.rows(int(user))] if user >= 0 else () for user in test.user)
    tied = [
        np.count_nonzero(np.asarray(user_times) == time) > 1 for user_times, time in zip(times, test.time, strict=True)
    ]
    cold = split.train.counts[test.target] == 0
    return {
        "protocol": "full" if candidates is None else "published",
        "split": split.name,
        "candidates": ("every item" if test.allow_seen else "every item the user has not had")
        if candidates is None
        else f"1 positive and {candidates.items.shape[1] - 1} uniform negatives the user never touched",
        "negatives": None if candidates is None else candidates.items.shape[1] - 1,
        "seed": seed if candidates is None else candidates.seed,
        "candidate_hash": None if candidates is None else candidates.digest,
        "users": len(test) - left_out if n_users is None else n_users,
        "test_users": len(test),
        "sealed_users": sealed,
        "left_out": left_out,
        "left_out_reason": _left_out_reason(left_out, candidates),
        "items": interactions.n_items,
        "tied_share": float(np.mean(tied)) if len(test) else 0.0,
        "cold_share": float(cold.mean()) if len(test) else 0.0,
        "repeat_share": float(test.repeated.mean()) if len(test) else 0.0,
        "repeat_consumption": "allow" if test.allow_seen else "exclude",
        "history": _history_words(test.allow_seen, candidates),
        "ties": "tied scores count as their mean over all orders",
    }


def _left_out_reason(left_out: int, candidates: Candidates | None) -> str | None:
    """Why users are left out; None where nobody is."""
    if not left_out:
        return None
    return "their target was consumed before" if candidates is None else "they leave too few items untouched"


def _history_words(allow_seen: bool, candidates: Candidates | None) -> str:
    """How items of the user's history are treated."""
    if candidates is not None:
        return "negatives were never touched; a target that was consumed before is ranked like any other"
    if allow_seen:
        return "items the user consumed before are ranked like all others, by every row"
    return "items the user consumed before are not ranked, by no row; queries whose target is one are left out"


def target_slices(queries: Queries, train: Interactions, has_image: NDArray[np.bool_]) -> dict[str, NDArray[np.bool_]]:
    """The parts of the test users that are also reported by themselves.

    Args:
        queries: m test queries.
        train: The training log.
        has_image: (n_items,) mask.

    Returns:
        Description to an (m,) mask.
    """
    counts, is_head = train.counts, np.zeros(train.n_items, dtype=bool)
    is_head[np.argsort(-counts, kind="stable")[: round(HEAD_SHARE * train.n_items)]] = True
    is_head &= counts > 0
    return {
        "target unseen in training": counts[queries.target] == 0,
        "target in the head, the fifth of the catalogue that training takes most": is_head[queries.target],
        "target in the tail": (counts > 0)[queries.target] & ~is_head[queries.target],
        "target without an image": ~has_image[queries.target],
    }
