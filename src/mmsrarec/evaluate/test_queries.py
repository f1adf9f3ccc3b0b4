"""The test queries of a table: which are sealed, which are left out and why, and what is wrong before work begins.

A table ranks all test queries but these, and reports how many they are:

- Sealed users, a share of all by a hash of their id, until the table is final (`evaluate.sealed`). Figures of the other
  users compare with published ones within their intervals. `evaluate.open_sealed` ranks all users, as papers do;
  `evaluate.sealed=0` seals nobody.
- In the published protocol, users who leave fewer unconsumed items than the negatives that are drawn.
- In full ranking, queries whose target the user consumed before, unless items may be recommended again
  (`evaluate.repeat_consumption`). The published protocol keeps them: every row ranks a repeated target against items
  that the user never consumed. Their share is reported.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmsrarec.data.dataset import Dataset, IntArray, Interactions
from mmsrarec.data.splits import Queries, Split
from mmsrarec.errors import DataError
from mmsrarec.evaluate.protocols import enough_untouched
from mmsrarec.evaluate.settings import EvaluateSettings
from mmsrarec.recommend.training.training_samples import without_negatives

MANY_REPEATED = 0.5
"""Share of repeated targets above which full ranking without them covers the smaller part of the users."""


def sealed_users(user_ids: Sequence[str], share: float) -> NDArray[np.bool_]:
    """Choose the sealed users by the sha256 of their ids, so that no seed, split or filter changes the choice.

    Args:
        user_ids: m ids.
        share: Share of users to seal.

    Returns:
        (m,) mask; nobody is sealed where all users would be.
    """
    limit = int(share * 2**64)
    hashes = (hashlib.sha256(user_id.encode("utf-8", "surrogatepass")).digest() for user_id in user_ids)
    sealed = np.array([int.from_bytes(digest[:8], "big") < limit for digest in hashes], dtype=bool)
    return sealed & (not sealed.all())


def open_rows(test: Queries, user_ids: Sequence[str], settings: EvaluateSettings) -> tuple[IntArray, IntArray]:
    """The rows of the test queries that a table may rank, and of those that are sealed.

    Args:
        test: m test queries.
        user_ids: Id of each user code.
        settings: Settings of the comparison.

    Returns:
        The rows that a table may rank, all after `evaluate.open_sealed`; and the rows of sealed users.
    """
    sealed = sealed_users([user_ids[int(code)] for code in test.user], settings.sealed)
    allowed = np.ones(len(test), dtype=bool) if settings.open_sealed else ~sealed
    return np.flatnonzero(allowed), np.flatnonzero(sealed)


def sealed_words(split: Split, sealed: int, settings: EvaluateSettings) -> list[str]:
    """Describe the sealed users of a split.

    Args:
        split: The split.
        sealed: Number of sealed test users.
        settings: Settings of the comparison.

    Returns:
        A sentence; empty where nobody is sealed.
    """
    if not sealed:
        return []
    sentence = f"{split.name}: {sealed} of {len(split.test)} test users are sealed, by a hash of their id"
    if settings.open_sealed:
        return [f"{sentence}: the table is final and asks them too; their figures also stand apart."]
    return [
        f"{sentence}: no table asks them before it is final (evaluate.open_sealed=true), so that no choice is theirs."
    ]


def check_queries(split: Split, dataset: Dataset, settings: EvaluateSettings) -> list[str]:
    """Check a split before hours of work.

    Args:
        split: The split.
        dataset: The data set.
        settings: Settings of the comparison.

    Returns:
        Sentences on what a reader of the tables should know.

    Raises:
        DataError: No test query can be ranked, or nothing can be learned.
    """
    interactions, test = dataset.interactions, split.test
    notes: list[str] = []
    if settings.tune_baselines and not len(split.valid.rankable):
        raise DataError(
            f"{split.name}: every validation target was consumed before, so evaluate.tune_baselines has nothing to "
            "choose by: set it to 0, or evaluate.repeat_consumption=allow"
        )
    notes += _negatives_notes(split.name, test, interactions, settings.negatives)
    notes += _repeats_notes(split, settings)
    no_negatives = np.flatnonzero(without_negatives(split.train))
    learners = np.flatnonzero(np.diff(split.train.offsets) >= 2)
    if len(no_negatives) and len(no_negatives) == len(learners):
        raise DataError(
            f"{split.name}: every user to learn from has taken all {interactions.n_items} items, so there is no "
            "negative: add items, or users who took fewer"
        )
    if len(no_negatives):
        examples = ", ".join(f'"{dataset.user_ids[code]}"' for code in no_negatives[:3])
        notes.append(
            f"{split.name}: {len(no_negatives)} of {len(learners)} users to learn from have taken every item, such as "
            f"{examples}: the language model learns nothing from them, for there is no negative"
        )
    return notes


def _negatives_notes(name: str, test: Queries, interactions: Interactions, n_negatives: int) -> list[str]:
    """A sentence on the users who leave too few unconsumed items; DataError where all do."""
    n_items = interactions.n_items
    if n_items <= n_negatives:
        raise DataError(
            f"the published protocol puts each target among {n_negatives} items that its user never took, but the "
            f"catalogue has {n_items} items in all: set evaluate.negatives to {max(n_items // 2, 1)} or less"
        )
    left_out = int((~enough_untouched(test, interactions, n_negatives)).sum())
    if left_out == len(test):
        raise DataError(
            f"{name}: none of {len(test)} test users leaves {n_negatives} of {n_items} items untouched, which the "
            "published protocol draws as negatives: set evaluate.negatives lower"
        )
    if not left_out:
        return []
    return [
        f"{name}: {left_out} of {len(test)} test users leave fewer than {n_negatives} items untouched: left out of the "
        "published protocol (evaluate.negatives)"
    ]


def _repeats_notes(split: Split, settings: EvaluateSettings) -> list[str]:
    """Sentences on the targets that their users consumed before, and on how they are ranked."""
    n_repeated, n_users = int(split.test.repeated.sum()), len(split.test)
    if not n_repeated:
        return []
    sentence = f"{split.name}: {n_repeated} of {n_users} test users' targets were consumed before"
    if settings.repeat_consumption == "allow":
        return [f"{sentence}: ranked like all others, for evaluate.repeat_consumption=allow"]
    notes = [
        f"{sentence}: left out of full ranking; set evaluate.repeat_consumption=allow where people take things again"
    ]
    if n_repeated == n_users:
        notes.append(f"{split.name}: nobody is left to ask in full ranking: it has no rows")
    elif n_repeated > MANY_REPEATED * n_users:
        notes.append(
            f"{split.name}: full ranking asks the smaller part of the test users, {n_users - n_repeated} of them"
        )
    if not len(split.valid.rankable):
        notes.append(
            f"{split.name}: no validation target is new to its user either, so nothing is chosen on validation by full "
            "ranking: sequence models keep their last pass, and the first generator proposes"
        )
    return notes


def users_in_words(fact: Mapping[str, Any]) -> str:
    """Describe the users of a table.

    Args:
        fact: The table's facts (`table_facts.facts`).

    Returns:
        A phrase such as "test users: 2,033 (508 sealed)".
    """
    exceptions = [f"{fact['sealed_users']:,} sealed"] if fact["sealed_users"] else []
    if fact["left_out"]:
        exceptions.append(f"{fact['left_out']:,} of all left out, for {fact['left_out_reason']}")
    text = f"test users: {fact['users']:,}" + (f" ({'; '.join(exceptions)})" if exceptions else "")
    if fact["repeat_share"]:
        text += f"; {fact['repeat_share']:.1%} of targets were consumed before ({fact['repeat_consumption']})"
    return text
