"""What an item, a picture and a log are, whatever their place: identity is the id and the content.

Nothing here depends on where a data folder lies, in which order its lines stand, or on the bytes of a file as a whole.
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
    """The interactions that a part of a run was made from, with the ids that its codes stand for."""

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
        """Write log.parquet: a row an interaction, ids and kind of time in its metadata."""
        columns = {name: getattr(self.interactions, name) for name in ("user", "item", "time")}
        ids = {"users": json.dumps(self.user_ids), "items": json.dumps(self.item_ids), "times": self.times}
        pl.DataFrame(columns, schema=dict.fromkeys(columns, pl.Int64)).write_parquet(folder / LOG, metadata=ids)

    @classmethod
    def load(cls, folder: Path) -> "KeptLog":
        """Raises MmsrarecError where the folder keeps no log."""
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

    def widened(self, dataset: Dataset) -> Interactions:
        """These interactions with the codes of a data set that has the same users and items first (`align`)."""
        return replace(self.interactions, n_users=len(dataset.user_ids), n_items=len(dataset.items))


def align(
    dataset: Dataset, user_ids: Sequence[str], item_ids: Sequence[str], gone: Mapping[str, Item] | None = None
) -> Dataset:
    """The data set with the named users and items first, in that order, so that codes mean what they meant before.

    Args:
        user_ids: Users known before; those with no interaction left are dropped unless `gone` is given.
        item_ids: Items known before.
        gone: What known items were that the data set no longer has; they keep their places. None drops them.
    """
    present = dataset.item_code
    items = [
        dataset.items[present[one]] if one in present else (gone or {}).get(one, Item(one))
        for one in item_ids
        if one in present or gone is not None
    ]
    known = {item.item_id for item in items}
    items += [item for item in dataset.items if item.item_id not in known]
    users = [one for one in user_ids if one in dataset.user_code or gone is not None]
    known_users = set(users)
    users += [one for one in dataset.user_ids if one not in known_users]
    return recoded(dataset, tuple(items), tuple(users))


def recoded(dataset: Dataset, items: tuple[Item, ...], user_ids: tuple[str, ...]) -> Dataset:
    """The data set with other codes for the same ids; every interaction's user and item must be among them."""
    if user_ids == dataset.user_ids and [item.item_id for item in items] == [item.item_id for item in dataset.items]:
        return replace(dataset, items=items)
    places = ({one: code for code, one in enumerate(ids)} for ids in (user_ids, [item.item_id for item in items]))
    user_place, item_place = places
    user = np.array([user_place[one] for one in dataset.user_ids], dtype=np.int64)
    item = np.array([item_place.get(one.item_id, -1) for one in dataset.items], dtype=np.int64)
    old = dataset.interactions
    interactions = make_interactions(
        _consumed(user, old.user), _consumed(item, old.item), old.time, len(user_ids), len(items)
    )
    return replace(dataset, items=items, user_ids=user_ids, interactions=interactions)


def _consumed(places: IntArray, codes: IntArray) -> IntArray:
    return places[codes] if len(codes) else codes


def log_digest(dataset: Dataset) -> str:
    """sha256 of who interacted with what when, in the order of their codes, and of the ids that these stand for."""
    interactions, digest = dataset.interactions, hashlib.sha256()
    digest.update(json.dumps([dataset.user_ids, [item.item_id for item in dataset.items]]).encode())
    for part in (interactions.user, interactions.item, interactions.time):
        digest.update(np.ascontiguousarray(part, dtype="<i8").tobytes())
    return digest.hexdigest()


def text_digest(items: Iterable[Item]) -> str:
    """sha256 of what is written about items, in whatever order they stand."""
    told = sorted([item.item_id, item.title, item.text, list(item.categories)] for item in items)
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()


def picture_digests(dataset: Dataset) -> dict[str, str]:
    """Item id -> sha256 of its picture's bytes, for items whose picture is there."""
    paths = {item.item_id: dataset.image_path(code) for code, item in enumerate(dataset.items)}
    return {name: file_hash(path) for name, path in paths.items() if path is not None and path.is_file()}


def save_items(items: Iterable[Item], folder: Path) -> None:
    """Write items.json: what was known of the items when the part in that folder was made."""
    (folder / ITEMS).write_text(json.dumps([asdict(item) for item in items], ensure_ascii=False), encoding="utf-8")


def load_items(folder: Path) -> dict[str, Item]:
    """Item id -> the item, as `save_items` wrote it; nothing where the folder has none."""
    try:
        records = json.loads((folder / ITEMS).read_text(encoding="utf-8"))
        items = [Item(**record | {"categories": tuple(record["categories"])}) for record in records]
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    return {item.item_id: item for item in items}
