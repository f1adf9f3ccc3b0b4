"""The users on the report's page: history, keywords of similar users, recommendations and their reasons."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from io import BytesIO
from typing import Any

from PIL import Image

from mmsrarec.data.dataset import Dataset
from mmsrarec.data.images import BadPicture, open_picture


@dataclass(frozen=True)
class ItemCard:
    """An item as the page shows it.

    Attributes:
        title: Title of the item.
        keywords: Its keywords.
        picture: JPEG bytes (`thumbnail`); None: the title stands alone.
        score: Score of a recommended item.
        because: Reasons of a recommended item.
        item_id: Id of the item.
    """

    title: str
    keywords: tuple[str, ...] = ()
    picture: bytes | None = None
    score: float | None = None
    because: tuple[str, ...] = ()
    item_id: str = ""

    def record(self) -> dict[str, Any]:
        """The card as report.json has it, without the picture."""
        return {key: value for key, value in asdict(self).items() if key != "picture"}

    def same_as(self, other: "ItemCard") -> bool:
        """Whether both are one item, by its id, or by its title where neither has an id."""
        ids = (self.item_id, other.item_id)
        return ids[0] == ids[1] if any(ids) else self.title == other.title


@dataclass(frozen=True)
class UserCard:
    """A user as the page shows it.

    Attributes:
        name: Heading of the card.
        history: The items of the history, oldest first.
        similar: Keywords of the items that similar users consumed next.
        recommendations: The recommended items, the best first.
        consumed_next: The item that the user consumed next.
        note: One more sentence.
    """

    name: str
    history: Sequence[ItemCard]
    similar: Sequence[str]
    recommendations: Sequence[ItemCard]
    consumed_next: ItemCard
    note: str = ""

    @property
    def place(self) -> int | None:
        """The place of the consumed item among the recommendations, from 1; None where it is not among them."""
        same = (item.same_as(self.consumed_next) for item in self.recommendations)
        return next((place for place, hit in enumerate(same, 1) if hit), None)

    def record(self) -> dict[str, Any]:
        """The card as report.json has it, without pictures."""
        lists = {key: [item.record() for item in getattr(self, key)] for key in ("history", "recommendations")}
        return {
            "name": self.name,
            "similar": list(self.similar),
            **lists,
            "taken": self.consumed_next.record(),
            "note": self.note,
        }


def thumbnail(picture: Image.Image, size: int = 120) -> bytes:
    """A JPEG of at most size x size pixels, a few kilobytes."""
    small = picture.convert("RGB")
    small.thumbnail((size, size))
    out = BytesIO()
    small.save(out, "JPEG", quality=72, optimize=True)
    return out.getvalue()


def small_picture(dataset: Dataset, code: int) -> bytes | None:
    """The thumbnail of an item; None where it has no picture that can be used."""
    path = dataset.image_path(code)
    if path is None or dataset.image_folder is None:
        return None
    try:
        return thumbnail(open_picture(path, dataset.image_folder))
    except BadPicture:
        return None
