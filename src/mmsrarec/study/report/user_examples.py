"""The users on the report's page: what they had, what similar users took, what is recommended and why."""

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from html import escape
from io import BytesIO
from typing import Any

from PIL import Image

from mmsrarec.data.dataset import Dataset
from mmsrarec.data.images import BadPicture, open_picture


@dataclass(frozen=True)
class ItemCard:
    """An item as the page shows it. picture: JPEG bytes (see `thumbnail`), None: the title stands alone."""

    title: str
    keywords: tuple[str, ...] = ()
    picture: bytes | None = None
    score: float | None = None
    because: tuple[str, ...] = ()
    item_id: str = ""

    def record(self) -> dict[str, Any]:
        return {key: value for key, value in asdict(self).items() if key != "picture"}


@dataclass(frozen=True)
class UserCard:
    """A user as the page shows it.

    history: oldest first. similar: keywords from similar users. taken: what came next. note: a sentence more.
    """

    name: str
    history: Sequence[ItemCard]
    similar: Sequence[str]
    recommendations: Sequence[ItemCard]
    taken: ItemCard
    note: str = ""

    def record(self) -> dict[str, Any]:
        lists = {key: [item.record() for item in getattr(self, key)] for key in ("history", "recommendations")}
        return {
            "name": self.name,
            "similar": list(self.similar),
            **lists,
            "taken": self.taken.record(),
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
    if path is None or dataset.folder is None:
        return None
    try:
        return thumbnail(open_picture(path, dataset.folder / "images"))
    except BadPicture:
        return None


def users_section(users: Sequence[UserCard]) -> str:
    """HTML of the users; empty without any."""
    if not users:
        return ""
    count = {1: "One user", 10: "Ten users"}.get(len(users), f"{len(users)} users")
    return f'<section class="people"><h2>{count}</h2>{"".join(map(user_card, users))}</section>'


def user_card(user: UserCard) -> str:
    """HTML of one user."""
    hit = next((i for i, item in enumerate(user.recommendations, 1) if _same(item, user.taken)), None)
    fate = f"It was recommended at place {hit}." if hit else "It was not among the recommendations."
    cards = "".join(
        f'<li class="{"hit" if i == hit else ""}">{_item(x)}</li>' for i, x in enumerate(user.recommendations, 1)
    )
    similar = _chips(user.similar) or '<p class="quiet">Nobody similar before this moment.</p>'
    return (
        f"<article><h3>{escape(user.name)}</h3><h4>Had, oldest first</h4>"
        f'<ul class="items">{"".join(f"<li>{_item(item)}</li>" for item in user.history)}</ul>'
        f"<h4>Similar users went on to</h4>{similar}"
        f'<h4>Recommended</h4><ol class="items">{cards}</ol>'
        f'<h4>Took next</h4><ul class="items"><li class="taken">{_item(user.taken)}</li></ul>'
        f'<p class="quiet">{fate} {escape(user.note)}</p></article>'
    )


def _same(a: ItemCard, b: ItemCard) -> bool:
    return a.item_id == b.item_id if a.item_id or b.item_id else a.title == b.title


def _item(item: ItemCard) -> str:
    picture = '<div class="picture none" aria-hidden="true">no picture</div>'
    if item.picture is not None:
        source = "data:image/jpeg;base64," + b64encode(item.picture).decode()
        picture = f'<img class="picture" loading="lazy" alt="" src="{source}">'
    score = "" if item.score is None else f'<span class="score">{item.score:.3f}</span>'
    because = "".join(f"<li>{escape(reason)}</li>" for reason in item.because)
    return (
        f'{picture}<div class="words"><p class="title"><bdi>{escape(item.title) or "untitled"}</bdi>{score}</p>'
        f"{_chips(item.keywords)}{f'<ul class=because>{because}</ul>' if because else ''}</div>"
    )


def _chips(words: Sequence[str]) -> str:
    return f'<p class="chips">{"".join(f"<span>{escape(word)}</span>" for word in words)}</p>' if words else ""
