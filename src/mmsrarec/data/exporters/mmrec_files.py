"""Writes what MMRec reads: NAME.inter with numbers for ids and a split, lists of what the numbers mean, and the texts.

MMRec takes the highest number for the number of items, and needs a training row of every user. So items with
interactions have the lowest numbers, and users with fewer than three interactions are in training only.
"""

from pathlib import Path

import numpy as np
import polars as pl

from mmsrarec.data.dataset import Dataset, IntArray, Interactions

MIN_INTERACTIONS = 3
"""A user with fewer has nothing left to train on when one is held out for each part."""
SPLIT_NOTE = (
    "x_label: the last interaction of each user is the test (2), the one before it validation (1); users with fewer "
    "than three are in training (0) only."
)
FEATURES_NOTE = (
    "MMRec also needs image_feat.npy and text_feat.npy, a row for each itemID: make them with a model of your choice."
)
RATING_NOTE = "rating is 1 in every row: a data folder holds no ratings."


def write(dataset: Dataset, folder: Path, name: str) -> list[str]:
    """Write a data set as MMRec reads it.

    Args:
        dataset: The data set.
        folder: The empty folder to write into.
        name: The name of the data set.

    Returns:
        What a reader should know, a sentence each.
    """
    interactions = dataset.interactions
    users: IntArray = np.flatnonzero(np.diff(interactions.offsets))
    used = interactions.counts > 0
    items: IntArray = np.concatenate([np.flatnonzero(used), np.flatnonzero(~used)])
    user_number, item_number = _numbers(users, len(dataset.user_ids)), _numbers(items, len(dataset.items))
    log = {
        "userID": user_number[interactions.user],
        "itemID": item_number[interactions.item],
        "rating": np.ones(len(interactions)),
        "timestamp": interactions.time,
        "x_label": _labels(interactions),
    }
    _write(pl.DataFrame(log), folder / f"{name}.inter")
    user_codes: list[int] = users.tolist()
    user_ids = [dataset.user_ids[code] for code in user_codes]
    _write(pl.DataFrame({"user_id": user_ids, "userID": np.arange(len(users))}), folder / "u_id_mapping.csv")
    codes: list[int] = items.tolist()
    chosen = [dataset.items[code] for code in codes]
    ids = {"item_id": [item.item_id for item in chosen], "itemID": np.arange(len(chosen))}
    _write(pl.DataFrame(ids), folder / "i_id_mapping.csv")
    texts = {
        "title": [item.title for item in chosen],
        "categories": ["|".join(item.categories) for item in chosen],
        "description": [item.text for item in chosen],
    }
    _write(pl.DataFrame({**ids, **texts}), folder / f"meta-{name}.csv")
    cold = int((~used).sum())
    notes = [SPLIT_NOTE, RATING_NOTE, FEATURES_NOTE]
    return (
        [*notes, f"{cold} items without interactions have the highest numbers; MMRec leaves them out."]
        if cold
        else notes
    )


def _numbers(codes: IntArray, size: int) -> IntArray:
    """(size,) numbers: the place of each code among the codes; 0 for others."""
    numbers = np.zeros(size, dtype=np.int64)
    numbers[codes] = np.arange(len(codes))
    return numbers


def _labels(interactions: Interactions) -> IntArray:
    """(n,) labels of MMRec's split, by time."""
    labels = np.zeros(len(interactions), dtype=np.int64)
    long_enough = np.flatnonzero(np.diff(interactions.offsets) >= MIN_INTERACTIONS)
    last = interactions.offsets[long_enough + 1] - 1
    labels[last - 1], labels[last] = 1, 2
    return labels


def _write(table: pl.DataFrame, path: Path) -> None:
    """Write a table with tabs, as MMRec's own files have them."""
    table.write_csv(path, separator="\t")
