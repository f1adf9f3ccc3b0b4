"""Reasons as sentences that a shopper understands, in the language of the catalogue where we have its words."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from mmsrarec.recommend.explain import Reason
from mmsrarec.recommend.reason_phrases import ENGLISH, PHRASES
from mmsrarec.retrieve.signals.neighbour_votes import VOTE_LEVELS
from mmsrarec.retrieve.signals.popularity_levels import WORDS
from mmsrarec.retrieve.signals.transitions import TRANSITION_LEVELS
from mmsrarec.retrieve.signals.trend import RECENCY, TREND

POPULARITY_MANY = WORDS.index("many")
VOTES_MANY = VOTE_LEVELS.index("many alike")
FOLLOWS_OFTEN = TRANSITION_LEVELS.index("often follows")
RECENCY_RECENT = RECENCY.index("taken not long ago")
TREND_RISING = TREND.index("rising")
RANKER_PHRASES = {
    "popularity": "chosen",
    "popularity-as-of": "chosen",
    "recent-popularity": "recent",
    "sequential-rules": "follows",
    "sasrec": "sequence",
    "gru4rec": "sequence",
    "bert4rec": "sequence",
    "content-sasrec": "content",
    "item-tokens": "sequence",
    "item-tokens-random": "sequence",
    "speeder-style": "sequence",
}
"""What a candidate generator knows, as a phrase; all others count who chose what: "people"."""

OF_A_PAST = {
    **dict.fromkeys(("history", "similar", "similar_keywords", "follows", "sequence", "soft_history", "content")),
    "alike_many": "popular",
    "alike_some": "chosen",
    "people": "chosen",
}
"""Phrases that speak of a user's past or taste, each with what is true of somebody without a history; None: nothing."""


@dataclass(frozen=True)
class ShownReason:
    """One reason of a recommendation, for programs.

    Attributes:
        kind: What spoke for the item: "history", "similar", "keywords", "picture", "popularity", ..., or "ranker".
        items: Ids of the items that the reason names.
        words: Keywords that the reason names; of kind "ranker" the name of the candidate generator.
        weight: How far the log-odds by which items are ranked fall without it; of kind "ranker" how far the item is
            above the mean of the items considered, by this generator's part alone.
        text: The sentence; empty where the kind has no words for a shopper at this level.
    """

    kind: str
    items: tuple[str, ...]
    words: tuple[str, ...]
    weight: float
    text: str


def sentence(reason: Reason, title: str = "", image_words: Collection[str] = (), language: str = "en") -> str:
    """One reason as a sentence; empty where its level says nothing that speaks for an item.

    Args:
        reason: What was measured.
        title: Of the item that the reason names.
        image_words: Which of its words are told from the item's picture.
        language: ISO 639; English where we have no words in it.
    """
    phrases = PHRASES.get(language, ENGLISH)
    if reason.kind == "keywords":
        in_picture = [word for word in reason.words if word in image_words]
        described = [word for word in reason.words if word not in image_words]
        parts = [(key, words) for key, words in (("keywords", described), ("image", in_picture)) if words]
        return "; ".join(phrases[key].format(phrases["comma"].join(words)) for key, words in parts)
    key = _phrase(reason)
    if key is None:
        return ""
    title_or_words = title or phrases["comma"].join(reason.words)
    return phrases[key].format(title_or_words) if "{}" not in phrases[key] or title_or_words else ""


def can_be_said(kind: str, level: int | None, known: bool = True) -> bool:
    """Whether a reason of this kind, at this level, has words for a shopper, who has a history or not."""
    return kind in ("keywords", "ranker") or _phrase(Reason(kind, "", 0.0, level=level, known=known)) is not None


def _phrase(reason: Reason) -> str | None:
    """The key of a reason's phrase; None where there is none."""
    key = _phrase_of_level(reason)
    return key if reason.known or key is None else OF_A_PAST.get(key, key)


def _phrase_of_level(reason: Reason) -> str | None:
    """The key of a reason's phrase for somebody with a history."""
    level = reason.level
    if reason.kind == "soft":
        return "sequence"
    if reason.kind == "ranker":
        return RANKER_PHRASES.get(reason.words[0], "people")
    if level is None:
        return reason.kind if reason.kind in ENGLISH else None
    if reason.kind == "popularity":
        return "popular" if level >= POPULARITY_MANY else "chosen" if level else "new"
    if reason.kind == "neighbour_votes":
        return "alike_many" if level >= VOTES_MANY else "alike_some" if level else None
    least = {
        "follows": (FOLLOWS_OFTEN, "follows"),
        "recency": (RECENCY_RECENT, "recent"),
        "trend": (TREND_RISING, "rising"),
    }
    needed, key = least.get(reason.kind, (0, None))
    return key if level >= needed else None


def heaviest(reasons: Sequence[ShownReason], most: int) -> tuple[str, ...]:
    """The sentences of the reasons that spoke for the item most, without repeats; what was asked for comes first."""
    for_it = [reason for reason in reasons if reason.weight > 0 and reason.text]
    for_it.sort(key=lambda reason: (reason.kind != "more", -reason.weight))
    return tuple(dict.fromkeys(reason.text for reason in for_it))[:most]
