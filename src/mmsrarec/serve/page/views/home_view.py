"""The home page: who looks, what they chose, their profile, and what is recommended to them."""

import asyncio
from dataclasses import dataclass, field

from mmsrarec.errors import MmsrarecError, UnknownIdError
from mmsrarec.serve.page.views.cards import Card, cards, ranked_cards
from mmsrarec.serve.page.views.keyword_profile import ProfileWord, profile
from mmsrarec.serve.page.views.shoppers import Shopper, shoppers
from mmsrarec.serve.page.visit import Visit
from mmsrarec.serve.schema.recommending import Origin, RecommendAnswered
from mmsrarec.serve.service import NotReadyError, Service
from mmsrarec.serve.worker import BusyError

SHOWN, FOUND, PAST = 13, 12, 12
"""Items of a ranking, of a search, and of a past."""
SUGGESTED = 6
"""Shoppers that are proposed to look as."""


@dataclass
class Home:
    """What the home page shows.

    Attributes:
        visit: Who looks.
        words: What was searched for.
        ranking: The recommendations; without any knowledge, what most people choose.
        intro: How the ranking came about.
        change: What changed since the last step, in one sentence; empty where nothing is compared.
        past: What they chose, newest first; the run's own and the visit's.
        n_past: How many those are in all.
        liked: Ids of the visit's own.
        words_of: The profile.
        results: What a search found.
        n_results: How many it found.
        hidden: What was hidden.
        shoppers: Whom to look as.
        notes: What else should be known.
        problem: Why what was asked could not be done.
    """

    visit: Visit
    words: str = ""
    ranking: list[Card] = field(default_factory=list[Card])
    intro: str = ""
    change: str = ""
    past: list[Card] = field(default_factory=list[Card])
    n_past: int = 0
    words_of: list[ProfileWord] = field(default_factory=list[ProfileWord])
    results: list[Card] = field(default_factory=list[Card])
    n_results: int = 0
    hidden: list[Card] = field(default_factory=list[Card])
    shoppers: list[Shopper] = field(default_factory=list[Shopper])
    notes: list[str] = field(default_factory=list[str])
    problem: str = ""


async def past_ids(service: Service, visit: Visit) -> list[str]:
    """Item ids of a user's past, oldest first, then of the visit. Raises UnknownIdError for an unknown user."""
    own = [] if visit.user is None else (await service.user(visit.user)).history
    return [*own, *visit.like]


async def recommended(service: Service, visit: Visit, k: int) -> RecommendAnswered:
    """The recommendations of a visit; their reasons are measured where there is a past that can give any."""
    return await service.recommend(visit.question(k, reasons=not visit.is_new))


async def home(service: Service, before: Visit, visit: Visit, words: str) -> Home:
    """Gather the home page.

    Args:
        service: The server.
        before: The visit before the last step; the same where there was none.
        visit: The visit now.
        words: What is searched for.
    """
    view, contents = service.catalogue(), Home(visit, words)
    if words:
        result = await service.search(words, limit=FOUND)
        contents.results, contents.n_results = cards(view, [item.item_id for item in result.items]), result.total
    try:
        ids = await past_ids(service, visit)
    except UnknownIdError as error:
        contents.problem, ids = f"{error}: you look as somebody new.", list(visit.like)
    if visit.is_blank:
        await _start(service, contents)
        return contents
    await _rank(service, before, contents)
    codes = [code for code in map(view.dataset.item_code.get, ids) if code is not None]
    contents.past, contents.n_past = cards(view, dict.fromkeys(ids[: -PAST - 1 : -1])), len(ids)
    contents.words_of = profile(view.served, codes, len(visit.like), visit)
    contents.hidden = cards(view, visit.hide)
    return contents


async def _start(service: Service, contents: Home) -> None:
    """Somebody new: whom to look as, and what most people choose."""
    view, most_chosen = service.catalogue(), await service.search(limit=SHOWN)
    contents.shoppers = shoppers(view, limit=SUGGESTED).shoppers
    contents.ranking = cards(view, [item.item_id for item in most_chosen.items])


async def _rank(service: Service, before: Visit, contents: Home) -> None:
    """The ranking, with what moved since the step before. A keyword that is none is said and left out."""
    visit, view = contents.visit, service.catalogue()
    try:
        answers = [recommended(service, one, SHOWN) for one in ([visit] if before == visit else [visit, before])]
        answer, *old = await asyncio.gather(*answers)
    except (BusyError, NotReadyError):
        raise
    except MmsrarecError as error:
        contents.problem = str(error)
        contents.visit = visit.model_copy(update={"more": before.more, "less": before.less})
        if (before.more, before.less) == (visit.more, visit.less):  # the step asked for no word
            contents.visit = visit.without_words()
        answer, old = await recommended(service, contents.visit, SHOWN), []
    comparable = bool(old) and not before.is_blank
    contents.ranking = ranked_cards(view, answer.items, old[0].items if comparable else None)
    contents.intro, contents.notes = introduction(answer.origin, contents.visit), list(answer.notes)
    contents.notes += contents.visit.pushed_out(before)
    if comparable:
        contents.change = change(contents.ranking)


def introduction(origin: Origin, visit: Visit) -> str:
    """How a ranking came about, in words that are true of this visit."""
    liked = "what you liked just now" if visit.like else ""
    if origin == "warm":
        return f"From this shopper’s history{', and ' * bool(liked)}{liked}."
    if origin == "session":
        return (
            f"From {liked or 'what this shopper did lately'}. Nothing else is known{'' if visit.user else ' of you'}."
        )
    known = "Nothing is known yet" if origin == "cold" else "None of what was given is known to this run"
    return f"{known}: these are chosen by many{', or by the keywords that you asked for' * bool(visit.more)}."


def change(ranking: list[Card]) -> str:
    """What moved, in one sentence."""
    new = sum(one.moved is None for one in ranking)
    moved = sum(bool(one.moved) for one in ranking)
    if not (new or moved):
        return "The ranking stays as it was."
    parts = [f"{new} new" if new else "", f"{moved} moved" if moved else ""]
    return f"The ranking changed: {', '.join(filter(None, parts))}."
