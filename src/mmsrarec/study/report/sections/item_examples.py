"""Single items on summaries.html: picture, text, keywords before and after tuning, and rewards."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from mmsrarec.study.report.environment import Section
from mmsrarec.study.report.formats import number
from mmsrarec.study.report.labels import union
from mmsrarec.study.report.summary_facts import MEASURES, TUNED, UNTUNED, ShownSummary

MAX_ITEMS = 10
"""In each list."""
MAX_CHARACTERS = 280
"""Of an item's text."""


def best_and_worst(
    summaries: Sequence[ShownSummary], most: int = MAX_ITEMS
) -> tuple[list[ShownSummary], list[ShownSummary]]:
    """The best, best first, and the worst, worst first, by total reward; no item is in both.

    The reward after tuning counts, or the one before where nothing was tuned. Items without a reward are left out.
    """
    totals = [(_total(item.rewards_after), item) for item in summaries]
    if all(total is None for total, _ in totals):
        totals = [(_total(item.rewards_before), item) for item in summaries]
    rated = [(total, item) for total, item in totals if total is not None]
    ranked = [item for _, item in sorted(rated, key=lambda pair: -pair[0])]
    best = ranked[: min(most, (len(ranked) + 1) // 2)]
    best_ids = {item.item_id for item in best}
    return best, [item for item in reversed(ranked[len(best) :]) if item.item_id not in best_ids][:most]


def _total(rewards: Mapping[str, float | None]) -> float | None:
    total = rewards.get("total")
    return total if total is not None and math.isfinite(total) else None


def examples_sections(summaries: Sequence[ShownSummary]) -> list[Section]:
    """The best and the worst items, or the first where none has a reward."""
    marks = ""
    if any(item.before and item.after for item in summaries):
        marks = " Struck through is what tuning dropped, in colour what it brought."
    best, worst = best_and_worst(summaries)
    lists = [
        ("The best items", f"Held-out items of the highest total reward.{marks}", best),
        ("The worst items", "Held-out items of the lowest total reward, the lowest first.", worst),
    ]
    if not best:
        lists = [("Some items", f"Held-out items.{marks}", list(summaries[:MAX_ITEMS]))]
    return [
        Section("summaries/item_examples", {"heading": heading, "note": note, "items": list(map(_card, items))})
        for heading, note, items in lists
        if items
    ]


def _card(item: ShownSummary) -> dict[str, Any]:
    """An item as the template writes it: its text cut, its keywords marked, its rewards as rows."""
    marked = [(UNTUNED, "gone", item.before, item.after), (TUNED, "new", item.after, item.before)]
    return {
        **vars(replace(item, text=cut_text(item.text))),
        "keywords": [
            (policy, mark, [(word, bool(other) and word not in other) for word in words])
            for policy, mark, words, other in marked
            if words
        ],
        "policies": list(item.rewards),
        "rewards": [
            (MEASURES.get(name, name), [number(rewards.get(name), name) for rewards in item.rewards.values()])
            for name in union(item.rewards.values())
        ],
    }


def cut_text(text: str) -> str:
    """A text on one line, cut between two words after at most `MAX_CHARACTERS`, or within a word of 30 or more."""
    flat = " ".join(text.split())
    if len(flat) <= MAX_CHARACTERS:
        return flat
    whole, _, last = flat[:MAX_CHARACTERS].rpartition(" ")
    return (whole if whole and len(last) < 30 else flat[:MAX_CHARACTERS]) + "…"
