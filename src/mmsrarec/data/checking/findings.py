"""Says in words what is odd about a data set, and what to do about it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from mmsrarec.data.checking.check_data import DataCheck

Level = Literal["mend", "know"]
"""Whether something should be mended before a run, or is good to know when its figures are read."""
FEW = 0.02
"""Shares of items or interactions below this are not worth a sentence, unless each case is a fault."""
MANY, MOST = 0.2, 0.5
SHORT_HISTORY = 5
ROBOT_SHARE = 0.05
"""Of the interactions, from which on users who are hardly persons should be looked at first."""
MIN_LANGUAGE_SHARE = 0.02
SHARED_PICTURE = 5
"""Items with one picture from which on it may be a placeholder."""


@dataclass(frozen=True)
class Finding:
    """Something that is odd.

    Attributes:
        level: Whether to mend it, or to know it.
        what: What is odd.
        advice: What to do, or what follows.
    """

    level: Level
    what: str
    advice: str


def findings(check: "DataCheck") -> list[Finding]:
    """What is odd about a data set, what should be mended first."""
    if not check.events:
        return [Finding("mend", "there are no interactions", "nothing can be learned or measured without them")]
    every = [finding for look in _LOOKS for finding in look(check)]
    return [finding for level in ("mend", "know") for finding in every if finding.level == level]


def _texts(check: "DataCheck") -> Iterator[Finding]:
    if check.items_without_title > FEW * check.items:
        yield Finding(
            "mend",
            f"{_of(check.items_without_title, check.items)} items have no title",
            "prompts and answers name items by their title: map a column to it when importing",
        )
    if check.items_without_text > MOST * check.items:
        yield Finding(
            "know",
            f"{_of(check.items_without_text, check.items)} items have no description",
            "stage 1 reads only titles, categories and pictures; another column may hold more text",
        )
    if check.events_without_text > FEW:
        yield Finding(
            "mend",
            f"{check.events_without_text:.1%} of the interactions are with items without any text",
            "look whether the ids of items and interactions are written alike",
        )
    if groups := check.duplicate_texts:
        count = sum(len(group.item_ids) for group in groups)
        yield Finding(
            "mend" if count > MANY * check.items else "know",
            f"{_of(count, check.items)} items stand in {_number(len(groups), 'group')} of nearly the same text",
            "items listed twice should be joined under one id: a recommended twin counts as a miss",
        )
    if check.shared_texts > FEW * check.items:
        yield Finding(
            "know",
            f"{_of(check.shared_texts, check.items)} items share their description with several others",
            "such a text does not tell them apart; other columns may",
        )
    known = sum(check.languages.values()) - check.languages.get("und", 0)
    usual = [name for name, n in check.languages.items() if name != "und" and n >= MIN_LANGUAGE_SHARE * known]
    if usual not in ([], ["en"]):
        yield Finding(
            "know",
            f"texts are taken to be in: {', '.join(usual)}",
            "set summarize.language where that is wrong; the embedded model knows English best",
        )


def _pictures(check: "DataCheck") -> Iterator[Finding]:
    if check.pictures_by_address:
        yield Finding(
            "mend",
            f"{_of(check.pictures_by_address, check.items)} items name their picture by a web address",
            "fetch them with mmsrarec images; --retry asks again for those that failed",
        )
    if check.broken_images:
        yield Finding(
            "mend",
            f"{_of(len(check.broken_images), check.items)} items name a picture that does not open",
            "they are ranked without it; the reasons are in the list",
        )
    if check.odd_images:
        yield Finding(
            "know",
            f"{_of(len(check.odd_images), check.items)} items have a picture of little use",
            "blank pictures, icons and strips tell the model nothing about the item",
        )
    if check.items > check.items_without_image and check.events_without_image > FEW:
        yield Finding(
            "know",
            f"{check.events_without_image:.1%} of the interactions are with items without a usable picture",
            "these items are described by their text alone",
        )
    shared = [group for group in check.duplicate_images if len(group.item_ids) >= SHARED_PICTURE]
    if shared:
        yield Finding(
            "know",
            f"one picture stands for {len(shared[0].item_ids):,} items, and {_number(len(shared), 'picture')} for "
            f"{SHARED_PICTURE} or more",
            "look whether it is a placeholder such as 'no image': such pictures are better left out",
        )


def _log(check: "DataCheck") -> Iterator[Finding]:
    if check.median_events_per_user < SHORT_HISTORY:
        yield Finding(
            "know",
            f"half of the users have {check.median_events_per_user:g} interactions or fewer",
            "there is little to learn sequences from; --core at import keeps only longer histories",
        )
    if check.tie_share > MANY:
        yield Finding(
            "know",
            f"{check.tie_share:.1%} of the interactions share their time with another of the same user",
            "their order is that of the file, so the last item of a user may be chance",
        )
    if check.users_at_one_time > FEW * check.users:
        yield Finding(
            "know",
            f"{_of(check.users_at_one_time, check.users)} users have all their interactions at one time",
            "nothing says what came first; leave-one-out holds out any of them",
        )
    if check.repeat_share > FEW:
        yield Finding(
            "know",
            f"{check.repeat_share:.1%} of the interactions are with an item that the user had consumed before",
            "decide whether such items may be recommended: the recipe excludes them unless told otherwise",
        )
    if check.per_item.top_share > MOST:
        yield Finding(
            "know",
            f"the most popular hundredth of the items has {check.per_item.top_share:.0%} of the interactions",
            "popularity will be hard to beat in sampled evaluation",
        )
    if check.items_without_events > FEW * check.items:
        yield Finding(
            "know",
            f"{_of(check.items_without_events, check.items)} items have no interaction",
            "only their content can bring them up",
        )
    for split, share in check.cold_share.items():
        if share > MANY:
            yield Finding(
                "know",
                f"{share:.0%} of the test items of the split {split} have no training interaction",
                "rankers without content cannot find them",
            )
    for what, ids in (("user", check.placeholder_users), ("item", check.placeholder_items)):
        for name, count in ids.items():
            yield Finding(
                "mend",
                f"the {what} {name!r} has {count:,} interactions, far more than others",
                f"programs write this id for a missing one: drop it if it stands for many {what}s",
            )


def _people(check: "DataCheck") -> Iterator[Finding]:
    if users := check.suspicious_users:
        share = sum(suspect.interactions for suspect in users) / check.events
        yield Finding(
            "mend" if share > ROBOT_SHARE else "know",
            f"{_of(len(users), check.users)} users are hardly single persons; they have {share:.1%} of the "
            "interactions",
            "look at the list; programs and shared accounts are better left out",
        )


def _times(check: "DataCheck") -> Iterator[Finding]:
    if (time := check.time) is None:
        yield Finding(
            "know",
            "times are steps: they tell an order and no dates",
            "what needs a clock is off: recency in words, trends, the split time-cut",
        )
        return
    if time.grain in ("day", "hour"):
        yield Finding(
            "know",
            f"times are whole {time.grain}s",
            f"the order within a {time.grain} is that of the file",
        )
    if time.same_second is not None:
        yield Finding(
            "mend",
            f"{time.same_second[1]:,} users share the second {time.same_second[0]}",
            "it may be when the data were moved, and not when anything was consumed",
        )
    for day, count in list(time.bursts.items())[:1]:
        yield Finding(
            "know",
            f"far more users than usual on {_number(len(time.bursts), 'day')}; {day} has {count:,}",
            "an import, a campaign or a program may be behind them",
        )
    for start, end in time.holes[:1]:
        yield Finding(
            "know",
            f"nobody consumed anything from {start} to {end}",
            "data may be missing; a time cut that falls there tests on little",
        )


_LOOKS: tuple[Callable[["DataCheck"], Iterator[Finding]], ...] = (_texts, _pictures, _log, _people, _times)


def _of(count: int, total: int) -> str:
    """A count with its share of a total."""
    return f"{count:,} of {total:,} ({count / max(total, 1):.1%})"


def _number(count: int, thing: str) -> str:
    """A count with what is counted."""
    return f"{count:,} {thing}" + "s" * (count != 1)
