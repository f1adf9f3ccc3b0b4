"""How large a data set is: counted in its folder, or given."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import numpy as np

from mmsrarec.data.dataset import Dataset
from mmsrarec.errors import DataError
from mmsrarec.summarize.prompts import item_text

T = TypeVar("T")
SAMPLE = 500
"""Items whose texts are measured."""
LETTERS_PER_TOKEN = 4.0
"""Letters of a token of English, about; other languages have shorter tokens."""
MIN_EVENTS = 3
"""Interactions of a user who is tested where the last one is held out."""


@dataclass(frozen=True)
class DataSize:
    """What a plan needs to know of a data set.

    Attributes:
        items: In the catalogue.
        users: With an interaction.
        events: Interactions.
        texts: Items with a text.
        pictures: Items that name a picture.
        tested: Users with at least three interactions.
        text_tokens: Tokens of an item's text, on average, about.
        source: Where the numbers are from.
    """

    items: int
    users: int
    events: int
    texts: int
    pictures: int
    tested: int
    text_tokens: float
    source: str


def count_data(folder: Path, seed: int = 0) -> DataSize:
    """Count the data in a folder; the length of texts is measured on a sample.

    Args:
        folder: A data folder.
        seed: Seed of the sample.

    Raises:
        DataError: It is no data folder.
    """
    dataset = Dataset.load(folder)
    lengths = np.diff(dataset.interactions.offsets)
    sample: list[int] = np.random.default_rng(seed).permutation(len(dataset.items))[:SAMPLE].tolist()
    letters = [len(text) for code in sample if (text := item_text(dataset.items[code]))]
    text_share = len(letters) / max(len(sample), 1)
    return DataSize(
        items=len(dataset.items),
        users=int((lengths > 0).sum()),
        events=len(dataset.interactions),
        texts=round(text_share * len(dataset.items)),
        pictures=sum(item.image is not None for item in dataset.items),
        tested=int((lengths >= MIN_EVENTS).sum()),
        text_tokens=float(np.mean(letters)) / LETTERS_PER_TOKEN if letters else 0.0,
        source=f"counted in {folder}; texts of {len(sample)} items measured, {LETTERS_PER_TOKEN:g} letters a token",
    )


def data_size(
    folder: Path,
    items: int | None = None,
    users: int | None = None,
    events: int | None = None,
    text_tokens: float | None = None,
    pictures: int | None = None,
) -> DataSize:
    """The size of a data set: as given, and for what is not given as the folder says.

    Args:
        folder: The data folder; it need not exist where items, users and events are given.
        items: In the catalogue.
        users: With an interaction.
        events: Interactions.
        text_tokens: Tokens of an item's text; 0 for items without a text.
        pictures: Items with a picture.

    Raises:
        DataError: The folder is missing, and the numbers are not all given; or they cannot be.
    """
    size = _size(folder, items, users, events, text_tokens, pictures)
    if size.pictures > size.items:
        raise DataError(f"{size.pictures:,} items with a picture are more than {size.items:,} items")
    return size


def _size(
    folder: Path,
    items: int | None,
    users: int | None,
    events: int | None,
    text_tokens: float | None,
    pictures: int | None,
) -> DataSize:
    """`data_size` before it is looked at."""
    if items is None or users is None or events is None:
        if not folder.exists():
            raise DataError(
                f"no data folder {folder}: import the data, or give --items, --users and --events (and --text-tokens)"
            )
        counts = count_data(folder)
        return replace(
            counts,
            items=_first(items, counts.items),
            users=_first(users, counts.users),
            events=_first(events, counts.events),
            text_tokens=_first(text_tokens, counts.text_tokens),
            pictures=_first(pictures, counts.pictures),
        )
    length = 40.0 if text_tokens is None else text_tokens
    return DataSize(
        items=items,
        users=users,
        events=events,
        texts=items if length else 0,
        pictures=items if pictures is None else pictures,
        tested=users if events >= MIN_EVENTS * users else events // MIN_EVENTS,
        text_tokens=length,
        source="as given" + ("; texts of 40 tokens assumed" if text_tokens is None else ""),
    )


def _first(given: T | None, counted: T) -> T:
    return counted if given is None else given
