"""Stage 3's prompt, rendered here and nowhere else: training, evaluation and serving ask the same thing.

The shared part says who is asking: the history, what similar people took next, and what is asked for more or less of if
anything is, up to where the model's turn starts.
A candidate's part is short, for every candidate pays for it: the item and a question mark, which the model answers.
Template and data are tokenised apart and joined as ids, so no item's text can yield a special token.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Literal

import numpy as np
from torch import Tensor

from mmsrarec.data.dataset import Dataset
from mmsrarec.models.backbone.mllm import Mllm
from mmsrarec.models.packing.packed_prompt import PackedPrompt, TokenSpan
from mmsrarec.recommend.prompt.preferences import NO_PREFERENCES, UserPreferences
from mmsrarec.recommend.prompt.prompt_context import PromptContext
from mmsrarec.recommend.settings import RecommendSettings
from mmsrarec.retrieve.collaborative_context import rarity, weigh_keywords
from mmsrarec.retrieve.signals.neighbour_votes import VOTE_LEVELS
from mmsrarec.retrieve.signals.popularity_levels import WORDS
from mmsrarec.retrieve.signals.transitions import TRANSITION_LEVELS
from mmsrarec.retrieve.signals.trend import RECENCY, TREND
from mmsrarec.summarize.keywords import Keywords
from mmsrarec.summarize.prompts import item_text

Fact = Literal["popularity", "neighbour_votes", "follows", "recency", "trend"]
Hidden = Literal["keywords", "picture", "similar_keywords"] | Fact
FACTS: Mapping[Fact, tuple[str, ...]] = {
    "popularity": WORDS,
    "neighbour_votes": VOTE_LEVELS,
    "follows": TRANSITION_LEVELS,
    "recency": RECENCY,
    "trend": TREND,
}
"""What is said of a candidate in words, in this order: the words of each level."""


class Prompts:
    """Renders packs for a catalogue. Tokens of an item are made once and kept."""

    def __init__(
        self,
        mllm: Mllm,
        dataset: Dataset,
        keywords: Keywords,
        features: Mapping[int, Tensor],
        settings: RecommendSettings,
    ):
        self.mllm, self.dataset, self.keywords, self.features = mllm, dataset, keywords, features
        self.settings, self.prompt_fields = settings, settings.prompt_fields
        self._items: dict[int, list[int]] = {}
        self._phrases: dict[str, list[int]] = {}

    def render(self, context: PromptContext, hide: Hidden | None = None) -> PackedPrompt:
        """hide: something of the candidates that is left out, to see what it carries.

        "keywords" stands for the description too, where that is shown in their place.
        """
        unsaid = self.similar_keywords(context) if hide == "similar_keywords" else ()
        hidden = (hide,) if hide else ()
        places = range(len(context.candidates))
        return PackedPrompt(self.shared(context, unsaid), [self.candidate(context, place, hidden) for place in places])

    def shared(self, context: PromptContext, unsaid: Collection[str] = ()) -> TokenSpan:
        """Who is asking, and the question. unsaid: collaborative keywords to leave out."""
        return TokenSpan(self.ask(self.context(context, unsaid), "Will they take it next? Answer yes or no."))

    def ask(self, lines: list[int], question: str) -> list[int]:
        """A whole prompt: lines of data, then the question, up to where the model's turn starts."""
        before, after = self.mllm.frame
        return [*before, *lines, *self._phrase(question), *after]

    def context(self, context: PromptContext, unsaid: Collection[str] = ()) -> list[int]:
        """The lines of all that is known at a query: the history, what similar people took next, and preferences."""
        ids = self.history(context.history, context.preferences)
        if self.prompt_fields.similar and context.similar:
            ids += [*self._phrase("People alike took next:\n"), *self._lines(context.similar)]
        if words := [word for word in self.similar_keywords(context) if word not in unsaid]:
            ids += [*self._phrase("People alike went on to:"), *self._list(words), *self._phrase("\n")]
        for preference, words in (("more", context.preferences.more), ("less", context.preferences.less)):
            if words:  # what somebody typed is encoded each time: a cache of it would grow without end
                typed = self.mllm.encode(f" {', '.join(words)}")
                ids += [*self._phrase(f"They ask for {preference}:"), *typed, *self._phrase("\n")]
        return ids

    def history(self, codes: Sequence[int], preferences: UserPreferences = NO_PREFERENCES) -> list[int]:
        """The lines of a history."""
        return [*self._phrase("Someone took, oldest first:\n"), *self._lines(codes, preferences)]

    def title(self, code: int) -> list[int]:
        """The title of an item where titles are shown, cut to `title_tokens`."""
        title = " ".join(self.dataset.items[code].title.split())  # one line: a title forges no other
        return self.mllm.encode(title)[: self.settings.title_tokens] if self.prompt_fields.titles else []

    def picture(self, code: int) -> list[int]:
        """The places of an item's picture; none where pictures are not shown, or it has none."""
        pictured = self.prompt_fields.pictures and code in self.features
        return [self.mllm.image_token] * self.settings.visual_tokens if pictured else []

    def candidate(
        self, context: PromptContext, place: int, hide: Collection[Hidden] = (), unsaid: Collection[str] = ()
    ) -> TokenSpan:
        """The candidate at a place. hide: as in `render`; unsaid: keywords of its own to leave out."""
        code = context.candidates[place]
        ids = self.title(code) if "keywords" in hide else self._item(code, unsaid)
        told = [
            (name, words) for name, words in FACTS.items() if getattr(self.prompt_fields, name) and name not in hide
        ]
        facts = [words[getattr(context, name)[place]] for name, words in told]
        fact_ids = self._phrase(f" ({'; '.join(facts)})") if facts else []
        picture = self.picture(code) if "picture" not in hide else []
        return TokenSpan([*ids, *fact_ids, *picture, *self._phrase("?")], [code] if picture else [])

    def similar_keywords(self, context: PromptContext, k_anonymity: int = 1) -> tuple[str, ...]:
        """The keywords of what similar people took next that a prompt shows: the weightiest that the history shown does
        not say already, in `similar_tokens` tokens. min_people: of these, the ones that so many people stand behind.
        """
        if not self.prompt_fields.similar_keywords:
            return ()
        had = {word for code in context.history for word in self.shown_keywords(code)}
        people: dict[str, frozenset[int]] = {}
        for vote in context.votes:
            for word in self.shown_keywords(vote.item):
                people[word] = people.get(word, frozenset()) | vote.people
        weighed = [(vote.item, vote.weight) for vote in context.votes if vote.weight > 0]
        weighed_words = weigh_keywords(weighed, self.shown_keywords, self.rare)
        words = [word for word in weighed_words if word not in had and not context.preferences.strikes(word)]
        if not self.prompt_fields.rare_votes:
            words = [word for word in words if len(people[word]) >= self.settings.k_anonymity]
        room = np.cumsum([len(self._list([word], place)) for place, word in enumerate(words)])
        words = words[: int(np.searchsorted(room, self.settings.similar_tokens, side="right"))]
        return tuple(word for word in words if len(people[word]) >= k_anonymity)

    def shown_keywords(self, code: int) -> tuple[str, ...]:
        """The keywords of an item that a prompt shows, those of its picture included."""
        if self.prompt_fields.descriptions:
            return ()
        text = self.keywords.text[code] if self.prompt_fields.text_keywords else ()
        image = self.keywords.image[code] if self.prompt_fields.image_keywords else ()
        room = max(self.settings.item_keywords - min(len(image), 2), 1)  # a picture's first words always find room
        words = tuple(dict.fromkeys((*text[:room], *image)))
        return words[: self.settings.item_keywords]

    @cached_property
    def answers(self) -> tuple[int, int]:
        """The tokens of the two answers."""
        return self.mllm.word(" yes"), self.mllm.word(" no")

    @cached_property
    def rare(self) -> dict[str, float]:
        """How rare each keyword is in the catalogue."""
        return rarity(self.keywords, len(self.dataset.items))

    def item(self, code: int) -> TokenSpan:
        """An item by itself, as a candidate shows it: text, and picture where there is one."""
        picture = self.picture(code)
        return TokenSpan([*self._item(code), *picture], [code] if picture else [])

    def _lines(self, codes: Sequence[int], preferences: UserPreferences = NO_PREFERENCES) -> list[int]:
        """A line an item; keywords that somebody wants less of are struck from them."""
        struck = [
            tuple(filter(preferences.strikes, self.shown_keywords(code))) if preferences.less else () for code in codes
        ]
        lines = [self._item(code, words) for code, words in zip(codes, struck, strict=True)]
        return [token for line in lines for token in (*self._phrase("- "), *line, *self._phrase("\n"))]

    def _list(self, words: Sequence[str], first: int = 0) -> list[int]:
        """A part of a list of words, from place `first` on."""
        pieces = (f"{',' if place else ''} {word}" for place, word in enumerate(words, start=first))
        return [token for piece in pieces for token in self._phrase(piece)]

    def _item(self, code: int, unsaid: Collection[str] = ()) -> list[int]:
        if unsaid:
            return self._written(code, unsaid)
        if code not in self._items:
            self._items[code] = self._written(code)
        return self._items[code]

    def _written(self, code: int, unsaid: Collection[str] = ()) -> list[int]:
        title = self.title(code)
        titled = bool(title)
        about = (
            self._description(code, titled) if self.prompt_fields.descriptions else self._keywords(code, titled, unsaid)
        )
        return [*title, *about] or self._phrase("something")

    def _keywords(self, code: int, titled: bool, unsaid: Collection[str]) -> list[int]:
        words = ", ".join(word for word in self.shown_keywords(code) if word not in unsaid)
        return self.mllm.encode(f": {words}" if titled else words) if words else []

    def _description(self, code: int, titled: bool) -> list[int]:
        text = item_text(replace(self.dataset.items[code], title=""))  # one line, like a title
        ids = self.mllm.encode(f" {text}" if titled else text)[: self.settings.description_tokens] if text else []
        return [*self._phrase(":"), *ids] if titled and ids else ids

    def _phrase(self, text: str) -> list[int]:
        if text not in self._phrases:
            self._phrases[text] = self.mllm.encode(text)
        return self._phrases[text]
