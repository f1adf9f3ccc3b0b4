"""Single items on summaries.html: picture, text, keywords before and after tuning, and rewards."""

import math
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

from mmsrarec.study.report.markup import bdi, number, section, table, union

TUNED = "tuned"
SHOWN, CUT = 10, 280
"""Items in each list; characters of an item's text."""
METRICS = {"total": "total reward", "length": "length term", "image": "picture", "malformed": "malformed answers"}


@dataclass(frozen=True)
class ShownSummary:
    """A held-out item under both policies.

    modality: "text" or "picture", what was asked about. picture: JPEG bytes (see `people.thumbnail`). before, after:
    keywords of the untuned and the tuned policy. rewards: name -> value, "total" among them; None: not applicable.
    """

    item_id: str
    title: str
    text: str
    category: str
    picture: bytes | None
    modality: str
    before: tuple[str, ...]
    after: tuple[str, ...]
    rewards_before: Mapping[str, float | None]
    rewards_after: Mapping[str, float | None]


def best_and_worst(shown: Sequence[ShownSummary], most: int = SHOWN) -> tuple[list[ShownSummary], list[ShownSummary]]:
    """The best, best first, and the worst, worst first, by total reward; no item is in both.

    The reward after tuning counts, or the one before where nothing was tuned. Items without a reward are left out.
    """
    totals = [(_total(item.rewards_after), item) for item in shown]
    if all(total is None for total, _ in totals):
        totals = [(_total(item.rewards_before), item) for item in shown]
    known = [(total, item) for total, item in totals if total is not None]
    ranked = [item for _, item in sorted(known, key=lambda pair: -pair[0])]
    best = ranked[: min(most, (len(ranked) + 1) // 2)]
    taken = {item.item_id for item in best}
    return best, [item for item in reversed(ranked[len(best) :]) if item.item_id not in taken][:most]


def examples_section(shown: Sequence[ShownSummary]) -> str:
    """HTML of the best and the worst items, or of the first where none has a reward; empty without any."""
    marks = ""
    if any(item.before and item.after for item in shown):
        marks = " Struck through is what tuning dropped, in colour what it brought."
    best, worst = best_and_worst(shown)
    if not best:
        return _list("Some items", "Held-out items." + marks, shown[:SHOWN])
    return _list("The best items", "Held-out items of the highest total reward." + marks, best) + _list(
        "The worst items", "Held-out items of the lowest total reward, the lowest first.", worst
    )


def _list(heading: str, note: str, items: Sequence[ShownSummary]) -> str:
    return section(heading, note, "".join(map(_item, items))) if items else ""


def _item(item: ShownSummary) -> str:
    picture = '<div class="picture none" aria-hidden="true">no picture</div>'
    if item.picture is not None:
        source = "data:image/jpeg;base64," + b64encode(item.picture).decode()
        picture = f'<img class="picture" loading="lazy" alt="" src="{source}">'
    columns = {"untuned": item.rewards_before, TUNED: item.rewards_after}
    columns = {policy: rewards for policy, rewards in columns.items() if rewards}
    rows = [
        (METRICS.get(name, name), [number(rewards.get(name), name) for rewards in columns.values()])
        for name in union(columns.values())
    ]
    asked = escape(f"asked about its {item.modality}")
    over = f"{bdi(item.category)} · {asked}" if item.category else asked
    chips = _keywords("untuned", item.before, item.after, "gone") + _keywords(TUNED, item.after, item.before, "new")
    return (
        f'<article class="summary">{picture}<div class="words"><p class="over">{over}</p>'
        f'<p class="title">{bdi(item.title) or "untitled"}</p><p class="text">{bdi(_cut(item.text))}</p>{chips}</div>'
        f"{table('reward', list(columns), rows) if rows else ''}</article>"
    )


def _keywords(name: str, words: Sequence[str], other: Sequence[str], alone: str) -> str:
    """Chips; those that the other list lacks are of class `alone`, if there is another list."""
    chips = (
        f'<span class="{alone}">{bdi(word)}</span>' if other and word not in other else f"<span>{bdi(word)}</span>"
        for word in words
    )
    return f'<h4>{name}</h4><p class="chips">{"".join(chips)}</p>' if words else ""


def _total(rewards: Mapping[str, float | None]) -> float | None:
    total = rewards.get("total")
    return total if total is not None and math.isfinite(total) else None


def _cut(text: str) -> str:
    flat = " ".join(text.split())
    if len(flat) <= CUT:
        return flat
    whole, _, last = flat[:CUT].rpartition(" ")
    return (whole if whole and len(last) < 30 else flat[:CUT]) + "…"
