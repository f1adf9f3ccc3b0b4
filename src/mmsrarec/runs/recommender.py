"""Recommend from Python: load a finished run, then ask for a user or for a history of item ids."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mmsrarec.core.artefacts import read_manifest
from mmsrarec.core.terminal import remark
from mmsrarec.data.dataset import FloatArray, IntArray
from mmsrarec.data.splits import Queries
from mmsrarec.errors import MmsrarecError
from mmsrarec.models.devices import check_device
from mmsrarec.rankers.base import CandidateGenerator, Ranker, places
from mmsrarec.rankers.ensemble.interleaved import (
    Interleaved,
    KeywordOverlap,
    PaddedCatalogue,
    Restricted,
    with_cold_items,
)
from mmsrarec.rankers.ensemble.two_stage import Reranked
from mmsrarec.rankers.ensemble.weighted import WeightedEnsemble
from mmsrarec.rankers.popularity import PopularityAsOf
from mmsrarec.rankers.sequence_model import SequenceRanker
from mmsrarec.recommend.explain import Reason, explain, explain_all, log_odds
from mmsrarec.recommend.prompt.preferences import (
    NO_PREFERENCES,
    UserPreferences,
    carries,
    preference_bonus,
    without_effect,
)
from mmsrarec.recommend.prompt.prompt_context import PromptContext
from mmsrarec.recommend.prompt.prompts import Prompts
from mmsrarec.recommend.ranking.fusion import FixedScores, Fused, Fusion
from mmsrarec.recommend.ranking.scorer import MllmScorer
from mmsrarec.retrieve.settings import CONTENT_SASREC
from mmsrarec.runs.arguments import (
    ItemIds,
    checked_count,
    checked_flag,
    checked_folder,
    checked_id,
    checked_ids,
    checked_words,
)
from mmsrarec.runs.current_catalogue import open_catalogue
from mmsrarec.runs.fitted_rankers import served_rankers
from mmsrarec.runs.run_folder import Part, RunFolder, adapter_part

SHOWN_REASONS = 3
SURE = 36.0
"""Log-odds beyond which a score could not be told from 0 or 1 in float64."""


@dataclass(frozen=True)
class Recommendation:
    """score: what it is ranked by, in (0, 1). because: the heaviest reasons, each measured by leaving it out.

    The score is p(yes) / (p(yes) + p(no)), or where the run's fusion with its candidate generators helped on validation
    users, the logistic function of the fused score, which compares items of one answer and is no probability. Reasons
    are of the language model's part; a fused answer ends them with the candidate generators' places.
    """

    item_id: str
    title: str
    score: float
    keywords: tuple[str, ...]
    because: tuple[str, ...]


@dataclass(frozen=True)
class Explanation:
    """All that the model was shown about one item, by what it carried. score: p(yes) / (p(yes) + p(no)), the model's
    part alone."""

    item_id: str
    title: str
    score: float
    reasons: list[Reason]


class Recommendations(list[Recommendation]):
    """The best items, best first.

    Attributes:
        left_out: Ids of the history that the run does not know, which the answer does without.
        notes: What else should be known of the answer, a sentence each.
    """

    def __init__(
        self, items: Sequence[Recommendation] = (), left_out: Sequence[str] = (), notes: Sequence[str] = ()
    ) -> None:
        super().__init__(items)
        self.left_out, self.notes = tuple(left_out), tuple(notes)


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
        """Of a run folder whose dataset is the catalogue to recommend from.

        Args:
            split: Whose models answer.
            generator: Proposes the candidates of a whole catalogue. Unless given, those do who were chosen on the
                run's validation users when its fusion was learned, or else, without fusion, its sequence encoder.
            available: (items,) what may be recommended; everything unless given.
        """
        self.run_folder, self.dataset, self.prompts = run_folder, run_folder.dataset, prompts
        self.split: Part = split
        self.notes = tuple(run_folder.notes)
        self.available = np.ones(len(self.dataset.items), dtype=bool) if available is None else available
        self.retrieval = run_folder.retrieval(split)
        self.scorer = MllmScorer("mmsrarec", prompts, self.retrieval, run_folder.recipe.runtime.score_tokens)
        learned = None if generator else run_folder.fusion(run_folder.chosen_on, "full")
        self.fusion = learned if learned and learned.improves and run_folder.served == "whole" else None
        made = self._made(learned.generators) if learned else ()
        self.generators: tuple[CandidateGenerator, ...] = made if self.fusion else ()
        self.generator: Ranker = generator or self._proposer(made, learned)
        self.cold_generator = PopularityAsOf().fit(self.retrieval.train)

    @classmethod
    def load(cls, run: str | Path, data: str | Path | None = None, device: str | None = None) -> "Recommender":
        """A finished run, which answers about its data folder as that is now.

        Args:
            run: The run's folder.
            data: Where its data folder lies now, where that was moved.
            device: A torch device instead of the recipe's, such as "cpu", "cuda" or "auto".

        Raises:
            MmsrarecError: `run` is no finished run, its parts do not belong together, or the data are others.
        """
        place = None if data is None else checked_folder("data", data)
        catalogue = open_catalogue(checked_folder("run", run), place, None if device is None else check_device(device))
        run_folder = catalogue.run_folder
        check_device(run_folder.recipe.runtime.device)
        prompts = run_folder.tuned(catalogue.split, run_folder.served)
        return cls(run_folder, catalogue.split, prompts, available=catalogue.available)

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
    ) -> Recommendations:
        """The k best items. Give a user of the data, or a history of item ids, oldest first.

        Args:
            user: A user id; an integer counts as its decimal form.
            history: Item ids. Those that the run does not know are left out, and named in the answer's `left_out`.
            k: How many items, 1 or more; fewer come where fewer are left.
            more: Keywords that are asked for; they count at once, nothing is trained.
            less: Keywords that are asked to be spared.
            reasons: Whether to measure what carried each item, which takes more than twice as long as ranking
                (docs/results.md) and changes neither scores nor order.
            allow_seen: Whether items that they had before may be recommended; None: as the run was evaluated.
            strict: Refuse a history that holds an unknown item.

        Raises:
            MmsrarecError: Nobody of that id, no known item in the history, or an argument of another kind.
        """
        k, preferences, reasons = checked_count("k", k), self._preferences(more, less), checked_flag("reasons", reasons)
        query, left_out = self._asked(user, history, checked_flag("strict", strict))
        if allow_seen is not None:
            query = replace(query, allow_seen=checked_flag("allow_seen", allow_seen))
        return self.answer(query, k, preferences, reasons, left_out)

    def score(
        self,
        candidates: ItemIds,
        user: str | int | None = None,
        history: ItemIds | None = None,
        more: Sequence[str] = (),
        less: Sequence[str] = (),
    ) -> dict[str, float]:
        """{item id: score} of the named candidates. Raises MmsrarecError that lists unknown ids."""
        ids, preferences = checked_ids("candidates", candidates), self._preferences(more, less)
        if not ids and user is None and history is None:
            return {}
        (query, left_out), codes = self._asked(user, history), self._codes(ids)
        self._remark(left_out)
        if not ids:
            return {}
        scores = self._scores(query, self._gather(query, codes, preferences), preferences)
        return dict(zip(ids, scores.tolist(), strict=True))

    def _scores(
        self, query: Queries, context: PromptContext, preferences: UserPreferences = NO_PREFERENCES
    ) -> FloatArray:
        """(c,) in (0, 1): fused where the run is and the query has a history, else the language model's; preferences
        tilt either."""
        even = np.full(len(context.candidates), 0.5)
        p = self.scorer.score_contexts([context])[0] if self._asks(query) else even
        if fusion := self._fusion_at(query):
            fused = Fused("mmsrarec", FixedScores(p[None]), self.generators, fusion.with_lm)
            logits = fused.score(query, np.array([context.candidates], dtype=np.int64))[0]
        else:
            logits = np.array([log_odds(float(one)) for one in p], dtype=np.float64)
        if preferences:
            logits = logits + preference_bonus(preferences, map(self.prompts.shown_keywords, context.candidates))
        return 1 / (1 + np.exp(-np.clip(logits, -SURE, SURE)))

    def _fusion_at(self, query: Queries) -> Fusion | None:
        """Proposers know nothing of somebody without a history."""
        return self.fusion if len(query.history[0]) else None

    def _asks(self, query: Queries) -> bool:
        """Whether the language model has a part in the order."""
        fusion = self._fusion_at(query)
        return fusion is None or fusion.uses_lm

    def explain(
        self,
        item: str | int,
        user: str | int | None = None,
        history: ItemIds | None = None,
        more: Sequence[str] = (),
        less: Sequence[str] = (),
    ) -> Explanation:
        """Why the item is, or is not, for them: each thing the model was shown, and how far the log-odds of yes fall
        without it."""
        item_id, preferences = checked_id("item", item), self._preferences(more, less)
        codes = self._codes([item_id])
        query, left_out = self._asked(user, history)
        self._remark(left_out)
        context = self._gather(query, codes, preferences)
        (score,) = self.scorer.score_contexts([context])[0].tolist()  # as it is ranked
        _, reasons = explain(self.prompts, context)
        return Explanation(item_id, self.dataset.items[context.candidates[0]].title, score, reasons)

    def answer(
        self,
        query: Queries,
        k: int,
        preferences: UserPreferences = NO_PREFERENCES,
        reasons: bool = True,
        left_out: Sequence[str] = (),
    ) -> Recommendations:
        """The k best items at one query, (1,). Someone without a history is proposed what is popular.

        Where more is asked of something, items that carry it are proposed in turns with the others.
        """
        notes = [*self._unmet(preferences), *self._ignored(left_out)]
        may = self.available.copy()
        may[query.excluded[0]] = False
        if not may.any():
            why = "they had everything that may be recommended; allow_seen=True (--allow-seen) offers it again"
            return Recommendations([], left_out, [*notes, f"nothing is left to recommend: {why}"])
        generator: Ranker = self.generator if len(query.history[0]) else self.cold_generator
        if preferences.more:
            carrying = np.array([carries(words, preferences.more, preferences.lexicon) for words in self._shown])
            generator = Interleaved(generator, Restricted(generator, carrying))
        n = min(max(self.run_folder.recipe.evaluate.n_candidates, k), int(may.sum()))
        proposed = Reranked("mmsrarec", Restricted(generator, may), self.scorer, n).proposals(query)[0]
        context = self._gather(query, proposed, preferences)
        scores = self._scores(query, context, preferences)  # whatever is shown of them
        best = np.argsort(-scores, kind="stable")[:k]
        carried: Sequence[Sequence[Reason]] = [()] * len(best)
        if reasons:
            explained = explain_all(self.prompts, context.pick(best), self.scorer.batch_tokens)
            carried = [found for _, found in explained]
        generators = self.generators if self._fusion_at(query) else ()
        told = [(one.name, places(one, query)[0]) for one in generators]
        items = [
            self._recommendation(int(proposed[place]), float(scores[place]), found, told, preferences)
            for place, found in zip(best, carried, strict=True)
        ]
        return Recommendations(items, left_out, notes)

    def _unmet(self, preferences: UserPreferences) -> list[str]:
        """What is said of typed keywords that no item carries."""
        words = without_effect(preferences, self._shown)
        return [f"no item carries {', '.join(words)}: asking for it changes nothing"] if words else []

    def _ignored(self, left_out: Sequence[str]) -> list[str]:
        """What is said of items of a history that the run does not know."""
        if not left_out:
            return []
        shown = ", ".join(left_out[:5]) + (", ..." if len(left_out) > 5 else "")
        return [f"left out of the history, for the run does not know them: {shown} ({len(left_out)} in all)"]

    def _remark(self, left_out: Sequence[str]) -> None:
        for note in self._ignored(left_out):
            remark(note)

    def _proposer(self, made: Sequence[CandidateGenerator], learned: Fusion | None) -> Ranker:
        """Those who were chosen to propose, or the run's sequence encoder; and what nobody took, which they cannot
        know."""
        n_items, named = len(self.dataset.items), {one.name: one for one in made}
        known: CandidateGenerator = SequenceRanker.of(self.run_folder.encoder(self.split), self.retrieval.train)
        if learned:
            known = WeightedEnsemble.of(
                [named[name] for name in learned.proposing_generators], learned.generators_logit, n_items
            )
        words = KeywordOverlap(list(map(self.run_folder.keywords.united, range(n_items))))
        return with_cold_items(
            known, named.get(CONTENT_SASREC), words, n_items, self.run_folder.recipe.evaluate.n_candidates
        )

    def _made(self, names: Sequence[str]) -> tuple[CandidateGenerator, ...]:
        """Those candidate generators, one by one, for all items that are there now."""
        rankers = served_rankers(self.run_folder, self.split, names)
        return tuple(PaddedCatalogue(ranker, len(self.dataset.items)) for ranker in rankers)

    @cached_property
    def _shown(self) -> list[tuple[str, ...]]:
        """The keywords that a prompt shows of each item."""
        return [self.prompts.shown_keywords(code) for code in range(len(self.dataset.items))]

    def _recommendation(
        self,
        code: int,
        score: float,
        reasons: Sequence[Reason],
        told: Sequence[tuple[str, FloatArray]],
        preferences: UserPreferences,
    ) -> Recommendation:
        """told: whose places joined in, NaN of what they cannot know. A preference that the item meets is the first
        reason: it counts by rule."""
        item, keywords = self.dataset.items[code], self.run_folder.keywords.united(code)
        met = [
            word for word in preferences.more if carries(self.prompts.shown_keywords(code), [word], preferences.lexicon)
        ]
        because = (f"you asked for more {', '.join(met)}",) if met else ()
        because += tuple(one.text for one in reasons if one.weight > 0 and one.kind != "more")[:SHOWN_REASONS]
        if said := [f"{place[code]:.0f} by {name}" for name, place in told if not np.isnan(place[code])]:
            because += (f"place {', '.join(said)}",)
        return Recommendation(item.item_id, item.title, score, keywords, because)

    def _gather(self, query: Queries, codes: IntArray, preferences: UserPreferences) -> PromptContext:
        """What the model is told; of preferences only where it has learned what they are."""
        (context,) = self.retrieval.gather(query, codes[None], self.prompts.settings)
        return replace(context, preferences=preferences if preferences and self._obeys else NO_PREFERENCES)

    @cached_property
    def _obeys(self) -> bool:
        """By what the adapter was trained with, which an older recipe does not say."""
        manifest = read_manifest(self.run_folder.folder / adapter_part(self.split, self.run_folder.served))
        return bool(manifest["settings"].get("recommend", {}).get("preference_rate"))

    def _preferences(self, more: object, less: object) -> UserPreferences:
        """What is typed, as the languages of the catalogue read it."""
        lexicon = self.run_folder.keywords.lexicon
        return UserPreferences.of(checked_words("more", more), checked_words("less", less), lexicon)

    def _asked(
        self, user: str | int | None, history: ItemIds | None, strict: bool = False
    ) -> tuple[Queries, tuple[str, ...]]:
        """Now: after everything in the log; and the ids of the history that are not known.

        Raises MmsrarecError for a user who is not there, and a history of which nothing is.
        """
        if (user is None) == (history is None):
            raise MmsrarecError("give a user or a history, one of the two")
        interactions, name = self.dataset.interactions, self.dataset.name
        now = np.array([int(interactions.time.max(initial=0)) + 1])
        if user is not None:
            known = checked_id("user", user)
            if known not in self.dataset.user_code:
                raise MmsrarecError(f'no user "{known}" in {name}: give a history of item ids instead')
            code = self.dataset.user_code[known]
            return self._query(code, now, interactions.items_of(code)), ()
        assert history is not None
        ids = checked_ids("history", history)
        left_out = tuple(dict.fromkeys(one for one in ids if one not in self.dataset.item_code))
        kept = [one for one in ids if one in self.dataset.item_code]
        if left_out and (strict or not kept):
            raise MmsrarecError(f"no such items in {name}: {', '.join(left_out[:10])}")
        return self._query(-1, now, self._codes(kept)), left_out

    def _query(self, user: int, now: IntArray, history: IntArray) -> Queries:
        """Whether what they had may be recommended again is as the run was evaluated."""
        again = self.run_folder.recipe.evaluate.repeat_consumption == "allow"
        return Queries(np.array([user]), now, np.array([-1]), (history,), again)

    def _codes(self, item_ids: Sequence[str]) -> IntArray:
        unknown = [item_id for item_id in item_ids if item_id not in self.dataset.item_code]
        if unknown:
            raise MmsrarecError(f"no such items in {self.dataset.name}: {', '.join(unknown[:10])}")
        return np.array([self.dataset.item_code[item_id] for item_id in item_ids], dtype=np.int64)
