"""Who asks a recommender, and about what: ids become codes, and what is unknown is refused or named."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias, TypeGuard

import numpy as np
from numpy.typing import NDArray

from mmsrarec.data.dataset import Dataset, IntArray
from mmsrarec.data.splits import Queries
from mmsrarec.errors import MmsrarecError, UnknownIdError
from mmsrarec.recommend.prompt.preferences import UserPreferences, without_effect
from mmsrarec.runs.answers.arguments import ItemIds, checked_id, checked_ids

MAX_IDS_NAMED = 10
"""Ids in a message, at most."""
Who: TypeAlias = Mapping[str, Any]
"""Who asks: `user`, an id, or `history`, item ids; the other is None or absent."""


@dataclass(frozen=True)
class Questions:
    """Reads questions about a catalogue.

    Attributes:
        dataset: The catalogue.
        allow_seen: Whether items that they had may be recommended, where a question does not say it.
        gone: Ids of items that were deleted: nobody can name them any more.
    """

    dataset: Dataset
    allow_seen: bool = False
    gone: frozenset[str] = frozenset()

    @cached_property
    def known(self) -> Mapping[str, int]:
        """The codes of the items that a question can name, by id."""
        codes = self.dataset.item_code
        return {name: code for name, code in codes.items() if name not in self.gone} if self.gone else codes

    def query(
        self, user: str | int | None, history: ItemIds | None, strict: bool = False
    ) -> tuple[Queries, tuple[str, ...]]:
        """The prediction point now, after everything in the log; and the ids of the history that are not known.

        Raises:
            UnknownIdError: A user who is not there, a history of which nothing is known, or with `strict` not all.
            MmsrarecError: Neither a user nor a history, or both.
        """
        if (user is None) == (history is None):
            raise MmsrarecError("give a user or a history, one of the two")
        interactions, name = self.dataset.interactions, self.dataset.name
        if user is not None:
            user_id = checked_id("user", user)
            if user_id not in self.dataset.user_code:
                raise UnknownIdError(f'no user "{user_id}" in {name}: give a history of item ids instead')
            code = self.dataset.user_code[user_id]
            return self.at(code, interactions.items_of(code)), ()
        assert history is not None
        ids = checked_ids("history", history)
        left_out = self.unknown(ids)
        known_ids = [item_id for item_id in ids if item_id in self.known]
        if left_out and (strict or not known_ids):
            raise UnknownIdError(f"no such items in {name}: {', '.join(left_out[:MAX_IDS_NAMED])}")
        return self.at(-1, self.codes(known_ids)), left_out

    def at(self, user: int, history: IntArray) -> Queries:
        """The prediction point now, after everything in the log.

        Args:
            user: A code; -1 for somebody who is not in the data.
            history: Item codes, oldest first.
        """
        now = np.array([int(self.dataset.interactions.time.max(initial=0)) + 1])
        return Queries(np.array([user]), now, np.array([-1]), (history,), self.allow_seen)

    def codes(self, item_ids: Sequence[str]) -> IntArray:
        """The codes of items. Raises UnknownIdError that lists those that are not there."""
        if unknown := self.unknown(item_ids):
            raise UnknownIdError(f"no such items in {self.dataset.name}: {', '.join(unknown[:MAX_IDS_NAMED])}")
        return np.array([self.known[item_id] for item_id in item_ids], dtype=np.int64)

    def unknown(self, item_ids: Sequence[str]) -> tuple[str, ...]:
        """The ids that are no items, once each."""
        return tuple(dict.fromkeys(item_id for item_id in item_ids if item_id not in self.known))

    def allowed(
        self, available: NDArray[np.bool_], exclude: ItemIds, among: ItemIds | None
    ) -> tuple[NDArray[np.bool_], list[str]]:
        """(items,) what may be recommended of what is available, and notes about unknown ids.

        An unknown id forbids nothing and allows nothing, so it is named and not refused.

        Args:
            available: (items,) what the catalogue allows.
            exclude: Item ids that are not recommended.
            among: Item ids of which alone some are recommended; None: all.
        """
        may = available.copy()
        notes: list[str] = []
        for name, ids in (("exclude", exclude), ("among", among)):
            if ids is None:
                continue
            item_ids = checked_ids(name, ids)
            codes = self.codes([item_id for item_id in item_ids if item_id in self.known])
            if name == "exclude":
                may[codes] = False
            else:
                named = np.zeros_like(may)
                named[codes] = True
                may &= named
            if unknown := self.unknown(item_ids):
                examples = ", ".join(unknown[:5]) + (", ..." if len(unknown) > 5 else "")
                notes.append(f"{name}: the run does not know {len(unknown)} of these items ({examples})")
        return may, notes


def _is_mapping(value: object) -> TypeGuard[Mapping[object, object]]:
    return isinstance(value, Mapping)


def _is_sequence(value: object) -> TypeGuard[Sequence[object]]:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)


def many_users(users: object, histories: object) -> list[tuple[str, Who]]:
    """Who is asked about: (id, arguments of one question) for each user, in order and with repeats.

    Args:
        users: Ids of users, or None.
        histories: A mapping from ids to histories, or a list of histories, whose ids are their places from 0; or None.

    Raises:
        MmsrarecError: Neither or both are given, or they are of another kind.
    """
    if (users is None) == (histories is None):
        raise MmsrarecError("give users or histories, one of the two")
    if users is not None:
        return [(user_id, {"user": user_id}) for user_id in checked_ids("users", users)]
    if _is_mapping(histories):
        return [(checked_id("histories", key), {"history": value}) for key, value in histories.items()]
    if not _is_sequence(histories):
        raise MmsrarecError("histories: give a mapping from ids to lists of item ids, or a list of such lists")
    return [(str(place), {"history": value}) for place, value in enumerate(histories)]


def left_out_notes(left_out: Sequence[str]) -> list[str]:
    """What is said of items of a history that the run does not know."""
    if not left_out:
        return []
    examples = ", ".join(left_out[:5]) + (", ..." if len(left_out) > 5 else "")
    return [f"left out of the history, for the run does not know them: {examples} ({len(left_out)} in all)"]


def unmet_notes(preferences: UserPreferences, keywords: Iterable[Sequence[str]]) -> list[str]:
    """What is said of typed keywords that no item carries.

    Args:
        preferences: The typed keywords.
        keywords: The keywords of each item.
    """
    words = without_effect(preferences, keywords)
    return [f"no item carries {', '.join(words)}: asking for it changes nothing"] if words else []
