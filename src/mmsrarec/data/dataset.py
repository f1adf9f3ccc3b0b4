"""A data set in memory: the items of a catalogue, and which user interacted with which of them at what time."""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

from mmsrarec.data.times import looks_like_steps
from mmsrarec.data.units import Times, Unit

IntArray: TypeAlias = NDArray[np.int64]
FloatArray: TypeAlias = NDArray[np.floating]
ROWS_AT_ONCE = 1_000_000
"""Interactions that are looked at together, where what is made of them would take several times their memory."""


@dataclass(frozen=True, slots=True)
class Item:
    """An item of the catalogue.

    Attributes:
        item_id: The id, an opaque string: "007" stays "007".
        title: The title, or "".
        text: The description, or "".
        categories: The categories, in the order of the source.
        image: The file name below images/ of the data folder; None for an item without a picture.
    """

    item_id: str
    title: str = ""
    text: str = ""
    categories: tuple[str, ...] = ()
    image: str | None = None


@dataclass(frozen=True, eq=False)
class Interactions:
    """n interactions as codes, sorted by user, then time; ties keep the order of the file.

    Attributes:
        user: (n,) int64 codes, which index `Dataset.user_ids`.
        item: (n,) int64 codes, which index `Dataset.items`.
        time: (n,) int64 seconds since 1970, or steps where `Dataset.times` says so.
        n_users: The number of users, those without interactions included.
        n_items: The number of items, those without interactions included.
    """

    user: IntArray
    item: IntArray
    time: IntArray
    n_users: int
    n_items: int

    def __len__(self) -> int:
        return len(self.user)

    @cached_property
    def offsets(self) -> IntArray:
        """(n_users + 1,) row numbers: the interactions of user u are rows offsets[u] to offsets[u + 1]."""
        return np.searchsorted(self.user, np.arange(self.n_users + 1))

    @cached_property
    def counts(self) -> IntArray:
        """(n_items,) numbers of interactions of each item."""
        return np.bincount(self.item, minlength=self.n_items)

    def rows(self, user: int) -> slice:
        """The rows of one user."""
        return slice(int(self.offsets[user]), int(self.offsets[user + 1]))

    def items_of(self, user: int) -> IntArray:
        """The codes of the user's items, oldest first."""
        return self.item[self.rows(user)]

    def where(self, keep: NDArray[np.bool_]) -> "Interactions":
        """The interactions for which the (n,) mask is true, with the same users and items."""
        return Interactions(self.user[keep], self.item[keep], self.time[keep], self.n_users, self.n_items)

    def with_items(self, n_items: int) -> "Interactions":
        """The same interactions of a catalogue with more items; what is counted already is not counted again."""
        wider = Interactions(self.user, self.item, self.time, self.n_users, n_items)
        wider.__dict__.update(
            {name: self.__dict__[name] for name in ("offsets", "by_time", "times") if name in self.__dict__}
        )
        return wider

    @cached_property
    def digest(self) -> str:
        """The sha256 of all interactions and of the numbers of users and items, in hex digits."""
        content = hashlib.sha256(f"{self.n_users},{self.n_items}".encode())
        for codes in (self.user, self.item, self.time):
            content.update(b"|")
            for begin in range(0, len(codes), ROWS_AT_ONCE):
                content.update(np.ascontiguousarray(codes[begin : begin + ROWS_AT_ONCE], dtype="<i8").tobytes())
        return content.hexdigest()

    @cached_property
    def n_pairs(self) -> int:
        """The number of pairs of a user and an item that occur."""
        return sum(
            len(np.unique(self.user[rows] * max(self.n_items, 1) + self.item[rows])) for _, rows in self.user_blocks()
        )

    def user_blocks(self) -> Iterator[tuple[slice, slice]]:
        """Yield users in blocks with about ROWS_AT_ONCE interactions: a slice of user codes, and their rows."""
        begin = 0
        while begin < self.n_users:
            most = int(self.offsets[begin]) + ROWS_AT_ONCE
            end = max(int(np.searchsorted(self.offsets, most, side="right")) - 1, begin + 1)
            yield slice(begin, end), slice(int(self.offsets[begin]), int(self.offsets[end]))
            begin = end

    @cached_property
    def by_time(self) -> IntArray:
        """(n,) row numbers in time order; ties keep the order of the rows."""
        return stable_order(self.time)

    @cached_property
    def times(self) -> IntArray:
        """(n,) times in ascending order."""
        return self.time[self.by_time]


@dataclass(frozen=True, eq=False)
class Dataset:
    """A catalogue and its interactions.

    Attributes:
        name: The name in tables and messages.
        items: The items; an item's code is its place here.
        user_ids: The ids of the users; a user's code is the place here.
        interactions: The interactions, as codes.
        folder: The data folder, which holds images/; None for a data set that was never written.
        times: Whether times are seconds or steps. If it is not given, they are steps where all are small whole
            numbers (`looks_like_steps`).
    """

    name: str
    items: tuple[Item, ...]
    user_ids: tuple[str, ...]
    interactions: Interactions
    folder: Path | None = None
    times: Times = field(default=cast(Times, ""))  # filled in below, so that whoever reads it finds one of the two
    notes: tuple[str, ...] = ()
    """What was set aside when it was made from DataFrames, a sentence each."""
    image_root: Path | None = None
    """The folder that `Item.image` is relative to, where that is not images/ in `folder`."""

    def __post_init__(self) -> None:
        if not self.times:
            object.__setattr__(self, "times", "steps" if looks_like_steps(self.interactions.time) else "seconds")

    @property
    def has_clock(self) -> bool:
        """Whether times are seconds. Steps give an order, but no distances in time."""
        return self.times == "seconds"

    @cached_property
    def item_code(self) -> dict[str, int]:
        """The code of each item by its id."""
        return {item.item_id: code for code, item in enumerate(self.items)}

    @cached_property
    def user_code(self) -> dict[str, int]:
        """The code of each user by the id."""
        return {user_id: code for code, user_id in enumerate(self.user_ids)}

    @property
    def image_folder(self) -> Path | None:
        """The folder that pictures lie under; None where the data set has none."""
        return self.image_root or (None if self.folder is None else self.folder / "images")

    def image_path(self, code: int) -> Path | None:
        """The path of an item's picture, which may be missing; None for an item or a data set without pictures."""
        name, root = self.items[code].image, self.image_folder
        return None if name is None or root is None else root / name

    @classmethod
    def from_frames(
        cls,
        items: Any,
        interactions: Any,
        images: "str | os.PathLike[str] | Mapping[Any, Any] | None" = None,
        *,
        name: str = "frames",
        columns: Mapping[str, str] | None = None,
        time: Unit = "auto",
        max_rejects: float = 0.01,
    ) -> "Dataset":
        """A data set from DataFrames, cleaned and checked as `mmsrarec import` cleans and checks files.

        Args:
            items: A pandas or Polars DataFrame, or a dict of columns, with item_id and, where there are any, title,
                description, categories (a list, or text parted by "|"), image, year. None: the items are those of
                the interactions, without texts.
            interactions: The same with user_id, item_id and timestamp. Rows that are equal in all three count once.
                Without a column of times, the order of the rows tells the order, as steps.
            images: The folder that the column image is relative to; or a mapping from item ids to files. Absolute paths
                need neither.
            name: Of the data set, for messages.
            columns: What columns of unusual names hold, such as {"interactions.user_id": "who", "text": "body+tags"};
                usual names are those of `mmsrarec import`, whatever their case. Other columns of text join the item's
                text, unless {"items.ignore": "tags"} leaves them out.
            time: What numbers in the column of times count; "auto" tells it by their size. Datetimes without a zone
                are in UTC.
            max_rejects: Share of faulty rows that is still accepted, in [0, 1]; a missing id is no fault.

        Returns:
            The data set. Its `notes` say what was set aside; the logger "mmsrarec" warns of the same.

        Raises:
            DataError: A column is missing, too many rows are faulty, interactions name unknown items, or nothing is
                left.
        """
        from mmsrarec.data.frames import dataset_of

        return dataset_of(items, interactions, images, name=name, columns=columns, time=time, max_rejects=max_rejects)

    @classmethod
    def load(cls, folder: str | Path) -> "Dataset":
        """The data set in a data folder. Raises DataError for anything missing, malformed or unknown."""
        from mmsrarec.data.folder import load

        return load(Path(folder))

    def save(self, folder: str | Path) -> None:
        """Write a data folder, pictures included: all or nothing."""
        from mmsrarec.data.folder import save

        save(self, Path(folder))


def make_interactions(user: IntArray, item: IntArray, time: IntArray, n_users: int, n_items: int) -> Interactions:
    """Sort n interactions by user, then time, and keep the given order among ties.

    Args:
        user: (n,) user codes, in the order of the file.
        item: (n,) item codes.
        time: (n,) seconds or steps.
        n_users: The number of users.
        n_items: The number of items.

    Returns:
        The sorted interactions.
    """
    columns = [np.asarray(column, dtype=np.int64) for column in (user, item, time)]
    if not sorted_by_time(*columns[::2]):
        in_time_order = len(time) < 2 or bool((np.diff(time) >= 0).all())
        # both are stable: ties keep file order
        order = np.argsort(user, kind="stable") if in_time_order else np.lexsort((time, user))
        columns = [column[order] for column in columns]
    return Interactions(*columns, n_users=n_users, n_items=n_items)


def stable_order(values: NDArray[np.signedinteger]) -> IntArray:
    """The order that sorts n whole numbers; equal ones keep theirs.

    A number and its place are sorted as one number of 63 bits where both fit, some ten times as fast as an argsort.

    Args:
        values: (n,) whole numbers.

    Returns:
        (n,) places of the numbers, the lowest first.
    """
    bits = len(values).bit_length()
    if not len(values) or int(values.max()) - int(values.min()) >= 1 << (63 - bits):
        return np.argsort(values, kind="stable")
    order = values.astype(np.int64)
    order -= order.min()
    order <<= bits
    order |= np.arange(len(order))
    order.sort()
    order &= (1 << bits) - 1
    return order


def sorted_by_time(user: IntArray, time: IntArray) -> bool:
    """Whether (n,) rows are sorted by user, then time."""
    for begin in range(0, len(user) - 1, ROWS_AT_ONCE):
        part = slice(begin, begin + ROWS_AT_ONCE + 1)
        step = np.diff(user[part])
        if (step < 0).any() or (np.diff(time[part])[step == 0] < 0).any():
            return False
    return True


def item_record(item: Item) -> str:
    """An item as one line of JSON, without its end."""
    record = {"item_id": item.item_id, "title": item.title, "description": item.text}
    return json.dumps(record | {"categories": list(item.categories), "image": item.image}, ensure_ascii=False)
