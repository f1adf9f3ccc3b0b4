"""The page of an item: what it is, what is near to it, why it could be for this visitor, and who is shown it."""

from dataclasses import dataclass, field

from mmsrarec.serve.page.views.audience import Audience, audience
from mmsrarec.serve.page.views.cards import Card, card, cards
from mmsrarec.serve.page.visit import Visit
from mmsrarec.serve.service import Service

SIMILAR = 8


@dataclass
class ItemPage:
    """What the page of an item shows.

    Attributes:
        card: The item.
        similar: Items near to it.
        similar_by: What they are near by.
        n_chosen: How often the item was chosen in the run's log.
        audience: Who is shown it; None where that was not asked for.
        because: Why it could be for this visitor.
    """

    card: Card
    similar: list[Card] = field(default_factory=list[Card])
    similar_by: str = ""
    n_chosen: int = 0
    audience: Audience | None = None
    because: list[str] = field(default_factory=list[str])


async def item_page(service: Service, visit: Visit, item_id: str, with_audience: bool) -> ItemPage:
    """Gather the page of an item.

    Args:
        service: The server.
        visit: Who looks.
        item_id: The item.
        with_audience: Whether to find out who is shown it, and why it could be for the visitor, which takes longer.

    Raises:
        UnknownIdError: There is no such item.
    """
    view = service.catalogue()
    contents = ItemPage(card(view, item_id))
    code, counts = view.code(item_id), view.served.recommender.retrieval.train.counts
    contents.n_chosen = int(counts[code]) if code < len(counts) else 0
    near, contents.similar_by = await service.with_model(lambda served: view.near(item_id, SIMILAR))
    contents.similar = cards(view, [view.dataset.items[other].item_id for other, _ in near])
    if with_audience:
        contents.audience = await audience(service, item_id)
        if not visit.is_new:
            answer = await service.recommend(visit.without_words().question(1, among=[item_id]))
            contents.because = [reason for item in answer.items for reason in item.because]
    return contents
