"""The compare view: the run's answer beside another ranker's, with what moved between them."""

from dataclasses import dataclass, field

from mmsrarec.errors import UnknownIdError
from mmsrarec.serve.model.served_run import NOBODY, Question
from mmsrarec.serve.page.views.cards import Card, cards, ranked_cards
from mmsrarec.serve.page.views.other_rankers import other_rankers, other_ranking
from mmsrarec.serve.page.views.shoppers import Shopper, shoppers
from mmsrarec.serve.page.visit import Visit
from mmsrarec.serve.service import Service

SHOWN, SUGGESTED = 10, 12
"""Items of a ranking; shoppers that are proposed."""


@dataclass(frozen=True)
class Line:
    """A line from an item's place on the left to its place on the right.

    Attributes:
        left: From 0.
        right: From 0.
    """

    left: int
    right: int


@dataclass
class Comparison:
    """What the compare view shows.

    Attributes:
        names: The rankers that can be compared.
        name: The one that is.
        ours: The run's answer; `moved` of a card: places above the other ranker's.
        others: The other ranker's answer.
        lines: Between items that both have.
        intro: What they have in common, in one sentence.
        shoppers: Whom to compare for, where nobody looks yet.
    """

    names: list[str]
    name: str = ""
    ours: list[Card] = field(default_factory=list[Card])
    others: list[Card] = field(default_factory=list[Card])
    lines: list[Line] = field(default_factory=list[Line])
    intro: str = ""
    shoppers: list[Shopper] = field(default_factory=list[Shopper])


async def comparison(service: Service, visit: Visit, name: str) -> Comparison:
    """Compare the run's answer with another ranker's.

    Args:
        service: The server.
        visit: For whom.
        name: Of the other ranker; nothing: the sequence model of the run.

    Raises:
        UnknownIdError: The run has no such ranker.
    """
    served = service.run()
    names, usual = other_rankers(served), served.recommender.run_folder.recipe.retrieve.encoder
    if name and name not in names:
        raise UnknownIdError(f"this run has no ranker {name}: choose one of {', '.join(names)}")
    contents = Comparison(names, name or (usual if usual in names else names[0]))
    if visit.is_new:
        contents.shoppers = shoppers(service.catalogue(), limit=SUGGESTED).shoppers
        return contents
    state = NOBODY if visit.user is None else await service.user_state(visit.user)
    question, wanted = Question(visit.question(SHOWN, reasons=False), state), contents.name
    answer = await service.recommend(visit.question(SHOWN, reasons=False))
    ids = await service.with_model(lambda served: other_ranking(served, wanted, question, SHOWN))
    view = service.catalogue()
    places, theirs = {item.item_id: item.rank for item in answer.items}, {one: rank for rank, one in enumerate(ids, 1)}
    before = [item.model_copy(update={"rank": theirs[item.item_id]}) for item in answer.items if item.item_id in theirs]
    contents.ours = ranked_cards(view, answer.items, before)
    contents.others = [
        Card(one.item, one.revision, rank, (), _moved(rank, places.get(one.item.item_id)), True)
        for rank, one in enumerate(cards(view, ids), 1)
    ]
    contents.lines = [Line(places[one] - 1, theirs[one] - 1) for one in ids if one in places]
    contents.intro = f"{len(contents.lines)} of {len(contents.ours)} items stand in both."
    return contents


def _moved(rank: int, other: int | None) -> int | None:
    return None if other is None else other - rank
