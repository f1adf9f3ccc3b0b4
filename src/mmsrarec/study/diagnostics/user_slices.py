"""Slices of the test users by what is known of each query, and the metrics of every row on each slice."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmsrarec.data.dataset import Dataset, FloatArray, IntArray
from mmsrarec.data.splits import Queries, Split
from mmsrarec.evaluate.significance import RESAMPLES, intervals

DAY = 86_400
AGES = (
    (1, "the same second"),
    (DAY, "under a day"),
    (7 * DAY, "1 to 7 days"),
    (30 * DAY, "7 to 30 days"),
    (90 * DAY, "30 to 90 days"),
    (365 * DAY, "90 days to a year"),
)
"""Seconds below which an age falls into a slice, unless into one before it, and the slice's name."""
OLDEST = "a year and more"
METRICS = ("HR@5", "NDCG@5")
"""Metrics that are reported on slices."""
STEPS_NOTE = "The times of this log are steps, which tell no dates: the age of a target is unknown."


@dataclass(frozen=True, eq=False)
class Slicing:
    """The users of a table, cut into slices by one quantity.

    Attributes:
        by: What they are cut by.
        note: Why there is no slice; "" where there are some.
        slices: (name, (m,) mask) of each slice that has users.
    """

    by: str
    slices: Sequence[tuple[str, NDArray[np.bool_]]]
    note: str = ""


def quartiles(values: IntArray, zero: str = "") -> list[tuple[str, NDArray[np.bool_]]]:
    """Cut users into four slices of about equal size by a count; equal counts stay together.

    Args:
        values: (m,) counts, 0 or more.
        zero: Name of a slice of its own for the count 0; "": there is none.

    Returns:
        (name, (m,) mask) of each slice with users; a name says the least and the largest count, such as "5 to 9".
    """
    apart = (values == 0) & bool(zero)
    rest = values[~apart]
    slices = [(zero, apart)]
    if len(rest):
        places = np.searchsorted(np.quantile(rest, (0.25, 0.5, 0.75), method="inverted_cdf"), values, side="left")
        for place in range(4):
            mask = (places == place) & ~apart
            if mask.any():
                low, high = int(values[mask].min()), int(values[mask].max())
                slices.append((f"{low:,}" if low == high else f"{low:,} to {high:,}", mask))
    return [(name, mask) for name, mask in slices if mask.any()]


def by_age(seconds: IntArray) -> list[tuple[str, NDArray[np.bool_]]]:
    """Cut users by the age of their target.

    Args:
        seconds: (m,) seconds since the target was first consumed.

    Returns:
        (name, (m,) mask) of each slice with users, the youngest first.
    """
    place = np.searchsorted([limit for limit, _ in AGES], seconds, side="right")
    names = [*(name for _, name in AGES), OLDEST]
    return [(name, place == number) for number, name in enumerate(names) if (place == number).any()]


def slicings(queries: Queries, split: Split, dataset: Dataset) -> list[Slicing]:
    """Cut the users of a table by all that is known of their queries.

    Args:
        queries: m test queries.
        split: Their split.
        dataset: The data set; its whole log says when an item was first consumed.

    Returns:
        The slices by the target's age, its popularity, the length of the history and the length of the target's text.
    """
    log, items = dataset.interactions, dataset.items
    first = np.full(log.n_items, np.iinfo(np.int64).max)
    np.minimum.at(first, log.item, log.time)
    ages = by_age(queries.time - first[queries.target]) if dataset.has_clock else []
    lengths = np.array([len(history) for history in queries.history], dtype=np.int64)
    n_words = np.array([len(f"{items[int(code)].title} {items[int(code)].text}".split()) for code in queries.target])
    counts = quartiles(split.train.counts[queries.target], "new")
    return [
        Slicing("time since the target was first consumed", ages, "" if ages else STEPS_NOTE),
        Slicing("training interactions of the target, in quartiles of the test users", counts),
        Slicing("items of history", quartiles(lengths, "none")),
        Slicing("words of the target's title and text", quartiles(n_words.astype(np.int64), "none")),
    ]


def slice_records(
    rows: Mapping[str, Mapping[str, FloatArray]],
    slicing: Slicing,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> list[dict[str, Any]]:
    """The metrics of each row on each slice, with 95 % intervals; the rows share the resamples of a slice.

    Args:
        rows: Label of a row to its metrics, (m,) values each.
        slicing: The slices.
        seed: Seed of the bootstrap.
        resamples: Number of resamples.

    Returns:
        For each slice "slice", "users" and "rows": label -> metric -> value, low, high.
    """
    records: list[dict[str, Any]] = []
    for name, mask in slicing.slices:
        columns = {(label, metric): values[metric][mask] for label, values in rows.items() for metric in METRICS}
        keyed = {f"{number}": column for number, column in enumerate(columns.values())}
        measured = intervals(keyed, seed, resamples)
        figures: dict[str, dict[str, Any]] = {label: {} for label in rows}
        for (label, metric), interval in zip(columns, measured.values(), strict=True):
            figures[label][metric] = asdict(interval)
        records.append({"slice": name, "users": int(mask.sum()), "rows": figures})
    return records
