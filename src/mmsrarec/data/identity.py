"""Compares a catalogue and its log with earlier ones: an item is the same if its id and its content are.

Nothing here depends on where a data folder lies, on the order of its lines, or on the bytes of a file as a whole.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl

from mmsrarec.core.artefacts import file_hash
from mmsrarec.data.dataset import Dataset, IntArray, Interactions, Item, make_interactions
from mmsrarec.data.units import Times
from mmsrarec.errors import NotFittedError

LOG, ITEMS = "log.parquet", "items.json"


@dataclass(frozen=True, eq=False)
class KeptLog:
    """The interactions that a part of a run was made from, with the ids of their codes.

    Attributes:
        user_ids: The ids of the users, by code.
        item_ids: The ids of the items, by code.
        interactions: The interactions.
        times: The unit of their times.
    """

    user_ids: tuple[str, ...]
    item_ids: tuple[str, ...]
    interactions: Interactions
    times: Times = "seconds"

    @classmethod
    def of(cls, dataset: Dataset) -> "KeptLog":
        """The log of a data set as it is now."""
        item_ids = tuple(item.item_id for item in dataset.items)
        return cls(dataset.user_ids, item_ids, dataset.interactions, dataset.times)

    def save(self, folder: Path) -> None:
        """Write log.parquet: one row for each interaction; the ids and the unit of time are in its metadata."""
        columns = {name: getattr(self.interactions, name) for name in ("user", "item", "time")}
        ids = {"users": json.dumps(self.user_ids), "items": json.dumps(self.item_ids), "times": self.times}
        pl.DataFrame(columns, schema=dict.fromkeys(columns, pl.Int64)).write_parquet(folder / LOG, metadata=ids)

    @classmethod
    def load(cls, folder: Path) -> "KeptLog":
        """Read what `save` wrote.

        Raises:
            MmsrarecError: The folder has no such file, or it is damaged.
        """
        try:
            table, ids = pl.read_parquet(folder / LOG), pl.read_parquet_metadata(folder / LOG)
            users, items = tuple(json.loads(ids["users"])), tuple(json.loads(ids["items"]))
            user, item, time = (table[name].to_numpy() for name in ("user", "item", "time"))
            times: Times = "steps" if ids["times"] == "steps" else "seconds"
            return cls(users, items, make_interactions(user, item, time, len(users), len(items)), times)
        except (OSError, ValueError, KeyError, pl.exceptions.PolarsError) as error:
            raise NotFittedError(
                f"{folder} does not keep the interactions that it was made from (made by an earlier version?): "
                "make the run anew with mmsrarec run"
            ) from error

    def padded(self, dataset: Dataset) -> Interactions:
        """The interactions for a data set that has the same users and items first, and perhaps more (`align`)."""
        return replace(self.interactions, n_users=len(dataset.user_ids), n_items=len(dataset.items))


def align(
    dataset: Dataset, user_ids: Sequence[str], item_ids: Sequence[str], gone: Mapping[str, Item] | None = None
) -> Dataset:
    """Put the given users and items first, in the given order, so that their codes are the same as before.

    Args:
        dataset: The data set as it is now.
        user_ids: Ids of the earlier users; those without an interaction now are dropped unless `gone` is given.
        item_ids: Ids of the earlier items.
        gone: Earlier items that the data set no longer has, by id; they keep their codes. None drops them.

    Returns:
        The data set with other codes; new users and items stand last.
    """
    present = dataset.item_code
    items = [
        dataset.items[present[item_id]] if item_id in present else (gone or {}).get(item_id, Item(item_id))
        for item_id in item_ids
        if item_id in present or gone is not None
    ]
    earlier_items = {item.item_id for item in items}
    items += [item for item in dataset.items if item.item_id not in earlier_items]
    users = [user_id for user_id in user_ids if user_id in dataset.user_code or gone is not None]
    earlier_users = set(users)
    users += [user_id for user_id in dataset.user_ids if user_id not in earlier_users]
    return recoded(dataset, tuple(items), tuple(users))


def recoded(dataset: Dataset, items: tuple[Item, ...], user_ids: tuple[str, ...]) -> Dataset:
    """Give a data set other codes.

    Args:
        dataset: The data set.
        items: The items by their new codes; every item with an interaction must be among them.
        user_ids: The ids of the users by their new codes; every user with an interaction must be among them.

    Returns:
        The same interactions with the new codes.
    """
    if user_ids == dataset.user_ids and [item.item_id for item in items] == [item.item_id for item in dataset.items]:
        return replace(dataset, items=items)
    user_codes = {user_id: code for code, user_id in enumerate(user_ids)}
    item_codes = {item.item_id: code for code, item in enumerate(items)}
    new_users = np.array([user_codes[user_id] for user_id in dataset.user_ids], dtype=np.int64)
    new_items = np.array([item_codes.get(item.item_id, -1) for item in dataset.items], dtype=np.int64)
    old = dataset.interactions
    interactions = make_interactions(
        _translated(new_users, old.user), _translated(new_items, old.item), old.time, len(user_ids), len(items)
    )
    return replace(dataset, items=items, user_ids=user_ids, interactions=interactions)


def _translated(new_codes: IntArray, codes: IntArray) -> IntArray:
    """The new codes of (n,) old codes; an empty table translates no codes."""
    return new_codes[codes] if len(codes) else codes


def log_digest(dataset: Dataset) -> str:
    """The sha256 of all interactions in the order of their codes, and of the ids of these codes, in hex digits."""
    interactions, digest = dataset.interactions, hashlib.sha256()
    digest.update(json.dumps([dataset.user_ids, [item.item_id for item in dataset.items]]).encode())
    for part in (interactions.user, interactions.item, interactions.time):
        digest.update(np.ascontiguousarray(part, dtype="<i8").tobytes())
    return digest.hexdigest()


def text_digest(items: Iterable[Item]) -> str:
    """The sha256 of the ids, titles, texts and categories of items, in any order, in hex digits."""
    texts = sorted([item.item_id, item.title, item.text, list(item.categories)] for item in items)
    return hashlib.sha256(json.dumps(texts).encode()).hexdigest()


def picture_digests(dataset: Dataset) -> dict[str, str]:
    """Item id -> sha256 of its picture's bytes, for items whose picture file exists."""
    paths = {item.item_id: dataset.image_path(code) for code, item in enumerate(dataset.items)}
    return {name: file_hash(path) for name, path in paths.items() if path is not None and path.is_file()}


def save_items(items: Iterable[Item], folder: Path) -> None:
    """Write items.json: the items as they are when a part of a run is made."""
    (folder / ITEMS).write_text(json.dumps([asdict(item) for item in items], ensure_ascii=False), encoding="utf-8")


def load_items(folder: Path) -> dict[str, Item]:
    """Item id -> the item, as `save_items` wrote it; an empty dict where the folder has no such file."""
    try:
        records = json.loads((folder / ITEMS).read_text(encoding="utf-8"))
        items = [Item(**record | {"categories": tuple(record["categories"])}) for record in records]
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    return {item.item_id: item for item in items}
