"""Data folders whose items name their pictures by address, for the tests that fetch them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mmsrarec.data.dataset import Dataset, Item, make_interactions
from mmsrarec.data.folder import write_tables, writing_data
from mmsrarec.data.image_fetching.download import Limits

FAST = Limits(
    attempts=3,
    connect_seconds=1.0,
    silence_seconds=0.4,
    total_seconds=0.8,
    first_pause_seconds=0.02,
    max_pause_seconds=1.5,
)
"""Limits that a test can wait for."""
LOOPBACK = ["127.0.0.1"]


def data_with(folder: Path, addresses: Sequence[str | None]) -> Path:
    """A data folder with an item for each address, as an import leaves it; the id of an item is its place."""
    items = tuple(Item(str(place), f"item {place}") for place in range(len(addresses)))
    zero = np.zeros(1, dtype=np.int64)
    dataset = Dataset("catalogue", items, ("u",), make_interactions(zero, zero, zero + 1_600_000_000, 1, len(items)))
    sources = {str(place): address for place, address in enumerate(addresses) if address}
    with writing_data(folder, "import tables", dataset.times, source=sources) as new:
        write_tables(dataset, new, sources)
    return folder


def pictures_of(folder: Path) -> list[str | None]:
    """What the items of a folder name as their picture now."""
    return [item.image for item in Dataset.load(folder).items]
