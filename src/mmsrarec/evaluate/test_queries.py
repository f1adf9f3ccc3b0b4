"""Whom a table asks: who is sealed, who is left out and why, and what is wrong before any work begins.

A query is a test query. Each table asks all of them but those whom its rules leave out, and says how many those are:

- sealed users, a share of all by a hash of their id, until the table is final (`evaluate.sealed`). Figures of the rest
  compare with published ones within their intervals, and are drawn among the same candidates; `evaluate.open_sealed`
  asks everybody, as papers do, and `evaluate.sealed=0` seals nobody;
- published protocol: users who leave fewer untouched items than the negatives that are drawn;
- full ranking: queries whose target the user had before, unless items may be recommended again
  (`evaluate.repeat_consumption`). The published protocol keeps them: its candidates are named, so every row ranks a
  repeated target alike, against items never touched; their share is said.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmsrarec.data.dataset import Dataset, IntArray, Interactions
from mmsrarec.data.splits import Queries, Split
from mmsrarec.errors import MmsrarecError
from mmsrarec.evaluate.protocols import enough_untouched
from mmsrarec.evaluate.settings import EvaluateSettings
from mmsrarec.recommend.training.training_samples import without_negatives

MANY_REPEATED = 0.5
"""Above this share of repeated targets, a full ranking without them asks the smaller part of the users."""


def sealed_users(user_ids: Sequence[str], share: float) -> NDArray[np.bool_]:
    """(m,): whether each user is sealed. By sha256 of the id alone, so that no seed, split or filter moves anybody.

    Nobody is sealed where that would leave nobody to ask.
    """
    limit = int(share * 2**64)
    hashes = (hashlib.sha256(user_id.encode("utf-8", "surrogatepass")).digest() for user_id in user_ids)
    sealed = np.array([int.from_bytes(digest[:8], "big") < limit for digest in hashes], dtype=bool)
    return sealed & (not sealed.all())


def open_rows(test: Queries, user_ids: Sequence[str], settings: EvaluateSettings) -> tuple[IntArray, IntArray]:
    """Rows of the test whom a table may ask, and those that are sealed; after `evaluate.open_sealed` everybody may be
    asked, and the sealed ones are told apart."""
    sealed = sealed_users([user_ids[int(code)] for code in test.user], settings.sealed)
    asked = np.ones(len(test), dtype=bool) if settings.open_sealed else ~sealed
    return np.flatnonzero(asked), np.flatnonzero(sealed)


def sealed_words(split: Split, sealed: int, settings: EvaluateSettings) -> list[str]:
    """A sentence on who is sealed; nothing where nobody is."""
    if not sealed:
        return []
    found = f"{split.name}: {sealed} of {len(split.test)} test users are sealed, by a hash of their id"
    if settings.open_sealed:
        return [f"{found}: the table is final and asks them too; their figures also stand apart."]
    return [f"{found}: no table asks them before it is final (evaluate.open_sealed=true), so that no choice is theirs."]


def check_queries(split: Split, dataset: Dataset, settings: EvaluateSettings) -> list[str]:
    """What a user should know of a split before hours of work, a sentence each.

    Raises MmsrarecError where nobody can be asked, or nothing can be learned.
    """
    interactions, test, said = dataset.interactions, split.test, []
    if settings.tune_baselines and not len(split.valid.rankable):
        raise MmsrarecError(
            f"{split.name}: every validation target was had before, so evaluate.tune_baselines has nothing to choose "
            "by: set it to 0, or evaluate.repeat_consumption=allow"
        )
    said += _negatives(split.name, test, interactions, settings.negatives)
    said += _repeats(split, settings)
    nothing_left = np.flatnonzero(without_negatives(split.train))
    trained = np.flatnonzero(np.diff(split.train.offsets) >= 2)
    if len(nothing_left) and len(nothing_left) == len(trained):
        raise MmsrarecError(
            f"{split.name}: every user to learn from has taken all {interactions.n_items} items, so there is no "
            "negative: add items, or users who took fewer"
        )
    if len(nothing_left):
        named = ", ".join(f'"{dataset.user_ids[code]}"' for code in nothing_left[:3])
        said.append(
            f"{split.name}: {len(nothing_left)} of {len(trained)} users to learn from have taken every item, such as "
            f"{named}: the language model learns nothing from them, for there is no negative"
        )
    return said


def _negatives(name: str, test: Queries, interactions: Interactions, wanted: int) -> list[str]:
    if interactions.n_items <= wanted:
        raise MmsrarecError(
            f"the published protocol puts each target among {wanted} items that its user never took, but the catalogue "
            f"has {interactions.n_items} items in all: set evaluate.negatives to "
            f"{max(interactions.n_items // 2, 1)} or less"
        )
    left_out = int((~enough_untouched(test, interactions, wanted)).sum())
    if left_out == len(test):
        raise MmsrarecError(
            f"{name}: none of {len(test)} test users leaves {wanted} of {interactions.n_items} items untouched, which "
            "the published protocol draws as negatives: set evaluate.negatives lower"
        )
    if not left_out:
        return []
    return [
        f"{name}: {left_out} of {len(test)} test users leave fewer than {wanted} items untouched: left out of the "
        "published protocol (evaluate.negatives)"
    ]


def _repeats(split: Split, settings: EvaluateSettings) -> list[str]:
    """How often what is asked was had before, and what becomes of it."""
    repeated, users = int(split.test.repeated.sum()), len(split.test)
    if not repeated:
        return []
    found = f"{split.name}: {repeated} of {users} test users' targets were had before"
    if settings.repeat_consumption == "allow":
        return [f"{found}: ranked like all others, for evaluate.repeat_consumption=allow"]
    said = [f"{found}: left out of full ranking; set evaluate.repeat_consumption=allow where people take things again"]
    if repeated == users:
        said.append(f"{split.name}: nobody is left to ask in full ranking: it has no rows")
    elif repeated > MANY_REPEATED * users:
        said.append(f"{split.name}: full ranking asks the smaller part of the test users, {users - repeated} of them")
    if not len(split.valid.rankable):
        said.append(
            f"{split.name}: no validation target is new to its user either, so nothing is chosen on validation by full "
            "ranking: sequence models keep their last pass, and the first generator proposes"
        )
    return said


def users_in_words(fact: Mapping[str, Any]) -> str:
    """Whom a table asks, and whom it does not, of `protocol.facts`: "test users: 2,033 (508 sealed)"."""
    apart = [f"{fact['sealed_users']:,} sealed"] if fact["sealed_users"] else []
    if fact["left_out"]:
        apart.append(f"{fact['left_out']:,} of all left out, for {fact['left_out_reason']}")
    said = f"test users: {fact['users']:,}" + (f" ({'; '.join(apart)})" if apart else "")
    if fact["repeat_share"]:
        said += f"; {fact['repeat_share']:.1%} of targets were had before ({fact['repeat_consumption']})"
    return said
