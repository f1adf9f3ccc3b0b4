"""What a prompt says, as statements that can each be left out: of who is asking, and of a candidate."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace

from mmsrarec.models.packing.packed_prompt import Segment
from mmsrarec.recommend.prompt.prompt_context import Evidence
from mmsrarec.recommend.prompt.prompts import FACTS, Fact, Hidden, Prompts

SAID: Mapping[Fact, str] = {
    "popularity": "taken before by {}",
    "alike": "taken next by {}",
    "follows": "it {} what they had last",
    "recency": "{}",
    "trend": "it is {}",
}


@dataclass(frozen=True)
class Cut:
    """What is left out of a prompt. Several cuts are one: `a | b`.

    history, similar: places in the evidence; similar_words: collaborative keywords; more, less: wishes. Of a candidate
    itself: hide, as in `Prompts.candidate`; words: keywords.
    """

    history: frozenset[int] = frozenset()
    similar: frozenset[int] = frozenset()
    similar_words: frozenset[str] = frozenset()
    more: frozenset[str] = frozenset()
    less: frozenset[str] = frozenset()
    hide: frozenset[Hidden] = frozenset()
    words: frozenset[str] = frozenset()

    def __or__(self, other: "Cut") -> "Cut":
        return Cut(*(getattr(self, field.name) | getattr(other, field.name) for field in fields(self)))

    def of(self, evidence: Evidence) -> Evidence:
        """The evidence without what is cut of it."""
        wishes = evidence.wishes
        return replace(
            evidence,
            history=_kept(evidence.history, self.history),
            similar=_kept(evidence.similar, self.similar),
            wishes=replace(
                wishes,
                more=tuple(word for word in wishes.more if word not in self.more),
                less=tuple(word for word in wishes.less if word not in self.less),
            ),
        )

    def shared(self, prompts: Prompts, evidence: Evidence) -> Segment:
        """Who is asking, without what is cut."""
        return prompts.shared(self.of(evidence), self.similar_words)

    def candidate(self, prompts: Prompts, evidence: Evidence, place: int) -> Segment:
        """The candidate at a place, without what is cut."""
        return prompts.candidate(evidence, place, self.hide, self.words)


def _hidden(name: Hidden) -> Cut:
    return Cut(hide=frozenset([name]))


def _kept(codes: tuple[int, ...], cut: frozenset[int]) -> tuple[int, ...]:
    return tuple(code for place, code in enumerate(codes) if place not in cut)


@dataclass(frozen=True)
class Statement:
    """kind: "history", "similar", "similar_keywords", "more", "less", "keywords", "picture", or a `Fact`.

    text: in words for people. cut: what leaves it out. item: code of a history or similar item. words: the keywords
    that a statement of several is made of; part: it is one of these.
    """

    kind: str
    text: str
    cut: Cut
    item: int | None = None
    words: tuple[str, ...] = ()
    part: bool = False

    def each(self) -> "list[Statement]":
        """A statement of several keywords, one by one."""
        if len(self.words) < 2:
            return []
        similar = self.kind == "similar_keywords"
        alone = [frozenset([word]) for word in self.words]
        cuts = [Cut(similar_words=word) if similar else Cut(words=word) for word in alone]
        return [Statement(self.kind, word, cut, part=True) for word, cut in zip(self.words, cuts, strict=True)]


def of_asker(prompts: Prompts, evidence: Evidence) -> Iterator[Statement]:
    """What all candidates share. What similar people took is named only where `min_people` distinct ones stand behind
    it."""
    least, items = prompts.settings.min_people, prompts.dataset.items
    for place, code in enumerate(evidence.history):
        yield Statement("history", f"had {items[code].title}", Cut(history=frozenset([place])), code)
    if prompts.shows.similar:
        for place, (code, people) in enumerate(zip(evidence.similar, evidence.similar_people, strict=False)):
            if people >= least:  # what nobody counted is not named
                text = f"similar people took {items[code].title} next"
                yield Statement("similar", text, Cut(similar=frozenset([place])), code)
    if words := prompts.similar_keywords(evidence, least):
        text = f"similar people went on to {', '.join(words)}"
        everything = frozenset(prompts.similar_keywords(evidence))
        yield Statement("similar_keywords", text, Cut(similar_words=everything), words=words)
    for word in evidence.wishes.more:
        yield Statement("more", f"you asked for more {word}", Cut(more=frozenset([word])))
    for word in evidence.wishes.less:
        yield Statement("less", f"you asked for less {word}", Cut(less=frozenset([word])))


def of_candidate(prompts: Prompts, evidence: Evidence, place: int) -> Iterator[Statement]:
    """What is said of the candidate at a place."""
    code, least = evidence.candidates[place], prompts.settings.min_people
    if words := prompts.shown_keywords(code):
        yield Statement("keywords", f"it is {', '.join(words)}", _hidden("keywords"), words=words)
    if prompts.shows.pictures and code in prompts.features:
        yield Statement("picture", "its picture", _hidden("picture"))
    behind = {"alike": evidence.alike_people, "follows": evidence.follows_people}
    for name, text in SAID.items():
        if getattr(prompts.shows, name):
            level, people = getattr(evidence, name)[place], behind.get(name)
            counted = people is None or (place < len(people) and people[place] >= least)
            if counted or level == 0:  # that nobody did so is said of nobody
                yield Statement(name, text.format(FACTS[name][level]), _hidden(name))
