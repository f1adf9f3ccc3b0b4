"""Items that were written, changed or deleted here, in the database."""

import json
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, delete, select

from mmsrarec.data.dataset import Item
from mmsrarec.serve.state.change_log import tell
from mmsrarec.serve.state.tables import answers, items


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
        has_picture: Whether there is a picture of it.
        picture: The bytes of its picture, of a row that is written; `load_picture` reads them.
        feature: What the model sees of the picture, as safetensors, until the item has joined.
        revision: Number of the change.
    """

    item: Item
    described: bool = False
    in_stock: bool = True
    deleted: bool = False
    summary: Summary = Summary()
    has_picture: bool = False
    picture: bytes | None = None
    feature: bytes | None = None
    revision: int = 0

    @property
    def without_bytes(self) -> "ItemRow":
        """The row as it is held in memory."""
        return replace(self, picture=None, feature=None)


def save_item(connection: Connection, row: ItemRow, server: str = "") -> ItemRow:
    """Write an item in the place of what was there, and drop the kept answers of before; the row as it is held now.

    Args:
        connection: In a transaction.
        row: The item.
        server: Who changes it.
    """
    revision = tell(connection, server, "item", items=[row.item.item_id])
    row = replace(row, revision=revision, has_picture=row.picture is not None)
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
    connection.execute(delete(answers))
    return replace(row, picture=None)


def set_stock(connection: Connection, item_id: str, in_stock: bool, server: str = "") -> ItemRow:
    """Change whether an item is in stock, and nothing else of it; the row as it is now."""
    of_item = items.c.item_id == item_id
    if connection.execute(select(items.c.revision).where(of_item)).first() is None:
        return save_item(connection, ItemRow(Item(item_id), in_stock=in_stock), server)
    revision = tell(connection, server, "item", items=[item_id])
    connection.execute(items.update().where(of_item).values(in_stock=in_stock, revision=revision))
    connection.execute(delete(answers))
    return load_items(connection, [item_id])[0]


def load_items(connection: Connection, ids: Collection[str] | None = None) -> list[ItemRow]:
    """Items that differ from the run's, in the order in which they were changed, without the bytes of pictures.

    Args:
        connection: In a transaction.
        ids: Of which items; None: of all.
    """
    columns = [column for column in items.c if column.name != "picture"]
    query = select(*columns, items.c.picture.is_not(None).label("has_picture")).order_by(items.c.revision)
    if ids is not None:
        query = query.where(items.c.item_id.in_(list(ids)))
    return [_row(values) for values in connection.execute(query).mappings()]


def load_picture(connection: Connection, item_id: str) -> bytes | None:
    """The bytes of an item's picture."""
    return connection.execute(select(items.c.picture).where(items.c.item_id == item_id)).scalar()


def _row(values: Any) -> ItemRow:
    summary = json.loads(values["summary"])
    item = Item(values["item_id"], values["title"], values["text"], tuple(json.loads(values["categories"])))
    return ItemRow(
        item,
        values["described"],
        values["in_stock"],
        values["deleted"],
        Summary(tuple(summary["image"]), tuple(summary["text"]), summary["language"], tuple(summary["notes"])),
        values["has_picture"],
        None,
        values["feature"],
        values["revision"],
    )
