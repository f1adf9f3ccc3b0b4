"""Recommend from Python: load a finished run, then ask for a user or for a history of item ids."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Unpack, overload

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mmsrarec.core.progress import Reported
from mmsrarec.core.terminal import remark_all
from mmsrarec.data.dataset import FloatArray, IntArray
from mmsrarec.data.splits import Queries
from mmsrarec.errors import MmsrarecError, NotFittedError
from mmsrarec.models.devices import check_device
from mmsrarec.rankers.base import CandidateGenerator, Ranker
from mmsrarec.rankers.popularity import PopularityAsOf
from mmsrarec.recommend.ablations import WORDS_ALONE
from mmsrarec.recommend.explain import explain, log_odds
from mmsrarec.recommend.prompt.preferences import NO_PREFERENCES, UserPreferences
from mmsrarec.recommend.prompt.prompts import Prompts
from mmsrarec.recommend.ranking.scorer import MllmScorer
from mmsrarec.retrieve.encoder import Encoder
from mmsrarec.runs.answers.answering import Answering, Request
from mmsrarec.runs.answers.arguments import (
    ItemIds,
    checked_count,
    checked_flag,
    checked_folder,
    checked_id,
    checked_ids,
    checked_words,
)
from mmsrarec.runs.answers.batch import ONE_OR_MANY, Asks, block_size, read_questions, recommend_table, score_table
from mmsrarec.runs.answers.generators import catalogue_generator, served_generators
from mmsrarec.runs.answers.options import Histories, Options, PreferenceOptions, TableOptions, UserIds
from mmsrarec.runs.answers.questions import Questions, Who, left_out_notes
from mmsrarec.runs.answers.reasons import Reasons
from mmsrarec.runs.answers.recommendations import Explanation, Recommendations
from mmsrarec.runs.answers.scores import answer_scores, learned_preferences
from mmsrarec.runs.answers.similar_items import item_encoder, similar_items, similar_table
from mmsrarec.runs.answers.without_model import NOTE, NoPrompts, count_scorer, load_rankers, served_prompts
from mmsrarec.runs.current_catalogue import open_catalogue
from mmsrarec.runs.run_folder import Part, RunFolder


class Recommender:
    """A run's tuned model, ready to answer.

    Attributes:
        notes: What should be known of the run and its catalogue, a sentence each.
    """

    def __init__(
        self,
        run_folder: RunFolder,
        split: Part,
        prompts: Prompts,
        generator: Ranker | None = None,
        available: NDArray[np.bool_] | None = None,
    ):
        """Of a run folder whose dataset is the catalogue.

        Args:
            run_folder: The run.
            split: Whose models answer.
            prompts: On the tuned model, or what stands in for it (`no_prompts`).
            generator: Proposes the candidates of a whole catalogue. Unless given, those do who were chosen on the
                run's validation users when its fusion was learned, or else, without fusion, its sequence encoder.
            available: (items,) what may be recommended; everything unless given.
        """
        self.run_folder, self.dataset, self.prompts = run_folder, run_folder.dataset, prompts
        self.split: Part = split
        self.notes, without_model = tuple(run_folder.notes), isinstance(prompts, NoPrompts)
        self.available = np.ones(len(self.dataset.items), dtype=bool) if available is None else available
        self.retrieval = run_folder.retrieval(split, WORDS_ALONE if without_model else run_folder.served)
        batch = run_folder.recipe.runtime.score_tokens
        self.scorer = MllmScorer("mmsrarec", prompts, self.retrieval, batch)
        fused = run_folder.fusion(run_folder.chosen_on, "full")
        if isinstance(prompts, NoPrompts):
            self.scorer, fused = count_scorer(self.retrieval.train), load_rankers(run_folder.folder)
        self.learned = learned = None if generator else fused
        self.fusion = learned if learned and learned.improves and run_folder.served == "whole" else None
        self.proposing = served_generators(run_folder, split, learned.generators) if learned else ()
        self.generators: tuple[CandidateGenerator, ...] = self.proposing if self.fusion else ()
        self.generator: Ranker = generator or catalogue_generator(run_folder, split, self.proposing, learned)
        self.cold_generator = PopularityAsOf().fit(self.retrieval.train)
        self.reasons = Reasons(self.dataset, run_folder.keywords, prompts, batch)
        self.questions = Questions(self.dataset, run_folder.recipe.evaluate.repeat_consumption == "allow")

    @classmethod
    def load(
        cls, run: str | Path, data: str | Path | None = None, device: str | None = None, *, late: bool = False
    ) -> "Recommender":
        """A finished run, which answers about its data folder as that is now.

        Args:
            run: The run's folder.
            data: Where its data folder lies now, where that was moved.
            device: A torch device instead of the recipe's, such as "cpu", "cuda" or "auto".
            late: Whether a language model that ranks is loaded at the first question, instead of at once.

        Raises:
            MmsrarecError: `run` is no finished run, its parts do not belong together, or the data are others.
        """
        place = None if data is None else checked_folder("data", data)
        catalogue = open_catalogue(checked_folder("run", run), place, None if device is None else check_device(device))
        run_folder = catalogue.run_folder
        check_device(run_folder.recipe.runtime.device)
        prompts = served_prompts(run_folder, catalogue.split)
        recommender = cls(run_folder, catalogue.split, prompts, available=catalogue.available)
        if recommender.answering.asks_model and not late:
            _ = prompts.mllm
        return recommender

    @overload
    def recommend(  # pyright: ignore[reportOverlappingOverload]  # without arguments both refuse
        self, user: str | int | None = None, history: ItemIds | None = None, k: int = 10, **how: Unpack[Options]
    ) -> Recommendations: ...

    @overload
    def recommend(
        self, *, users: UserIds | None = None, histories: Histories | None = None, **how: Unpack[TableOptions]
    ) -> pl.DataFrame: ...

    def recommend(
        self,
        user: str | int | None = None,
        history: ItemIds | None = None,
        k: int = 10,
        more: Sequence[str] = (),
        less: Sequence[str] = (),
        reasons: bool = True,
        allow_seen: bool | None = None,
        strict: bool = False,
        *,
        users: UserIds | None = None,
        histories: Histories | None = None,
        exclude: ItemIds = (),
        among: ItemIds | None = None,
        progress: Reported = False,
    ) -> "Recommendations | pl.DataFrame":
        """The k best items: for one user or history an answer with all details, for many a table.

        Args:
            user: A user id; an integer counts as its decimal form.
            history: Item ids, oldest first. Those that the run does not know are left out, and named in the answer's
                `left_out`.
            k: How many items, 1 or more; fewer come where fewer are left.
            more: Keywords that are asked for; they count at once, nothing is trained.
            less: Keywords that are asked to be spared.
            reasons: Whether to measure what carried each item, which takes more than twice as long as ranking
                (docs/results) and changes neither scores nor order.
            allow_seen: Whether items that they consumed before may be recommended; None: as the run was evaluated.
            strict: Refuse a history that holds an unknown item.
            users: User ids, for a table; one user may come more than once.
            histories: Histories, for a table: a mapping from ids of yours, or a list, whose ids are places from 0.
            exclude: Item ids that are not recommended.
            among: Item ids of which alone some are recommended, such as what is in stock; None: all.
            progress: For a table, where to tell how far it is: see `core.progress.Reported`.

        Returns:
            `Recommendations`; for `users` or `histories` a Polars DataFrame with the columns user_id, item_id, rank
            (from 1), score, because (a list of sentences), in the order of the question.

        Raises:
            UnknownIdError: Nobody of that id, or no known item in the history.
            MmsrarecError: An argument of another kind.
        """
        is_table = users is not None or histories is not None
        ask = self.answer_function(k, more, less, reasons, allow_seen, strict, exclude, among, brief=is_table)
        if not is_table:
            return ask([{"user": user, "history": history}], lambda: None)[0]
        if user is not None or history is not None:
            raise MmsrarecError(ONE_OR_MANY)
        all_questions = read_questions(self.questions, users, histories, checked_flag("strict", strict))
        return recommend_table(ask, all_questions, progress, self.block_size)

    def answer_function(
        self,
        k: int = 10,
        more: Sequence[str] = (),
        less: Sequence[str] = (),
        reasons: bool = True,
        allow_seen: bool | None = None,
        strict: bool = False,
        exclude: ItemIds = (),
        among: ItemIds | None = None,
        brief: bool = True,
    ) -> Asks:
        """What answers several together, with the arguments of `recommend`; `brief`: no more than a table shows."""
        k, preferences, reasons = checked_count("k", k), self.preferences(more, less), checked_flag("reasons", reasons)
        strict = checked_flag("strict", strict)
        again = None if allow_seen is None else checked_flag("allow_seen", allow_seen)
        may, notes = self.questions.allowed(self.available, exclude, among)

        def ask(questions: Sequence[Who], done: Callable[[], None]) -> list[Recommendations]:
            pairs = [self.questions.query(who.get("user"), who.get("history"), strict) for who in questions]
            queries = [query if again is None else replace(query, allow_seen=again) for query, _ in pairs]
            request = Request(k, preferences, reasons, may, done, brief=brief)
            answers = self.answering.answers(queries, [left_out for _, left_out in pairs], request)
            for answer in answers:
                answer.notes = (*notes, *answer.notes)
            return answers

        return ask

    def similar_items(self, items: ItemIds, k: int = 10) -> pl.DataFrame:
        """The items nearest to each of some items, by the cosine of what a sequence model has learned of them.

        The model is `content-sasrec` where the run has it, whose vectors say what an item is as well as who chose it;
        else the run's own sequence model. Which one it is stands in `similar_by`.

        Args:
            items: Item ids.
            k: How many for each, 1 or more.

        Returns:
            A Polars DataFrame: item_id, similar_item_id, rank (from 1), score (the cosine, in [-1, 1]).

        Raises:
            UnknownIdError: An item that the run does not know, or that joined after the model was trained.
        """
        k, ids = checked_count("k", k), checked_ids("items", items)
        codes, encoder = self.questions.codes(ids), self._item_encoder
        neighbour_lists = similar_items(encoder, self.retrieval.train, self.available, codes, ids, k)
        return similar_table(ids, neighbour_lists, [item.item_id for item in self.dataset.items])

    @property
    def similar_by(self) -> str:
        """The name of the sequence model whose item vectors `similar_items` compares."""
        return self._item_encoder.settings.encoder

    @cached_property
    def _item_encoder(self) -> Encoder:
        return item_encoder(self.run_folder, self.split)

    @overload
    def score(
        self,
        candidates: ItemIds,
        user: str | int | None = None,
        history: ItemIds | None = None,
        **how: Unpack[PreferenceOptions],
    ) -> dict[str, float]: ...

    @overload
    def score(self, candidates: ItemIds, *, users: UserIds, **how: Unpack[PreferenceOptions]) -> pl.DataFrame: ...

    def score(
        self,
        candidates: ItemIds,
        user: str | int | None = None,
        history: ItemIds | None = None,
        more: Sequence[str] = (),
        less: Sequence[str] = (),
        *,
        users: UserIds | None = None,
    ) -> "dict[str, float] | pl.DataFrame":
        """The scores of named items: log-odds, as of a `Recommendation`.

        Args:
            candidates: Item ids.
            user: As in `recommend`.
            history: As in `recommend`.
            more: As in `recommend`.
            less: As in `recommend`.
            users: User ids, for a table.

        Returns:
            {item id: score}; for `users` a Polars DataFrame user_id, item_id, score, with a row for each user and
            candidate as they were given, repeats included.

        Raises:
            UnknownIdError: An unknown item or user; the message lists them.
        """
        ids, preferences = checked_ids("candidates", candidates), self.preferences(more, less)
        if users is not None:
            if user is not None or history is not None:
                raise MmsrarecError(ONE_OR_MANY)
            codes = self.questions.codes(ids)
            return score_table(lambda query: self.scored(query, codes, preferences), self.questions, ids, users)
        if not ids and user is None and history is None:
            return {}
        (query, left_out), codes = self.questions.query(user, history), self.questions.codes(ids)
        remark_all(left_out_notes(left_out))
        return dict(zip(ids, self.scored(query, codes, preferences).tolist(), strict=True))

    def scored(self, query: Queries, codes: IntArray, preferences: UserPreferences) -> FloatArray:
        """(c,) scores of (c,) items, each the same whatever else is asked."""
        if not len(codes):
            return np.empty(0)
        answering = self.answering
        contexts, fusion = answering.contexts(query, codes[None], preferences), answering.fusion_at(query)
        p = answering.model_scores(contexts, fusion)
        return answer_scores(self.prompts, query, contexts, preferences, p, fusion, self.generators)[0]

    @property
    def answering(self) -> Answering:
        """What answers, of the models and rankers that this holds now."""
        return Answering(
            self.generator,
            self.cold_generator,
            self.run_folder.recipe.evaluate.n_candidates,
            self.retrieval,
            self.prompts,
            self.scorer,
            self.fusion,
            self.generators,
            self.reasons,
            self.shown_keywords,
            lambda: self._knows_preferences,
        )

    @property
    def block_size(self) -> int:
        """How many of many users are answered together."""
        return block_size(len(self.dataset.items), self.answering.asks_model)

    def explain(
        self,
        item: str | int,
        user: str | int | None = None,
        history: ItemIds | None = None,
        more: Sequence[str] = (),
        less: Sequence[str] = (),
    ) -> Explanation:
        """Why the language model finds that an item is, or is not, for a user.

        Args:
            item: An item id.
            user: As in `recommend`.
            history: As in `recommend`.
            more: As in `recommend`.
            less: As in `recommend`.

        Returns:
            All that the model was shown, and how far the log-odds of yes fall without each thing.

        Raises:
            UnknownIdError: An unknown item or user, or no known item in the history.
            NotFittedError: The run has no language model.
        """
        if isinstance(self.prompts, NoPrompts):
            raise NotFittedError(f"{NOTE}, so there is nothing to leave out: recommend() tells what spoke for an item")
        item_id, preferences = checked_id("item", item), self.preferences(more, less)
        codes = self.questions.codes([item_id])
        query, left_out = self.questions.query(user, history)
        remark_all(left_out_notes(left_out))
        (context,) = self.answering.contexts(query, codes[None], preferences)
        (p,) = self.scorer.score_contexts([context])[0].tolist()  # as it is ranked
        _, reasons = explain(self.prompts, context)
        title = self.dataset.items[context.candidates[0]].title
        return Explanation(item_id, title, log_odds(p), p, reasons)

    def answer(
        self,
        query: Queries,
        k: int,
        preferences: UserPreferences = NO_PREFERENCES,
        reasons: bool = True,
        left_out: Sequence[str] = (),
        allowed: NDArray[np.bool_] | None = None,
    ) -> Recommendations:
        """The k best items at one query. To somebody without a history, popular items are proposed.

        Where more is asked of something, items that carry it are proposed in turns with the others.

        Args:
            query: (1,) who asks.
            k: How many items.
            preferences: The typed keywords.
            reasons: Whether to measure what carried each item.
            left_out: Ids of the history that the run does not know.
            allowed: (items,) what may be recommended; whatever is available unless given.
        """
        may = self.available if allowed is None else allowed
        return self.answering.answers([query], [left_out], Request(k, preferences, reasons, may))[0]

    @cached_property
    def shown_keywords(self) -> list[tuple[str, ...]]:
        """The keywords that a prompt shows of each item."""
        return [self.prompts.shown_keywords(code) for code in range(len(self.dataset.items))]

    @cached_property
    def _knows_preferences(self) -> bool:
        return learned_preferences(self.run_folder, self.split, self.prompts)

    def preferences(self, more: object, less: object) -> UserPreferences:
        """What is typed, as the languages of the catalogue read it."""
        lexicon = self.run_folder.keywords.lexicon
        return UserPreferences.of(checked_words("more", more), checked_words("less", less), lexicon)
