"""Stage 3's prompt, rendered here and nowhere else, so that training, evaluation and serving ask the same question.

The shared part tells the history, what similar users consumed next and the user's preferences, up to where the model's
turn starts. The part of a candidate is short, because every candidate pays for it: the item and a question mark, which
the model answers. Template and data are tokenised apart and joined as ids, so no item's text yields a special token.
"""

import copy
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Literal

import numpy as np
from torch import Tensor

from mmsrarec.core.late import Late
from mmsrarec.data.dataset import Dataset, FloatArray
from mmsrarec.models.backbone.mllm import Mllm
from mmsrarec.models.packing.packed_prompt import PackedPrompt, TokenSpan
from mmsrarec.models.packing.soft_ids import SoftKind, soft_id
from mmsrarec.recommend.prompt.item_votes import ItemVotes
from mmsrarec.recommend.prompt.keyword_table import KeywordTable
from mmsrarec.recommend.prompt.preferences import NO_PREFERENCES, UserPreferences
from mmsrarec.recommend.prompt.prompt_context import PromptContext
from mmsrarec.recommend.settings import RecommendSettings
from mmsrarec.recommend.soft.soft_sources import SoftSources
from mmsrarec.recommend.soft.soft_token_map import SoftTokenMap
from mmsrarec.retrieve.collaborative_context import rarity
from mmsrarec.retrieve.signals.neighbour_votes import VOTE_LEVELS
from mmsrarec.retrieve.signals.popularity_levels import WORDS
from mmsrarec.retrieve.signals.transitions import TRANSITION_LEVELS
from mmsrarec.retrieve.signals.trend import RECENCY, TREND
from mmsrarec.summarize.keywords import Keywords
from mmsrarec.summarize.prompts import item_text

Fact = Literal["popularity", "neighbour_votes", "follows", "recency", "trend"]
Hidden = Literal["keywords", "picture", "similar_keywords", "soft"] | Fact
FACTS: Mapping[Fact, tuple[str, ...]] = {
    "popularity": WORDS,
    "neighbour_votes": VOTE_LEVELS,
    "follows": TRANSITION_LEVELS,
    "recency": RECENCY,
    "trend": TREND,
}
"""The facts about a candidate in the order of the prompt, and the words of each level."""
QUESTIONS = {"answer": "Will they take it next? Answer yes or no.", "span": "What will they take next?"}
"""What is asked of the candidates, by what scores them."""


class Prompts:
    """Renders the prompts of a catalogue. The tokens of an item are computed once and cached.

    Attributes:
        dataset: The catalogue.
        keywords: The item summaries of stage 1.
        features: Item code to the (v, d) visual tokens of its picture.
        settings: Settings of stage 3.
        prompt_fields: What a prompt shows, from the settings.
        soft: What soft tokens are made from; None without soft tokens.
    """

    def __init__(
        self,
        mllm: Mllm | Late[Mllm],
        dataset: Dataset,
        keywords: Keywords,
        features: Mapping[int, Tensor],
        settings: RecommendSettings,
        soft: SoftSources | None = None,
    ):
        self.soft = soft
        self._mllm, self.dataset, self.keywords, self.features = mllm, dataset, keywords, features
        self.settings, self.prompt_fields = settings, settings.prompt_fields
        self._items: dict[int, list[int]] = {}
        self._phrases: dict[str, list[int]] = {}

    @property
    def mllm(self) -> Mllm:
        """The language model that reads the prompts; it is loaded when it is first needed."""
        return self._mllm.get() if isinstance(self._mllm, Late) else self._mllm

    @property
    def has_model(self) -> bool:
        """Whether the language model is loaded."""
        return not isinstance(self._mllm, Late) or self._mllm.is_made

    def with_catalogue(
        self,
        dataset: Dataset,
        keywords: Keywords,
        features: Mapping[int, Tensor],
        changed: Collection[int],
        soft: SoftSources | None = None,
    ) -> "Prompts":
        """The same prompts for other items; the tokens of items that did not change are kept.

        Args:
            dataset: The catalogue.
            keywords: Of its items.
            features: As of the class.
            changed: Codes of items that are new or other than before.
            soft: What soft tokens are made from.
        """
        mllm = self._mllm
        if soft is not None:
            mllm = self._reading(soft) if self.has_model else Late(lambda: self._reading(soft))
        new = Prompts(mllm, dataset, keywords, features, self.settings, soft)
        new._items = {code: ids for code, ids in self._items.items() if code not in changed}
        new._phrases = self._phrases
        return new

    def _reading(self, soft: SoftSources) -> Mllm:
        """The same model, whose soft tokens read other vectors; the weights are shared."""
        mllm = copy.copy(self.mllm)
        if isinstance(mllm.soft_tokens, SoftTokenMap):
            mllm.soft_tokens = mllm.soft_tokens.for_sources(soft)
        return mllm

    def render(self, context: PromptContext, hide: Hidden | None = None) -> PackedPrompt:
        """Render the prompt of a query and all its candidates.

        Args:
            context: The prompt context of the query.
            hide: A part of the candidates to leave out; "keywords" leaves out the description too, where a prompt shows
                it in their place.

        Returns:
            The shared part and the candidates' parts.
        """
        omitted_words = self.similar_keywords(context) if hide == "similar_keywords" else ()
        hidden_parts = (hide,) if hide else ()
        places = range(len(context.candidates))
        candidates = [self.candidate(context, place, hidden_parts) for place in places]
        return PackedPrompt(self.shared(context, omitted_words), candidates, context.state)

    def shared(self, context: PromptContext, omitted_words: Collection[str] = ()) -> TokenSpan:
        """The part that all candidates share: what is known of the user, and the question.

        Args:
            context: The prompt context of the query.
            omitted_words: Collaborative keywords to leave out.

        Returns:
            Token ids up to where the model's turn starts.
        """
        return TokenSpan(self.ask(self.context(context, omitted_words), QUESTIONS[self.settings.score]))

    def ask(self, lines: list[int], question: str) -> list[int]:
        """A whole prompt up to where the model's turn starts.

        Args:
            lines: Token ids of the lines of data.
            question: The question behind them.

        Returns:
            Token ids.
        """
        before, after = self.mllm.frame
        return [*before, *lines, *self._phrase(question), *after]

    def context(self, context: PromptContext, omitted_words: Collection[str] = ()) -> list[int]:
        """The lines of all that is known at a query: history, collaborative context and preferences.

        Args:
            context: The prompt context of the query.
            omitted_words: Collaborative keywords to leave out.

        Returns:
            Token ids.
        """
        ids = [*self.soft_history(context), *self.history(context.history, context.preferences)]
        if self.prompt_fields.similar and context.similar:
            ids += [*self._phrase("People alike took next:\n"), *self._lines(context.similar)]
        if words := [word for word in self.similar_keywords(context) if word not in omitted_words]:
            ids += [*self._phrase("People alike went on to:"), *self._list(words), *self._phrase("\n")]
        for preference, words in (("more", context.preferences.more), ("less", context.preferences.less)):
            if words:  # typed words are encoded each time: a cache of them would grow without end
                word_ids = self.mllm.encode(f" {', '.join(words)}")
                ids += [*self._phrase(f"They ask for {preference}:"), *word_ids, *self._phrase("\n")]
        return ids

    def history(self, codes: Sequence[int], preferences: UserPreferences = NO_PREFERENCES) -> list[int]:
        """The token ids of the lines of a history.

        Args:
            codes: Item codes, oldest first.
            preferences: Keywords of items that the user wants less of are left out of the lines.

        Returns:
            Token ids.
        """
        return [*self._phrase("Someone took, oldest first:\n"), *self._lines(codes, preferences)]

    def soft_history(self, context: PromptContext) -> list[int]:
        """The lines of soft tokens: one for each item of a long history, and one for the user's state."""
        soft, ids = self.settings.soft, list[int]()
        if codes := context.soft_history[max(len(context.soft_history) - soft.history, 0) :]:
            tokens = [soft_id(SoftKind.HISTORY, code) for code in codes]
            ids += [*self._phrase("History:"), *tokens, *self._phrase("\n")]
        if soft.user and context.state is not None:
            ids += [*self._phrase("User:"), soft_id(SoftKind.USER), *self._phrase("\n")]
        return ids

    def soft_candidate(self, context: PromptContext, place: int) -> list[int]:
        """The soft token of the candidate at a place of the context; empty where candidates have none."""
        if context.state is None or not self.settings.soft.candidates:
            return []
        cold = bool(context.cold) and context.cold[place]
        return [soft_id(SoftKind.COLD_CANDIDATE if cold else SoftKind.CANDIDATE, context.candidates[place])]

    def title(self, code: int) -> list[int]:
        """The token ids of an item's title, at most `title_tokens`; empty where prompts show no titles."""
        title = " ".join(self.dataset.items[code].title.split())  # one line: a title forges no other
        return self.mllm.encode(title)[: self.settings.title_tokens] if self.prompt_fields.titles else []

    def picture(self, code: int) -> list[int]:
        """The placeholder ids of an item's picture; empty where prompts show no pictures, or the item has none."""
        pictured = self.prompt_fields.pictures and code in self.features
        return [self.mllm.image_token] * self.settings.visual_tokens if pictured else []

    def candidate(
        self, context: PromptContext, place: int, hide: Collection[Hidden] = (), omitted_words: Collection[str] = ()
    ) -> TokenSpan:
        """The part of the candidate at a place of the context.

        Args:
            context: The prompt context of the query.
            place: Place of the candidate in `context.candidates`.
            hide: Parts to leave out, as in `render`.
            omitted_words: Keywords of the candidate to leave out.

        Returns:
            Token ids, and the item's code where its picture is shown.
        """
        code = context.candidates[place]
        ids = self.title(code) if "keywords" in hide else self._item(code, omitted_words)
        soft = self.soft_candidate(context, place) if "soft" not in hide else []
        shown_facts = [
            (name, words) for name, words in FACTS.items() if getattr(self.prompt_fields, name) and name not in hide
        ]
        phrases: list[str] = [words[getattr(context, name)[place]] for name, words in shown_facts]
        fact_ids = self._phrase(f" ({'; '.join(phrases)})") if phrases else []
        picture = self.picture(code) if "picture" not in hide else []
        return TokenSpan([*soft, *ids, *fact_ids, *picture, *self._phrase("?")], [code] if picture else [])

    def similar_keywords(self, context: PromptContext, k_anonymity: int = 1) -> tuple[str, ...]:
        """The collaborative keywords that a prompt shows: the heaviest that the history does not say already.

        Args:
            context: The prompt context of the query.
            k_anonymity: Number of distinct users that must stand behind a returned keyword.

        Returns:
            Keywords in at most `similar_tokens` tokens, the heaviest first.
        """
        if not self.prompt_fields.similar_keywords:
            return ()
        votes = ItemVotes.of(context.votes)
        history_words = {word for code in context.history for word in self.shown_keywords(code)}
        n_behind: dict[str, int] = {}

        def n_people(word: str) -> int:
            """The number of distinct users behind a keyword; where one is enough, it is not counted."""
            if word not in n_behind:
                n_behind[word] = votes.people_behind(self.keyword_table.items_with(word))
            return n_behind[word]

        least = 1 if self.prompt_fields.rare_votes else self.settings.k_anonymity
        words: list[str] = []
        n_tokens = 0
        for word in self.keyword_table.ranked(votes.codes, votes.weights, self._rarities):
            if word in history_words or context.preferences.strikes(word) or (least > 1 and n_people(word) < least):
                continue
            n_tokens += len(self._list([word], len(words)))
            if n_tokens > self.settings.similar_tokens:
                break
            words.append(word)
        return tuple(word for word in words if k_anonymity <= 1 or n_people(word) >= k_anonymity)

    def shown_keywords(self, code: int) -> tuple[str, ...]:
        """The keywords of an item that a prompt shows, with those of its picture."""
        if self.prompt_fields.descriptions:
            return ()
        text = self.keywords.text[code] if self.prompt_fields.text_keywords else ()
        image = self.keywords.image[code] if self.prompt_fields.image_keywords else ()
        n_image_words = min(len(image), 2)  # a picture's first two keywords are always shown
        n_text_words = max(self.settings.item_keywords - n_image_words, 1)
        words = tuple(dict.fromkeys((*text[:n_text_words], *image)))
        return words[: self.settings.item_keywords]

    @cached_property
    def answers(self) -> tuple[int, int]:
        """The tokens of the two answers."""
        return self.mllm.first_token(" yes"), self.mllm.first_token(" no")

    @cached_property
    def keyword_rarity(self) -> dict[str, float]:
        """Keyword to its rarity in the catalogue (`retrieve.collaborative_context.rarity`)."""
        return rarity(self.keywords, len(self.dataset.items))

    @cached_property
    def keyword_table(self) -> KeywordTable:
        """The shown keywords of all items."""
        return KeywordTable.of([self.shown_keywords(code) for code in range(len(self.dataset.items))])

    @cached_property
    def _rarities(self) -> FloatArray:
        """The rarity of each word of the table of keywords."""
        return np.array([self.keyword_rarity.get(word, 1.0) for word in self.keyword_table.words])

    def item(self, code: int) -> TokenSpan:
        """An item by itself, as a candidate shows it: its text, and its picture where there is one."""
        picture = self.picture(code)
        return TokenSpan([*self._item(code), *picture], [code] if picture else [])

    def _lines(self, codes: Sequence[int], preferences: UserPreferences = NO_PREFERENCES) -> list[int]:
        """One line for each item, without the keywords that the user wants less of."""
        omitted_words = [
            tuple(filter(preferences.strikes, self.shown_keywords(code))) if preferences.less else () for code in codes
        ]
        lines = [self._item(code, words) for code, words in zip(codes, omitted_words, strict=True)]
        return [token for line in lines for token in (*self._phrase("- "), *line, *self._phrase("\n"))]

    def _list(self, words: Sequence[str], first: int = 0) -> list[int]:
        """The token ids of a part of a list of words, whose first word stands at place `first` of the list."""
        phrases = (f"{',' if place else ''} {word}" for place, word in enumerate(words, start=first))
        return [token for piece in phrases for token in self._phrase(piece)]

    def _item(self, code: int, omitted_words: Collection[str] = ()) -> list[int]:
        """The cached token ids of an item's text."""
        if omitted_words:
            return self._item_ids(code, omitted_words)
        if code not in self._items:
            self._items[code] = self._item_ids(code)
        return self._items[code]

    def _item_ids(self, code: int, omitted_words: Collection[str] = ()) -> list[int]:
        """The token ids of an item's title, and of its keywords or description."""
        title = self.title(code)
        titled = bool(title)
        about = (
            self._description(code, titled)
            if self.prompt_fields.descriptions
            else self._keywords(code, titled, omitted_words)
        )
        return [*title, *about] or self._phrase("something")

    def _keywords(self, code: int, titled: bool, omitted_words: Collection[str]) -> list[int]:
        words = ", ".join(word for word in self.shown_keywords(code) if word not in omitted_words)
        return self.mllm.encode(f": {words}" if titled else words) if words else []

    def _description(self, code: int, titled: bool) -> list[int]:
        text = item_text(replace(self.dataset.items[code], title=""))  # one line, like a title
        ids = self.mllm.encode(f" {text}" if titled else text)[: self.settings.description_tokens] if text else []
        return [*self._phrase(":"), *ids] if titled and ids else ids

    def _phrase(self, text: str) -> list[int]:
        """The cached token ids of a text of the template, or of a keyword."""
        if text not in self._phrases:
            self._phrases[text] = self.mllm.encode(text)
        return self._phrases[text]
