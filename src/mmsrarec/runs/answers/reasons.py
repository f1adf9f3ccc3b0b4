"""Turns what was measured about a recommendation into reasons that are shown, in the language of the catalogue."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mmsrarec.data.dataset import Dataset, FloatArray, IntArray
from mmsrarec.data.splits import Queries
from mmsrarec.rankers.base import CandidateGenerator
from mmsrarec.recommend.explain import Reason, explain_all
from mmsrarec.recommend.prompt.preferences import UserPreferences, carries, preference_bonus
from mmsrarec.recommend.prompt.prompt_context import PromptContext
from mmsrarec.recommend.prompt.prompts import Prompts
from mmsrarec.recommend.ranking.fusion import Fusion
from mmsrarec.recommend.ranking.generator_reasons import combined_reasons, generator_reasons
from mmsrarec.recommend.reason_sentences import ShownReason, heaviest, sentence
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
        query: Queries,
        context: PromptContext,
        preferences: UserPreferences,
        best: IntArray,
        model_scores: FloatArray,
        fusion: Fusion | None,
        generators: Sequence[CandidateGenerator],
    ) -> list[list[Reason]]:
        """What carried each of the best, by whatever had a part in the order.

        That is the language model, unless a fusion gives it no weight; the candidate generators, where there is a
        fusion; and the words that were asked for, which count by rule.

        Args:
            query: (1,) who asks.
            context: The prompt context, with the c candidates that were ranked.
            preferences: What was asked for.
            best: Places among the candidates, of which reasons are asked.
            model_scores: (c,) p(yes) of the language model.
            fusion: How the answer was fused, if it was.
            generators: The rankers that the fusion joins.
        """
        reason_lists: list[list[Reason]] = [[] for _ in best]
        if fusion is None and isinstance(self.prompts, NoPrompts):
            reason_lists = popularity_reasons(context, best.tolist(), model_scores)
        elif fusion is None or fusion.uses_lm:
            reason_lists = [reasons for _, reasons in explain_all(self.prompts, context.pick(best), self.batch_tokens)]
        if fusion:
            codes, logit = np.array(context.candidates, dtype=np.int64), fusion.with_lm
            generator_reason_lists = generator_reasons(
                self.dataset, query, codes, best.tolist(), model_scores, generators, logit
            )
            reason_lists = [
                combined_reasons(own, logit.weights[0], more)
                for own, more in zip(reason_lists, generator_reason_lists, strict=True)
            ]
        if not preferences:
            return reason_lists
        places: list[int] = best.tolist()
        words = [self.prompts.shown_keywords(context.candidates[place]) for place in places]
        return [
            [*preference_reasons(item_words, preferences), *without_preference_reasons(reasons)]
            for item_words, reasons in zip(words, reason_lists, strict=True)
        ]

    def recommendation(
        self, code: int, score: float, probability: float | None, reasons: Sequence[Reason]
    ) -> Recommendation:
        """The item at a code with what was measured of it, in words."""
        item = self.dataset.items[code]
        shown_reasons: list[ShownReason] = []
        for reason in reasons:
            item_ids = () if reason.item_id is None else (reason.item_id,)
            text = sentence(reason, "".join(map(self._title, item_ids)), self.keywords.image[code], self.language)
            shown_reasons.append(ShownReason(reason.kind, item_ids, reason.words, reason.weight, text))
        because, keywords = heaviest(shown_reasons, SHOWN_REASONS), self.keywords.united(code)
        return Recommendation(item.item_id, item.title, score, probability, keywords, because, tuple(shown_reasons))

    def recommendations(
        self,
        codes: IntArray,
        scores: FloatArray,
        chances: FloatArray | None,
        best: IntArray,
        measured: Sequence[Sequence[Reason]],
    ) -> list[Recommendation]:
        """The items at some places of the candidates, in words.

        Args:
            codes: (c,) candidates.
            scores: (c,) their scores.
            chances: (c,) their probabilities, where there are any.
            best: (k,) places, in the order wanted.
            measured: (k,) what was measured of each.
        """
        return [
            self.recommendation(
                int(codes[place]), float(scores[place]), None if chances is None else float(chances[place]), reasons
            )
            for place, reasons in zip(best, measured, strict=True)
        ]

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
