"""Items that were written, changed or deleted here, in the database."""

import json
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, delete, select

from mmsrarec.data.dataset import Item
from mmsrarec.serve.state.tables import answers, facts, items

REVISION = "revision"


@dataclass(frozen=True)
class Summary:
    """What was read of an item.

    Attributes:
        image: Keywords of the picture.
        text: Keywords of the text.
        language: ISO 639.
        notes: What went wrong, a sentence each.
    """

    image: tuple[str, ...] = ()
    text: tuple[str, ...] = ()
    language: str = "en"
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class ItemRow:
    """An item that differs from the run's.

    Attributes:
        item: What it is; of an item that is only out of stock or deleted, the id alone.
        described: Whether title, text, categories and summary are the row's own.
        in_stock: Whether it may be recommended.
        deleted: Whether it is gone.
        summary: What was read of it.
        picture: The bytes of its picture.
        feature: What the model sees of the picture, as safetensors.
        revision: Number of the change.
    """

    item: Item
    described: bool = False
    in_stock: bool = True
    deleted: bool = False
    summary: Summary = Summary()
    picture: bytes | None = None
    feature: bytes | None = None
    revision: int = 0


def next_revision(connection: Connection) -> int:
    """The number of a change of an item; kept answers of before are dropped with it."""
    before = connection.execute(select(facts.c.value).where(facts.c.name == REVISION).with_for_update()).scalar()
    number = int(before or 0) + 1
    connection.execute(delete(facts).where(facts.c.name == REVISION))
    connection.execute(facts.insert().values(name=REVISION, value=str(number)))
    connection.execute(delete(answers))
    return number


def save_item(connection: Connection, row: ItemRow) -> ItemRow:
    """Write an item in the place of what was there; the row with its revision."""
    row = replace(row, revision=next_revision(connection))
    item = row.item
    values: dict[str, Any] = {
        "item_id": item.item_id,
        "revision": row.revision,
        "described": row.described,
        "deleted": row.deleted,
        "in_stock": row.in_stock,
        "title": item.title,
        "text": item.text,
        "categories": json.dumps(list(item.categories)),
        "summary": json.dumps({name: getattr(row.summary, name) for name in ("image", "text", "language", "notes")}),
        "picture": row.picture,
        "feature": row.feature,
    }
    connection.execute(delete(items).where(items.c.item_id == item.item_id))
    connection.execute(items.insert().values(values))
    return row


def load_items(connection: Connection) -> list[ItemRow]:
    """All items that differ from the run's, in the order in which they were changed."""
    return [_row(record._mapping) for record in connection.execute(select(items).order_by(items.c.revision))]  # pyright: ignore[reportPrivateUsage]


def _row(values: Any) -> ItemRow:
    summary = json.loads(values["summary"])
    item = Item(values["item_id"], values["title"], values["text"], tuple(json.loads(values["categories"])))
    return ItemRow(
        item,
        values["described"],
        values["in_stock"],
        values["deleted"],
        Summary(tuple(summary["image"]), tuple(summary["text"]), summary["language"], tuple(summary["notes"])),
        values["picture"],
        values["feature"],
        values["revision"],
    )
