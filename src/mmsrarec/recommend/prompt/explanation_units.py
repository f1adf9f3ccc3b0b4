"""What a prompt says, as statements that can each be left out: of who is asking, and of a candidate."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace

from mmsrarec.models.packing.packed_prompt import TokenSpan
from mmsrarec.recommend.prompt.prompt_context import PromptContext
from mmsrarec.recommend.prompt.prompts import FACTS, Fact, Hidden, Prompts

SAID: Mapping[Fact, str] = {
    "popularity": "taken before by {}",
    "neighbour_votes": "taken next by {}",
    "follows": "it {} what they had last",
    "recency": "{}",
    "trend": "it is {}",
}


@dataclass(frozen=True)
class Mask:
    """What is left out of a prompt. Several cuts are one: `a | b`.

    history, similar: places in the prompt context; similar_words: collaborative keywords; more, less: preferences. Of a
    candidate itself: hide, as in `Prompts.candidate`; words: keywords.
    """

    history: frozenset[int] = frozenset()
    similar: frozenset[int] = frozenset()
    similar_words: frozenset[str] = frozenset()
    more: frozenset[str] = frozenset()
    less: frozenset[str] = frozenset()
    hide: frozenset[Hidden] = frozenset()
    words: frozenset[str] = frozenset()

    def __or__(self, other: "Mask") -> "Mask":
        return Mask(*(getattr(self, field.name) | getattr(other, field.name) for field in fields(self)))

    def of(self, context: PromptContext) -> PromptContext:
        """The prompt context without what is cut of it."""
        preferences = context.preferences
        return replace(
            context,
            history=_kept(context.history, self.history),
            similar=_kept(context.similar, self.similar),
            preferences=replace(
                preferences,
                more=tuple(word for word in preferences.more if word not in self.more),
                less=tuple(word for word in preferences.less if word not in self.less),
            ),
        )

    def shared(self, prompts: Prompts, context: PromptContext) -> TokenSpan:
        """Who is asking, without what is cut."""
        return prompts.shared(self.of(context), self.similar_words)

    def candidate(self, prompts: Prompts, context: PromptContext, place: int) -> TokenSpan:
        """The candidate at a place, without what is cut."""
        return prompts.candidate(context, place, self.hide, self.words)


def _hidden(name: Hidden) -> Mask:
    return Mask(hide=frozenset([name]))


def _kept(codes: tuple[int, ...], cut: frozenset[int]) -> tuple[int, ...]:
    return tuple(code for place, code in enumerate(codes) if place not in cut)


@dataclass(frozen=True)
class PromptFact:
    """kind: "history", "similar", "similar_keywords", "more", "less", "keywords", "picture", or a `Fact`.

    text: in words for people. cut: what leaves it out. item: code of a history or similar item. words: the keywords
    that a statement of several is made of; part: it is one of these.
    """

    kind: str
    text: str
    cut: Mask
    item: int | None = None
    words: tuple[str, ...] = ()
    part: bool = False

    def each(self) -> "list[PromptFact]":
        """A statement of several keywords, one by one."""
        if len(self.words) < 2:
            return []
        similar = self.kind == "similar_keywords"
        alone = [frozenset([word]) for word in self.words]
        cuts = [Mask(similar_words=word) if similar else Mask(words=word) for word in alone]
        return [PromptFact(self.kind, word, cut, part=True) for word, cut in zip(self.words, cuts, strict=True)]


def user_facts(prompts: Prompts, context: PromptContext) -> Iterator[PromptFact]:
    """What all candidates share. What similar people took is named only where `k_anonymity` distinct ones stand behind
    it."""
    least, items = prompts.settings.k_anonymity, prompts.dataset.items
    for place, code in enumerate(context.history):
        yield PromptFact("history", f"had {items[code].title}", Mask(history=frozenset([place])), code)
    if prompts.prompt_fields.similar:
        for place, (code, people) in enumerate(zip(context.similar, context.similar_people, strict=False)):
            if people >= least:  # what nobody counted is not named
                text = f"similar people took {items[code].title} next"
                yield PromptFact("similar", text, Mask(similar=frozenset([place])), code)
    if words := prompts.similar_keywords(context, least):
        text = f"similar people went on to {', '.join(words)}"
        everything = frozenset(prompts.similar_keywords(context))
        yield PromptFact("similar_keywords", text, Mask(similar_words=everything), words=words)
    for word in context.preferences.more:
        yield PromptFact("more", f"you asked for more {word}", Mask(more=frozenset([word])))
    for word in context.preferences.less:
        yield PromptFact("less", f"you asked for less {word}", Mask(less=frozenset([word])))


def candidate_facts(prompts: Prompts, context: PromptContext, place: int) -> Iterator[PromptFact]:
    """What is said of the candidate at a place."""
    code, least = context.candidates[place], prompts.settings.k_anonymity
    if words := prompts.shown_keywords(code):
        yield PromptFact("keywords", f"it is {', '.join(words)}", _hidden("keywords"), words=words)
    if prompts.prompt_fields.pictures and code in prompts.features:
        yield PromptFact("picture", "its picture", _hidden("picture"))
    behind = {"neighbour_votes": context.vote_people, "follows": context.follows_people}
    for name, text in SAID.items():
        if getattr(prompts.prompt_fields, name):
            level, people = getattr(context, name)[place], behind.get(name)
            counted = people is None or (place < len(people) and people[place] >= least)
            if counted or level == 0:  # that nobody did so is said of nobody
                yield PromptFact(name, text.format(FACTS[name][level]), _hidden(name))
