"""A loaded run with its catalogue of now: answers questions, one batch after another, in the worker's thread.

It is never changed: an item that joins makes another one, which shares everything that is costly.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np

from mmsrarec.core.artefacts import finished_under, read_manifest
from mmsrarec.data.dataset import IntArray
from mmsrarec.data.identity import text_digest
from mmsrarec.data.splits import Queries
from mmsrarec.recommend.prompt.preferences import MAX_PREFERENCES, UserPreferences, says
from mmsrarec.runs.answers.answering import Request
from mmsrarec.runs.answers.arrangement import NO_RULES
from mmsrarec.runs.answers.recommendations import Recommendation, Recommendations
from mmsrarec.runs.answers.without_model import NoPrompts
from mmsrarec.runs.changes.joined_items import with_items
from mmsrarec.runs.recommender import Recommender
from mmsrarec.serve.model.joined_rows import joined_item
from mmsrarec.serve.model.narrowing import Narrowing
from mmsrarec.serve.schema.recommending import ItemRanked, Origin, ReasonAnswered, RecommendAnswered, RecommendAsked
from mmsrarec.serve.state.item_rows import ItemRow
from mmsrarec.serve.state.user_events import UserState

LanguageModel = Literal["loaded", "loading", "none"]
NOBODY = UserState()
FALLBACK_NOTE = "nothing that was given is known to the run: this is the answer of somebody of whom nothing is known"


@dataclass(frozen=True)
class Query:
    """A prediction point, and how it came about.

    Attributes:
        queries: (1,) who, and the history.
        origin: See `Origin`.
        left_out: Ids of the history that the run does not know.
    """

    queries: Queries
    origin: Origin
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True)
class Question:
    """What a worker is handed.

    Attributes:
        body: As it was sent.
        state: What the state knows of its user.
    """

    body: RecommendAsked
    state: UserState = NOBODY


@dataclass(frozen=True, eq=False)
class Reading:
    """A question as the recommender takes it.

    Attributes:
        question: As it came.
        query: The prediction point.
        request: What is asked beside who asks.
        notes: What has no effect, a sentence each.
    """

    question: Question
    query: Query
    request: Request
    notes: tuple[str, ...]

    @property
    def together(self) -> tuple[object, ...]:
        """Questions of equal values ask the same of the model, so they are ranked together."""
        request = self.request
        alone = None if request.rules is NO_RULES else id(self)
        return (
            request.k,
            request.preferences.more,
            request.preferences.less,
            request.reasons,
            request.may.tobytes(),
            alone,
        )


@dataclass(frozen=True, eq=False)
class ServedRun:
    """A run that answers.

    Attributes:
        recommender: It.
        folder: Where it lies.
        base: The same run without the items of the state.
        rows: Items of the state, by id, without the bytes of pictures.
    """

    recommender: Recommender
    folder: Path
    base: Recommender
    rows: Mapping[str, ItemRow] = field(default_factory=dict[str, ItemRow])

    @classmethod
    def load(cls, folder: Path, data: Path | None = None, device: str | None = None) -> "ServedRun":
        """Load a finished run. Raises MmsrarecError as `Recommender.load` does."""
        recommender = Recommender.load(folder, data, device)
        served = cls(recommender, folder, recommender)
        _ = served.fingerprint
        return served

    def with_rows(self, rows: Sequence[ItemRow]) -> "ServedRun":
        """The same run with changed items; a row replaces an earlier one of the same item, and a later one stays."""
        rows = [row for row in rows if row.revision >= self._revision_of(row.item.item_id)]
        if not rows:
            return self
        all_rows = dict(self.rows) | {row.item.item_id: row.without_bytes for row in rows}
        known = self.recommender.dataset.item_code
        described = [
            joined_item(row)
            for row in rows
            if (row.item.item_id in known if row.deleted else row.described)  # of a deleted item nothing stays
        ]
        available = {row.item.item_id: row.in_stock and not row.deleted for row in rows}
        # an item of the run that was out of stock or deleted, and is so no more
        own = self.base.dataset.item_code
        for row in rows:
            if not row.described and row.item.item_id in own and available[row.item.item_id]:
                available[row.item.item_id] = bool(self.base.available[own[row.item.item_id]])
        recommender = with_items(self.recommender, described, available)
        codes = recommender.dataset.item_code
        gone = frozenset(name for name, row in all_rows.items() if row.deleted and name in codes)
        recommender.questions = replace(recommender.questions, gone=gone)
        new = ServedRun(recommender, self.folder, self.base, all_rows)
        new.__dict__["fingerprint"] = self.fingerprint
        return new

    def _revision_of(self, item_id: str) -> int:
        """The revision of an item's row; 0 where it has none."""
        return self.rows[item_id].revision if item_id in self.rows else 0

    @cached_property
    def revision(self) -> int:
        """Number of the newest change of an item."""
        return max((row.revision for row in self.rows.values()), default=0)

    @property
    def known(self) -> Mapping[str, int]:
        """The codes of the items that are there, by id; those that were deleted are not."""
        return self.recommender.questions.known

    @cached_property
    def most_chosen_first(self) -> IntArray:
        """(items,) codes of all items, those with the most interactions first."""
        return np.argsort(-self.recommender.retrieval.train.counts, kind="stable")

    @cached_property
    def search_texts(self) -> list[str]:
        """What a search looks at, of each item."""
        items, united = self.recommender.dataset.items, self.recommender.run_folder.keywords.united
        return [
            " ".join([item.item_id, item.title, *item.categories, *united(code)]).casefold()
            for code, item in enumerate(items)
        ]

    @cached_property
    def keyword_sets(self) -> list[frozenset[str]]:
        """The keywords of each item."""
        united = self.recommender.run_folder.keywords.united
        return [frozenset(united(code)) for code in range(len(self.recommender.dataset.items))]

    @property
    def language_model(self) -> LanguageModel:
        """Whether the language model is there; a run that ranks by it is loaded with it."""
        prompts = self.recommender.prompts
        if isinstance(prompts, NoPrompts):
            return "none"
        return "loaded" if prompts.has_model else "loading"

    def load_model(self) -> None:
        """Load the language model, if the run has one, and what its first prompt would wait for."""
        if self.language_model == "loading":
            _ = self.recommender.prompts.mllm
            self.recommender.retrieval.prepare(self.recommender.prompts.settings)

    @property
    def name(self) -> str:
        """The run's name: that of its folder."""
        return self.folder.resolve().name

    @cached_property
    def fingerprint(self) -> str:
        """A hash of the run's parts and of its catalogue, on which answers depend."""
        parts = [read_manifest(part)["key"] for part in sorted(finished_under(self.folder))]
        items = text_digest(self.recommender.dataset.items)
        return hashlib.sha256(
            "|".join([*parts, items, self.recommender.available.tobytes().hex()]).encode()
        ).hexdigest()

    @cached_property
    def narrowing(self) -> Narrowing:
        """The catalogue's categories and products."""
        return Narrowing(self.recommender.dataset)

    def query(self, user: str | None, state: UserState, history: Sequence[str] | None) -> Query:
        """The prediction point now.

        Args:
            user: A user id, known or not.
            state: What happened since the run was made.
            history: Item ids of this visit, oldest first.
        """
        dataset, questions = self.recommender.dataset, self.recommender.questions
        code = -1 if user is None else dataset.user_code.get(user, -1)
        ids = [*state.chosen, *(history or ())]
        left_out = questions.unknown(ids)
        known = questions.codes([item_id for item_id in ids if item_id in questions.known])
        past = dataset.interactions.items_of(code) if code >= 0 else known[:0]
        origin: Origin = "cold"
        if code >= 0:
            origin = "warm"
        elif len(known):
            origin = "session"
        elif ids:
            origin = "fallback"
        return Query(questions.at(code, np.concatenate([past, known])), origin, left_out)

    def preferences(self, question: RecommendAsked, state: UserState) -> UserPreferences:
        """The keywords of a question, then those that stay with the user and do not contradict them."""
        own = self.recommender.preferences(question.more, question.less)
        more, less = list(own.more), list(own.less)
        for words, staying, opposite in ((more, state.more, own.less), (less, state.less, own.more)):
            for word in staying:
                if not any(says(word, other, own.lexicon) for other in (*words, *opposite)):
                    words.append(word)
        return self.recommender.preferences(more[:MAX_PREFERENCES], less[:MAX_PREFERENCES])

    def answers(self, questions: Sequence[Question]) -> list[RecommendAnswered | Exception]:
        """An answer or an error for each of some questions; those that ask the same are ranked together."""
        answers: list[RecommendAnswered | Exception | None] = [None] * len(questions)
        groups: dict[object, list[tuple[int, Reading]]] = {}
        for place, question in enumerate(questions):
            try:
                reading = self._read(question)
                groups.setdefault(reading.together if len(questions) > 1 else place, []).append((place, reading))
            except Exception as error:
                answers[place] = error
        for members in groups.values():
            readings = [reading for _, reading in members]
            try:
                ranked: list[RecommendAnswered | Exception] = [*self._ranked(readings)]
            except Exception as error:
                ranked = [error] * len(members)
            for (place, _), answer in zip(members, ranked, strict=True):
                answers[place] = answer
        return [answer for answer in answers if answer is not None]

    def answer(self, question: Question) -> RecommendAnswered:
        """The best items for a question. Raises MmsrarecError where a keyword is none."""
        return self._ranked([self._read(question)])[0]

    def _read(self, question: Question) -> Reading:
        """A question as the recommender takes it."""
        body, state = question.body, question.state
        query = self.query(body.user, state, body.history)
        if body.allow_seen is not None:
            query = replace(query, queries=replace(query.queries, allow_seen=body.allow_seen))
        may, notes = self.narrowing.allowed(self.recommender, body, state.refused)
        rules = self.narrowing.arrangement(self.recommender, body, state.refused, notes)
        if query.origin == "fallback":
            notes.append(FALLBACK_NOTE)
        preferences = self.preferences(body, state)
        return Reading(question, query, Request(body.k, preferences, body.reasons, may, rules=rules), tuple(notes))

    def _ranked(self, readings: Sequence[Reading]) -> list[RecommendAnswered]:
        """The answers to questions that ask the same of the model."""
        queries, left_out = [one.query.queries for one in readings], [one.query.left_out for one in readings]
        answers = self.recommender.answering.answers(queries, left_out, readings[0].request)
        return [
            answered(answer, one.query.origin, self.name, one.notes, set(one.question.body.pinned))
            for one, answer in zip(readings, answers, strict=True)
        ]


def answered(
    answer: Recommendations, origin: Origin, run: str, notes: Sequence[str], pinned: set[str]
) -> RecommendAnswered:
    """An answer of the library as it is sent."""
    items = [_ranked(item, rank, item.item_id in pinned) for rank, item in enumerate(answer, start=1)]
    return RecommendAnswered(
        origin=origin, run=run, items=items, left_out=list(answer.left_out), notes=[*notes, *answer.notes]
    )


def _ranked(item: Recommendation, rank: int, pinned: bool) -> ItemRanked:
    reasons = [
        ReasonAnswered(
            kind=reason.kind,
            items=list(reason.items),
            words=list(reason.words),
            weight=reason.weight,
            text=reason.text,
        )
        for reason in item.reasons
    ]
    return ItemRanked(
        rank=rank,
        item_id=item.item_id,
        title=item.title,
        score=item.score,
        probability=item.probability,
        keywords=list(item.keywords),
        because=list(item.because),
        reasons=reasons,
        pinned=pinned,
    )
