"""The sections of the page about a data set: what is odd, the log, the items, and pictures of what is odd."""

from collections.abc import Sequence
from typing import Any

from mmsrarec.data.checking.check_data import DataCheck, DuplicateGroup
from mmsrarec.data.checking.log_facts import Spread
from mmsrarec.data.dataset import Dataset
from mmsrarec.data.images import BadPicture, open_picture
from mmsrarec.study.report.environment import Section
from mmsrarec.study.report.plots import bar_plot, short_count
from mmsrarec.study.report.user_examples import thumbnail

MAX_GROUPS, MAX_MEMBERS = 12, 6
"""How many groups of nearly equal items are shown, and how many items of each."""
MAX_ODD, MAX_USERS, MAX_LANGUAGES = 24, 20, 6
MIN_MONTH_DAYS = 1_000
"""Days from which on periods are named by their month."""
Card = dict[str, Any]
"""An item as a template shows it: picture, title, item_id, note."""


def findings_section(check: DataCheck) -> Section:
    """What is odd, and what to do about it."""
    levels = [
        (heading, level, [finding for finding in check.findings if finding.level == level])
        for level, heading in (("mend", "Before a run"), ("know", "Good to know"))
    ]
    return Section("check/findings", {"levels": [entry for entry in levels if entry[2]]})


def overview_section(check: DataCheck) -> Section:
    """The large numbers."""
    span = (f"{check.time.days:,.0f}", "days from the first to the last") if check.time else ("steps", "and no dates")
    tiles = [
        (f"{check.items:,}", "items"),
        (f"{check.users:,}", "users"),
        (f"{check.events:,}", "interactions"),
        (f"{1 - check.density:.2%}", "sparsity"),
        (f"{check.median_events_per_user:g}", "a user, in the median"),
        span,
    ]
    return Section("check/overview", {"tiles": tiles})


def log_section(check: DataCheck) -> Section | None:
    """How interactions are spread over users, items and time; None without any."""
    if not check.events:
        return None
    plots = [
        (_spread_plot(check.per_user, "users"), _spread_words(check.per_user, "users")),
        (_spread_plot(check.per_item, "items"), _spread_words(check.per_item, "items")),
    ]
    if check.time and len(check.time.per_period) > 1:
        months = check.time.days > MIN_MONTH_DAYS
        bars = [(day[:7] if months else day, count) for day, count in check.time.per_period.items()]
        plot = bar_plot(bars, "interactions over time", "period that begins then")
        words = f"Interactions over time, {check.time.first[:10]} to {check.time.last[:10]}. "
        plots.append((plot, f"{words}Times are whole {check.time.grain}s."))
    shares = [
        ("share their time with another of the same user", check.tie_share),
        ("are with an item that the user consumed before", check.repeat_share),
        ("are with the item that the user consumed just before", check.immediate_repeat_share),
        ("are with an item without title and description", check.events_without_text),
        ("are with an item without a usable picture", check.events_without_image),
    ]
    rows = [(name, [f"{share:.1%}"]) for name, share in shares]
    cold = [(name, [f"{share:.1%}"]) for name, share in check.cold_share.items()]
    return Section("check/log", {"plots": plots, "rows": rows, "cold": cold})


def items_section(check: DataCheck) -> Section:
    """What items lack, and their languages."""
    lacks = [
        ("title", check.items_without_title),
        ("description", check.items_without_text),
        ("a description of their own", check.shared_texts),
        ("picture", check.items_without_image),
        ("fetched picture", check.pictures_by_address),
        ("picture that opens", len(check.broken_images)),
        ("interaction", check.items_without_events),
    ]
    rows = [(name, [f"{count:,}", f"{count / max(check.items, 1):.1%}"]) for name, count in lacks if count]
    total = sum(check.languages.values())
    languages = [
        ("no letters" if name == "und" else name, [f"{count:,}", f"{count / total:.1%}"])
        for name, count in list(check.languages.items())[:MAX_LANGUAGES]
    ]
    return Section("check/item_counts", {"rows": rows, "languages": languages})


def groups_section(
    check: DataCheck, dataset: Dataset, groups: Sequence[DuplicateGroup], heading: str, note: str
) -> Section | None:
    """Groups of items that are nearly the same; None without any."""
    if not groups:
        return None
    cards = [
        ([item_card(dataset, name) for name in group.item_ids[:MAX_MEMBERS]], len(group.item_ids))
        for group in groups[:MAX_GROUPS]
    ]
    count = sum(len(group.item_ids) for group in groups)
    data = {"heading": heading, "note": note, "groups": cards, "n_groups": len(groups), "n_items": count}
    return Section("check/groups", data | {"share": count / max(check.items, 1)})


def pictures_section(check: DataCheck, dataset: Dataset) -> Section | None:
    """Pictures that are of little use or do not open; None without any."""
    odd = [item_card(dataset, name, reason) for name, reason in list(check.odd_images.items())[:MAX_ODD]]
    broken = [item_card(dataset, name, reason) for name, reason in list(check.broken_images.items())[:MAX_ODD]]
    if not odd and not broken:
        return None
    counts = {"n_odd": len(check.odd_images), "n_broken": len(check.broken_images)}
    return Section("check/pictures", {"odd": odd, "broken": broken} | counts)


def users_section(check: DataCheck) -> Section | None:
    """Users who are hardly single persons; None without any."""
    users = check.suspicious_users
    if not users:
        return None
    rows = [(user.user_id, user.interactions, "; ".join(user.reasons)) for user in users[:MAX_USERS]]
    return Section("check/users", {"rows": rows, "n_users": len(users)})


def item_card(dataset: Dataset, item_id: str, note: str = "") -> Card:
    """An item with its picture, small, where that opens."""
    code = dataset.item_code[item_id]
    path, root = dataset.image_path(code), dataset.image_folder
    picture = None
    if path is not None and root is not None:
        try:
            picture = thumbnail(open_picture(path, root))
        except BadPicture:
            picture = None
    return {"picture": picture, "title": dataset.items[code].title, "item_id": item_id, "note": note}


def _spread_plot(spread: Spread, what: str) -> Any:
    """The plot of how many users or items have how many interactions."""
    bars = [(short_count(bound), count) for bound, count in spread.histogram.items()]
    while len(bars) > 1 and not bars[0][1]:
        bars.pop(0)
    return bar_plot(bars, f"{what} by their number of interactions", "interactions, up to")


def _spread_words(spread: Spread, what: str) -> str:
    """What the plot of a spread shows."""
    return (
        f"{what.capitalize()} by their number of interactions: {spread.min:,.0f} to {spread.max:,.0f}, median "
        f"{spread.median:,.0f}. The busiest hundredth has {spread.top_share:.0%} of all."
    )
