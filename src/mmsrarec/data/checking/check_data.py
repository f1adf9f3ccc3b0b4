"""`mmsrarec check`: the facts of a data set, and what is odd about them."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from mmsrarec.core.progress import Progress
from mmsrarec.data.checking.findings import Finding, findings
from mmsrarec.data.checking.log_facts import (
    Spread,
    density,
    immediate_repeat_share,
    repeat_share,
    users_at_one_time,
)
from mmsrarec.data.checking.picture_duplicates import near_duplicate_pictures
from mmsrarec.data.checking.picture_scan import PictureFacts, scan_pictures
from mmsrarec.data.checking.robots import Suspect, suspects
from mmsrarec.data.checking.text_duplicates import near_duplicate_texts
from mmsrarec.data.checking.time_facts import TimeFacts, time_facts
from mmsrarec.data.dataset import Dataset
from mmsrarec.data.image_fetching.item_addresses import is_address, missing_pictures
from mmsrarec.data.profile import cold_share, tie_share
from mmsrarec.data.reading.line_faults import placeholders
from mmsrarec.data.splits import CLOCKED_SPLITS, USUAL_SPLITS, SplitName, make_split

MAX_PICTURES = 20_000
"""How many pictures are opened unless more are wished for."""
MAX_TEXTS = 100_000
"""How many items are compared by their texts: the first ones."""
MIN_SHARED_TEXTS = 5
"""Items with one description from which on it is no description of each of them."""
MAX_LANGUAGE_ITEMS = 20_000
"""From how many items, evenly over the catalogue, languages are told."""
Languages = Callable[[Sequence[str]], list[str]]
"""Tells the ISO 639 code of each text."""


@dataclass(frozen=True)
class DuplicateGroup:
    """Items that are nearly the same.

    Attributes:
        item_ids: Their ids.
        titles: Their titles.
    """

    item_ids: tuple[str, ...]
    titles: tuple[str, ...]


@dataclass
class DataCheck:
    """What is known of a data set; shares lie in [0, 1].

    Attributes:
        data: The name of the data set.
        items: The number of items.
        users: The number of users.
        events: The number of interactions.
        density: The share of all pairs of a user and an item that occur; 1 minus it is the sparsity.
        per_user: Interactions of each user.
        per_item: Interactions of each item.
        median_events_per_user: The median of `per_user`.
        items_without_events: Items without an interaction.
        items_without_title: Items without a title.
        items_without_text: Items without a description.
        items_without_image: Items that name no picture.
        events_without_image: The share of interactions with an item whose picture cannot be used or is not there.
        events_without_text: The share of interactions with an item without title and description.
        pictures_by_address: Items whose picture is named by a web address, and not fetched.
        pictures_named: Items that name a picture file.
        pictures_opened: Those of them whose picture was opened, or tried to be.
        texts_compared: Items that were compared by their texts.
        broken_images: Item id -> why its picture does not open.
        odd_images: Item id -> why its picture is of little use.
        duplicate_texts: Groups of items with nearly the same text.
        shared_texts: Items whose description is that of MIN_SHARED_TEXTS items or more.
        duplicate_images: Groups of items with nearly the same picture.
        languages: Language -> number of items; those that were looked at.
        tie_share: Interactions at the same time as another one of the same user.
        users_at_one_time: Users with several interactions, all at one time.
        repeat_share: Interactions with an item that the user consumed before.
        immediate_repeat_share: Interactions with the item that the user consumed just before.
        placeholder_users: User id -> interactions, of ids that may stand for many people.
        placeholder_items: Item id -> interactions, in the same way.
        suspicious_users: Users who may be programs.
        times: The unit of the times.
        first_time: The first time; None without interactions.
        last_time: The last time.
        time: What is known of times that are seconds.
        cold_share: Split -> share of its test queries whose target has no training interaction.
        findings: What is odd, in words, the most important first.
    """

    data: str
    items: int
    users: int
    events: int
    density: float
    per_user: Spread
    per_item: Spread
    median_events_per_user: float
    items_without_events: int
    items_without_title: int
    items_without_text: int
    items_without_image: int
    events_without_image: float
    events_without_text: float
    pictures_by_address: int
    pictures_named: int
    pictures_opened: int
    texts_compared: int
    broken_images: dict[str, str]
    odd_images: dict[str, str]
    duplicate_texts: list[DuplicateGroup]
    shared_texts: int
    duplicate_images: list[DuplicateGroup]
    languages: dict[str, int]
    tie_share: float
    users_at_one_time: int
    repeat_share: float
    immediate_repeat_share: float
    placeholder_users: dict[str, int]
    placeholder_items: dict[str, int]
    suspicious_users: list[Suspect]
    times: str
    first_time: int | None
    last_time: int | None
    time: TimeFacts | None
    cold_share: dict[str, float]
    findings: list[Finding] = field(default_factory=list[Finding])


def check(
    dataset: Dataset,
    seed: int = 0,
    languages: Languages | None = None,
    max_pictures: int = MAX_PICTURES,
    progress: Progress | None = None,
) -> DataCheck:
    """Look at a data set.

    Args:
        dataset: The data set.
        seed: The seed of the random 8:1:1 split of users.
        languages: Tells the languages of texts; None leaves them out.
        max_pictures: How many pictures are opened: the first ones.
        progress: Shows how far it is.

    Returns:
        The facts. Splits that need a clock are left out where times are steps.
    """
    interactions, items = dataset.interactions, dataset.items
    pictured = [code for code, item in enumerate(items) if item.image and not is_address(item.image)]
    opened = pictured[:max_pictures]
    pictures, broken = _scan(dataset, opened, progress or Progress.of(False))
    lengths = np.diff(interactions.offsets)
    splits: list[SplitName] = [name for name in USUAL_SPLITS if dataset.has_clock or name not in CLOCKED_SPLITS]
    usable = set(pictured) - broken.keys()
    titles, texts = [item.title for item in items[:MAX_TEXTS]], [item.text for item in items[:MAX_TEXTS]]
    result = DataCheck(
        data=dataset.name,
        items=len(items),
        users=len(dataset.user_ids),
        events=len(interactions),
        density=density(interactions),
        per_user=Spread.of(lengths),
        per_item=Spread.of(interactions.counts),
        median_events_per_user=float(np.median(lengths)) if len(lengths) else 0.0,
        items_without_events=int((interactions.counts == 0).sum()),
        items_without_title=sum(not item.title for item in items),
        items_without_text=sum(not item.text for item in items),
        items_without_image=len(items) - len(pictured),
        events_without_image=_share(dataset, [code not in usable for code in range(len(items))]),
        events_without_text=_share(dataset, [not (item.title or item.text) for item in items]),
        pictures_by_address=len(missing_pictures(dataset)),
        pictures_named=len(pictured),
        pictures_opened=len(opened),
        texts_compared=len(texts),
        broken_images={items[code].item_id: reason for code, reason in broken.items()},
        odd_images=_odd(dataset, pictures),
        duplicate_texts=_named(dataset, near_duplicate_texts(titles, texts)),
        shared_texts=sum(count for count in Counter(filter(None, texts)).values() if count >= MIN_SHARED_TEXTS),
        duplicate_images=_named(dataset, near_duplicate_pictures(pictures)),
        languages=_languages(dataset, languages),
        tie_share=tie_share(interactions),
        users_at_one_time=users_at_one_time(interactions),
        repeat_share=repeat_share(interactions),
        immediate_repeat_share=immediate_repeat_share(interactions),
        placeholder_users=placeholders(dataset.user_ids, lengths),
        placeholder_items=placeholders([item.item_id for item in items], interactions.counts),
        suspicious_users=suspects(dataset),
        times=dataset.times,
        first_time=int(interactions.time.min()) if len(interactions) else None,
        last_time=int(interactions.time.max()) if len(interactions) else None,
        time=time_facts(interactions) if dataset.has_clock else None,
        cold_share={name: cold_share(make_split(name, interactions, seed)) for name in splits},
    )
    result.findings = findings(result)
    return result


def _scan(dataset: Dataset, codes: Sequence[int], progress: Progress) -> tuple[list[PictureFacts], dict[int, str]]:
    """Open pictures, and show how far it is where there are any."""
    if not codes:
        return [], {}
    with progress.task("pictures", len(codes)) as task:
        return scan_pictures(dataset, codes, task.advance)


def _share(dataset: Dataset, lacking: Sequence[bool]) -> float:
    """The share of interactions with items that lack something."""
    events = len(dataset.interactions)
    return float(dataset.interactions.counts[np.array(lacking, dtype=bool)].sum()) / events if events else 0.0


def _odd(dataset: Dataset, pictures: Sequence[PictureFacts]) -> dict[str, str]:
    """Item id -> why its picture is of little use."""
    return {dataset.items[facts.code].item_id: facts.oddity for facts in pictures if facts.oddity}


def _named(dataset: Dataset, groups: Sequence[Sequence[int]]) -> list[DuplicateGroup]:
    """Groups of item codes with their ids and titles."""
    return [
        DuplicateGroup(
            tuple(dataset.items[code].item_id for code in group), tuple(dataset.items[code].title for code in group)
        )
        for group in groups
    ]


def _languages(dataset: Dataset, languages: Languages | None) -> dict[str, int]:
    """Language -> number of items, the most frequent first, of items evenly over the catalogue."""
    if languages is None or not dataset.items:
        return {}
    step = -(-len(dataset.items) // MAX_LANGUAGE_ITEMS)
    texts = ["\n".join((item.title, item.text, *item.categories)) for item in dataset.items[::step]]
    return dict(Counter(languages(texts)).most_common())
