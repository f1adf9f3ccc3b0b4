"""The facts of a prompt, each with the mask that leaves it out: those of the user, and those of a candidate."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace

import numpy as np

from mmsrarec.models.packing.packed_prompt import TokenSpan
from mmsrarec.recommend.prompt.prompt_context import PromptContext
from mmsrarec.recommend.prompt.prompts import FACTS, Fact, Hidden, Prompts

FACT_TEXTS: Mapping[Fact, str] = {
    "popularity": "taken before by {}",
    "neighbour_votes": "taken next by {}",
    "follows": "it {} what they had last",
    "recency": "{}",
    "trend": "it is {}",
}
"""How a fact about a candidate reads in an explanation; the words of its level stand in the braces."""


@dataclass(frozen=True)
class Mask:
    """What is left out of a prompt. `a | b` leaves out what either mask does.

    Attributes:
        history: Places in `PromptContext.history`.
        similar: Places in `PromptContext.similar`.
        similar_words: Collaborative keywords.
        more: Words of `UserPreferences.more`.
        less: Words of `UserPreferences.less`.
        hide: Parts of a candidate, as in `Prompts.candidate`.
        words: Keywords of the candidate itself.
        soft_history: Places in `PromptContext.soft_history`; the user's state is computed without them.
    """

    history: frozenset[int] = frozenset()
    similar: frozenset[int] = frozenset()
    similar_words: frozenset[str] = frozenset()
    more: frozenset[str] = frozenset()
    less: frozenset[str] = frozenset()
    hide: frozenset[Hidden] = frozenset()
    words: frozenset[str] = frozenset()
    soft_history: frozenset[int] = frozenset()

    def __or__(self, other: "Mask") -> "Mask":
        return Mask(*(getattr(self, field.name) | getattr(other, field.name) for field in fields(self)))

    def of(self, prompts: Prompts, context: PromptContext) -> PromptContext:
        """The prompt context without its masked items and preferences."""
        preferences = context.preferences
        if self.soft_history and prompts.soft is not None:
            rest = _without_places(context.soft_history, self.soft_history)
            (state,) = prompts.soft.states([np.array(rest, dtype=np.int64)])
            context = replace(context, soft_history=rest, state=state)
        return replace(
            context,
            history=_without_places(context.history, self.history),
            similar=_without_places(context.similar, self.similar),
            preferences=replace(
                preferences,
                more=tuple(word for word in preferences.more if word not in self.more),
                less=tuple(word for word in preferences.less if word not in self.less),
            ),
        )

    def shared(self, prompts: Prompts, context: PromptContext) -> TokenSpan:
        """The part of the prompt that all candidates share, without what is masked."""
        return prompts.shared(self.of(prompts, context), self.similar_words)

    def candidate(self, prompts: Prompts, context: PromptContext, place: int) -> TokenSpan:
        """The candidate at a place of the context, without what is masked."""
        return prompts.candidate(context, place, self.hide, self.words)


def _hidden(name: Hidden) -> Mask:
    return Mask(hide=frozenset([name]))


def _without_places(codes: tuple[int, ...], places: frozenset[int]) -> tuple[int, ...]:
    return tuple(code for place, code in enumerate(codes) if place not in places)


@dataclass(frozen=True)
class PromptFact:
    """One fact that a prompt states, in words for people, and how to leave it out.

    Attributes:
        kind: "history", "soft_history", "similar", "similar_keywords", "more", "less", "keywords", "soft", "picture",
            or a `Fact`. Kinds with "soft" are told in vectors, all others in words.
        text: The fact in words.
        cut: The mask that leaves it out.
        item: Code of the item, of a history item or a similar users' item.
        words: The keywords that the fact lists, where it lists several.
        part: Whether the fact is one keyword of such a list.
    """

    kind: str
    text: str
    cut: Mask
    item: int | None = None
    words: tuple[str, ...] = ()
    part: bool = False

    def each(self) -> "list[PromptFact]":
        """The fact of several keywords as one fact a keyword; empty where it lists fewer than two."""
        if len(self.words) < 2:
            return []
        similar = self.kind == "similar_keywords"
        single_words = [frozenset([word]) for word in self.words]
        cuts = [Mask(similar_words=word) if similar else Mask(words=word) for word in single_words]
        return [PromptFact(self.kind, word, cut, part=True) for word, cut in zip(self.words, cuts, strict=True)]


def user_facts(prompts: Prompts, context: PromptContext) -> Iterator[PromptFact]:
    """List the facts that all candidates share.

    An item or a keyword of similar users is named only where `k_anonymity` distinct users stand behind it.

    Args:
        prompts: Renders the prompts.
        context: The prompt context of the query.

    Yields:
        The facts, in the order of the prompt.
    """
    k_anonymity, items = prompts.settings.k_anonymity, prompts.dataset.items
    for place, code in enumerate(context.history):
        yield PromptFact("history", f"had {items[code].title}", Mask(history=frozenset([place])), code)
    soft, n_soft = prompts.settings.soft, len(context.soft_history)
    n_recent = prompts.settings.history if soft.user or soft.candidates else min(prompts.settings.history, soft.history)
    for place in range(max(n_soft - n_recent, 0), n_soft) if prompts.soft else ():  # what no token tells is no fact
        code = context.soft_history[place]
        text = f"people who had {items[code].title} choose it"
        yield PromptFact("soft_history", text, Mask(soft_history=frozenset([place])), code)
    if prompts.prompt_fields.similar:
        for place, (code, n_people) in enumerate(zip(context.similar, context.similar_people, strict=False)):
            if n_people >= k_anonymity:
                text = f"similar people took {items[code].title} next"
                yield PromptFact("similar", text, Mask(similar=frozenset([place])), code)
    if words := prompts.similar_keywords(context, k_anonymity):
        text = f"similar people went on to {', '.join(words)}"
        all_words = frozenset(prompts.similar_keywords(context))
        yield PromptFact("similar_keywords", text, Mask(similar_words=all_words), words=words)
    for word in context.preferences.more:
        yield PromptFact("more", f"you asked for more {word}", Mask(more=frozenset([word])))
    for word in context.preferences.less:
        yield PromptFact("less", f"you asked for less {word}", Mask(less=frozenset([word])))


def candidate_facts(prompts: Prompts, context: PromptContext, place: int) -> Iterator[PromptFact]:
    """List the facts about the candidate at a place of the context.

    Args:
        prompts: Renders the prompts.
        context: The prompt context of the query.
        place: Place of the candidate in `context.candidates`.

    Yields:
        The facts, in the order of the prompt.
    """
    code, k_anonymity = context.candidates[place], prompts.settings.k_anonymity
    if words := prompts.shown_keywords(code):
        yield PromptFact("keywords", f"it is {', '.join(words)}", _hidden("keywords"), words=words)
    if prompts.soft_candidate(context, place):
        yield PromptFact("soft", "it comes next after histories like this one", _hidden("soft"))
    if prompts.prompt_fields.pictures and code in prompts.features:
        yield PromptFact("picture", "its picture", _hidden("picture"))
    people_by_fact = {"neighbour_votes": context.vote_people, "follows": context.follows_people}
    for name, text in FACT_TEXTS.items():
        if getattr(prompts.prompt_fields, name):
            level, counts = getattr(context, name)[place], people_by_fact.get(name)
            anonymous = counts is None or (place < len(counts) and counts[place] >= k_anonymity)
            if anonymous or level == 0:  # level 0 says that nobody did, so it exposes nobody
                yield PromptFact(name, text.format(FACTS[name][level]), _hidden(name))
