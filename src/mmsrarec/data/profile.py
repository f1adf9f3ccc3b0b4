"""Counts what a data set holds, what it lacks, and what makes it hard to predict."""

from typing import Any

import numpy as np

from mmsrarec.data.dataset import Dataset, Interactions
from mmsrarec.data.images import usable_pictures
from mmsrarec.data.reading.line_faults import placeholders
from mmsrarec.data.splits import CLOCKED_SPLITS, USUAL_SPLITS, Split, SplitName, make_split


def check(dataset: Dataset, seed: int = 0) -> dict[str, Any]:
    """Count a data set; every picture is opened.

    Args:
        dataset: The data set.
        seed: The seed of the random 8:1:1 split of users.

    Returns:
        JSON values by name; shares lie in [0, 1]. Splits that need a clock are left out where times are steps.
    """
    interactions = dataset.interactions
    lengths = np.diff(interactions.offsets)
    _, broken = usable_pictures(dataset)
    clocked = () if dataset.has_clock else CLOCKED_SPLITS
    splits: list[SplitName] = [name for name in USUAL_SPLITS if name not in clocked]
    return {
        "items": len(dataset.items),
        "users": len(dataset.user_ids),
        "events": len(interactions),
        "items_without_image": sum(item.image is None for item in dataset.items),
        "items_without_text": sum(not item.text for item in dataset.items),
        "items_without_events": int((interactions.counts == 0).sum()),
        "broken_images": {dataset.items[code].item_id: reason for code, reason in broken.items()},
        "median_events_per_user": float(np.median(lengths)) if len(lengths) else 0.0,
        "tie_share": tie_share(interactions),
        "repeat_share": _repeat_share(interactions),
        "placeholder_users": placeholders(dataset.user_ids, lengths),
        "placeholder_items": placeholders([item.item_id for item in dataset.items], interactions.counts),
        "times": dataset.times,
        "first_time": int(interactions.time.min()) if len(interactions) else None,
        "last_time": int(interactions.time.max()) if len(interactions) else None,
        "cold_share": {name: cold_share(make_split(name, interactions, seed)) for name in splits},
    }


def tie_share(interactions: Interactions) -> float:
    """The share of interactions in the same second as another one of the same user: only the file orders them."""
    if len(interactions) < 2:
        return 0.0
    same = (np.diff(interactions.user) == 0) & (np.diff(interactions.time) == 0)
    return float((np.append(same, False) | np.insert(same, 0, False)).mean())


def cold_share(split: Split) -> float:
    """The share of test queries whose target has no training interaction."""
    return float((split.train.counts[split.test.target] == 0).mean()) if len(split.test) else 0.0


def _repeat_share(interactions: Interactions) -> float:
    """The share of interactions with an item that the user consumed before."""
    pairs = np.unique(interactions.user * max(interactions.n_items, 1) + interactions.item)
    return 1 - len(pairs) / len(interactions) if len(interactions) else 0.0
