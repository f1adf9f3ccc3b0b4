"""Items as pages show them: a card each, with what a ranking says of it."""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import urlencode

from mmsrarec.errors import UnknownIdError
from mmsrarec.serve.model.catalogue_view import CatalogueView
from mmsrarec.serve.schema.changing import ItemAnswered
from mmsrarec.serve.schema.recommending import ItemRanked

MAX_KEYWORDS, MAX_BECAUSE = 4, 2
"""On a card."""


@dataclass(frozen=True)
class Card:
    """An item on a page.

    Attributes:
        item: It.
        revision: Number of its last change, for the address of its picture.
        rank: Its place, from 1; 0 where nothing is ranked.
        because: Why it stands there, a sentence each.
        moved: Places that it rose (or fell, below 0); None where it was not shown before.
        compared: Whether there is a ranking of before.
    """

    item: ItemAnswered
    revision: int = 0
    rank: int = 0
    because: tuple[str, ...] = ()
    moved: int | None = 0
    compared: bool = False

    @property
    def keywords(self) -> list[str]:
        """Those that a card has room for."""
        return self.item.keywords[:MAX_KEYWORDS]

    @property
    def name(self) -> str:
        """The title, or what stands in for it."""
        return self.item.title or f"Item {self.item.item_id}"

    def picture(self, size: str = "small") -> str:
        """The address of its picture."""
        revision = {"v": str(self.revision)} if self.revision else {}
        return "picture?" + urlencode({"id": self.item.item_id, "size": size} | revision, errors="replace")


def card(view: CatalogueView, item_id: str) -> Card:
    """The card of an item. Raises UnknownIdError."""
    row = view.served.rows.get(item_id)
    return Card(view.item(item_id), 0 if row is None else row.revision)


def cards(view: CatalogueView, ids: Iterable[str]) -> list[Card]:
    """The cards of those items that are there."""
    result: list[Card] = []
    for item_id in ids:
        with suppress(UnknownIdError):
            result.append(card(view, item_id))
    return result


def ranked_cards(
    view: CatalogueView, items: Sequence[ItemRanked], before: Sequence[ItemRanked] | None = None
) -> list[Card]:
    """The cards of a ranking, each with how far it moved since another one."""
    old = None if before is None else {item.item_id: item.rank for item in before}
    result: list[Card] = []
    for item in items:
        with suppress(UnknownIdError):  # deleted meanwhile
            plain, because = card(view, item.item_id), tuple(item.because[:MAX_BECAUSE])
            place = None if old is None else old.get(item.item_id)
            moved = 0 if old is None else None if place is None else place - item.rank
            result.append(Card(plain.item, plain.revision, item.rank, because, moved, old is not None))
    return result
