"""Turns what was measured about a recommendation into reasons that are shown, in the language of the catalogue."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial

import numpy as np

from mmsrarec.data.dataset import Dataset, FloatArray, IntArray
from mmsrarec.data.splits import Queries
from mmsrarec.rankers.base import CandidateGenerator
from mmsrarec.recommend.explain import Reason, everything, explain_all
from mmsrarec.recommend.prompt.preferences import UserPreferences, carries, preference_bonus
from mmsrarec.recommend.prompt.prompt_context import PromptContext
from mmsrarec.recommend.prompt.prompts import Prompts
from mmsrarec.recommend.ranking.fusion import Fusion
from mmsrarec.recommend.ranking.generator_reasons import combined_reasons, generator_reasons
from mmsrarec.recommend.reason_sentences import ShownReason, can_be_said, heaviest, sentence
from mmsrarec.runs.answers.recommendations import Recommendation
from mmsrarec.runs.answers.without_model import NoPrompts, popularity_reasons
from mmsrarec.summarize.keywords import Keywords

SHOWN_REASONS = 3


@dataclass(frozen=True)
class Reasons:
    """Measures and words reasons.

    Attributes:
        dataset: The catalogue.
        keywords: Of its items.
        prompts: The prompts of the tuned model, or what stands in for it.
        batch_tokens: Tokens that the language model is asked at once.
    """

    dataset: Dataset
    keywords: Keywords
    prompts: Prompts
    batch_tokens: int

    def measured(
        self,
        queries: Queries,
        contexts: Sequence[PromptContext],
        preferences: UserPreferences,
        best: IntArray,
        model_scores: FloatArray,
        fusion: Fusion | None,
        generators: Sequence[CandidateGenerator],
        done: Callable[[], None] = lambda: None,
        brief: bool = False,
    ) -> list[list[list[Reason]]]:
        """What carried each of the best, by whatever had a part in the order.

        That is the language model, unless a fusion gives it no weight; the candidate generators, where there is a
        fusion; and the words that were asked for, which count by rule.

        Args:
            queries: m queries.
            contexts: The m prompt contexts, with the c candidates that were ranked.
            preferences: What was asked for.
            best: (m, e) places among the candidates, of which reasons are asked.
            model_scores: (m, c) p(yes) of the language model.
            fusion: How the answers were fused, if they were.
            generators: The rankers that the fusion joins.
            done: Called as the reasons of each query are measured.
            brief: Whether what no sentence says may be left out, such as what spoke against an item.

        Returns:
            For each query, for each of its best, the reasons.
        """
        rankers: list[list[list[Reason]]] = []
        if fusion:
            codes = np.array([context.candidates for context in contexts], dtype=np.int64)
            given = codes, best, model_scores, generators, fusion.with_lm
            rankers = generator_reasons(self.dataset, queries, *given, only_for=brief)
        reason_lists: list[list[list[Reason]]] = []
        for row, context in enumerate(contexts):
            known = len(queries.history[row]) > 0
            reasons = self._of_model(context, best[row], model_scores[row], fusion, brief, known)
            if fusion:
                pairs, share = zip(reasons, rankers[row], strict=True), fusion.with_lm.weights[0]
                reasons = [combined_reasons(own, share, more) for own, more in pairs]
            if not known:
                reasons = [[replace(reason, known=False) for reason in of_item] for of_item in reasons]
            reason_lists.append(self._with_preferences(context, best[row], preferences, reasons))
            done()
        return reason_lists

    def _of_model(
        self,
        context: PromptContext,
        best: IntArray,
        model_scores: FloatArray,
        fusion: Fusion | None,
        brief: bool,
        known: bool,
    ) -> list[list[Reason]]:
        """The language model's reasons for the best of one query; none where it had no part in the order."""
        if fusion is None and isinstance(self.prompts, NoPrompts):
            return popularity_reasons(context, best.tolist(), model_scores)
        if fusion is None or fusion.uses_lm:
            chosen, wanted = context.pick(best), partial(can_be_said, known=known) if brief else everything
            return [reasons for _, reasons in explain_all(self.prompts, chosen, self.batch_tokens, wanted=wanted)]
        return [[] for _ in best]

    def _with_preferences(
        self, context: PromptContext, best: IntArray, preferences: UserPreferences, reason_lists: list[list[Reason]]
    ) -> list[list[Reason]]:
        """The reasons, with what was asked for first."""
        if not preferences:
            return reason_lists
        places: list[int] = best.tolist()
        words = [self.prompts.shown_keywords(context.candidates[place]) for place in places]
        return [
            [*preference_reasons(item_words, preferences), *without_preference_reasons(reasons)]
            for item_words, reasons in zip(words, reason_lists, strict=True)
        ]

    def recommendation(
        self,
        code: int,
        score: float,
        probability: float | None,
        reasons: Sequence[Reason],
        brief: bool = False,
    ) -> Recommendation:
        """The item at a code with what was measured of it, in words.

        Args:
            code: Of the item.
            score: By which it is ranked.
            probability: See `Recommendation`.
            reasons: What was measured.
            brief: Whether only the sentences are wanted: the first that say something are worded, no others.
        """
        item = self.dataset.items[code]
        if brief:
            because = self._because(code, reasons)
            return Recommendation(item.item_id, item.title, score, probability, (), because)
        shown_reasons: list[ShownReason] = []
        for reason in reasons:
            item_ids = () if reason.item_id is None else (reason.item_id,)
            shown_reasons.append(
                ShownReason(reason.kind, item_ids, reason.words, reason.weight, self._sentence(code, reason))
            )
        because, keywords = heaviest(shown_reasons, SHOWN_REASONS), self.keywords.united(code)
        return Recommendation(item.item_id, item.title, score, probability, keywords, because, tuple(shown_reasons))

    def _because(self, code: int, reasons: Sequence[Reason]) -> tuple[str, ...]:
        """What `heaviest` says of the reasons, of which no more are worded than it says."""
        texts: dict[str, None] = {}
        for_it = [reason for reason in reasons if reason.weight > 0]
        for_it.sort(key=lambda reason: (reason.kind != "more", -reason.weight))
        for reason in for_it:
            if text := self._sentence(code, reason):
                texts[text] = None
            if len(texts) == SHOWN_REASONS:
                break
        return tuple(texts)

    def _sentence(self, code: int, reason: Reason) -> str:
        title = "" if reason.item_id is None else self._title(reason.item_id)
        return sentence(reason, title, self.keywords.image[code], self.language)

    def _title(self, item_id: str) -> str:
        return self.dataset.items[self.dataset.item_code[item_id]].title or item_id

    @cached_property
    def language(self) -> str:
        """The language of most items, in which reasons are said."""
        return self.keywords.lexicon.languages[0]


def preference_reasons(keywords: Sequence[str], preferences: UserPreferences) -> list[Reason]:
    """The reason that an item meets what was asked for; none where it does not."""
    met = tuple(word for word in preferences.more if carries(keywords, [word], preferences.lexicon))
    weight = float(preference_bonus(preferences, [keywords])[0])
    return [Reason("more", f"you asked for more {', '.join(met)}", weight, words=met)] if met else []


def without_preference_reasons(reasons: Sequence[Reason]) -> list[Reason]:
    """What the language model makes of what was asked for is part of what counts by rule."""
    return [reason for reason in reasons if reason.kind != "more"]
