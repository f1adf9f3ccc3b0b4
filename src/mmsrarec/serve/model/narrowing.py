"""Filters and rules of a question against a catalogue: which items may come, and in which order beside the scores."""

from collections.abc import Collection, Sequence
from functools import cached_property

import numpy as np
import regex
from numpy.typing import NDArray

from mmsrarec.data.dataset import Dataset, Item
from mmsrarec.runs.answers.arrangement import NO_RULES, Arrangement, numbered
from mmsrarec.runs.recommender import Recommender
from mmsrarec.serve.schema.recommending import RecommendAsked

COLOURS = frozenset(
    (
        *("black", "white", "grey", "gray", "silver", "gold", "red", "blue", "green", "yellow", "orange", "purple"),
        *("violet", "pink", "brown", "beige", "navy", "teal", "ivory"),
    )
)
SIZES = frozenset(
    (
        *("xxs", "xs", "s", "m", "l", "xl", "xxl", "xxxl", "small", "medium", "large", "mini"),
        *("cm", "mm", "ml", "kg", "g", "inch", "inches", "pack"),
    )
)
"""Words that variants of one product differ by."""
SEPARATORS = regex.compile(r"\s[-–—|/]\s|[,;:(\[]")
MAX_NAMED = 5
"""Ids in a note, at most."""


def product_name(item: Item) -> str | None:
    """What variants of one product have in common: the first part of the title without numbers, sizes and colours."""
    head = SEPARATORS.split(item.title.casefold())[0]
    words = [word for word in regex.findall(r"\p{L}+", head) if word not in SIZES and word not in COLOURS]
    return " ".join(words) or None


def refused_notes(named: Sequence[str], refused: Collection[str]) -> list[str]:
    """What is said of items that a question names and the user is not interested in."""
    those = frozenset(refused)
    both = [item_id for item_id in dict.fromkeys(named) if item_id in those]
    return [f"this user is not interested in {', '.join(both[:MAX_NAMED])} ({len(both)} in all)"] if both else []


class Narrowing:
    """What a catalogue's categories and products allow, computed once.

    Attributes:
        dataset: The catalogue.
    """

    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset

    @cached_property
    def categories(self) -> dict[str, NDArray[np.int64]]:
        """Codes of the items of each category, whose case does not matter."""
        codes: dict[str, list[int]] = {}
        for code, item in enumerate(self.dataset.items):
            for category in dict.fromkeys(name.casefold() for name in item.categories):
                codes.setdefault(category, []).append(code)
        return {category: np.array(members, dtype=np.int64) for category, members in codes.items()}

    @cached_property
    def first_categories(self) -> NDArray[np.int64]:
        """(items,) the number of the first category of each item; -1 for none."""
        return numbered([item.categories[0].casefold() if item.categories else None for item in self.dataset.items])

    @cached_property
    def products(self) -> NDArray[np.int64]:
        """(items,) the number of the product of each item."""
        return numbered([product_name(item) or f"\n{item.item_id}" for item in self.dataset.items])

    def in_categories(self, names: Sequence[str]) -> NDArray[np.bool_]:
        """(items,) mask of the items of some categories."""
        mask = np.zeros(len(self.dataset.items), dtype=bool)
        for name in names:
            mask[self.categories.get(name.casefold(), [])] = True
        return mask

    def allowed(
        self, recommender: Recommender, question: RecommendAsked, refused: Sequence[str]
    ) -> tuple[NDArray[np.bool_], list[str]]:
        """(items,) what may be recommended, and notes about what of the question has no effect.

        Args:
            recommender: Whose catalogue it is.
            question: Its filters.
            refused: Ids of items that this user is not interested in.
        """
        may, notes = recommender.questions.allowed(recommender.available, question.exclude, question.among)
        may[[self.dataset.item_code[item_id] for item_id in refused if item_id in self.dataset.item_code]] = False
        if question.categories is not None:
            may &= self.in_categories(question.categories)
        if question.exclude_categories:
            may &= ~self.in_categories(question.exclude_categories)
        asked_for = [*(question.categories or ()), *question.exclude_categories]
        if unknown := [name for name in asked_for if name.casefold() not in self.categories]:
            notes.append(f"no item is of the category {', '.join(unknown[:MAX_NAMED])}")
        return may, notes

    def arrangement(
        self, recommender: Recommender, question: RecommendAsked, refused: Sequence[str], notes: list[str]
    ) -> Arrangement:
        """The rules of a question for the order; what of them has no effect is added to the notes.

        Args:
            recommender: Whose catalogue it is; a pinned item may be one that the user had.
            question: Its rules.
            refused: Ids of items that this user is not interested in.
            notes: Sentences.
        """
        codes = recommender.questions.known
        spared = {*question.exclude, *refused}
        pinned = [
            codes[item_id]
            for item_id in dict.fromkeys(question.pinned)
            if item_id in codes and recommender.available[codes[item_id]] and item_id not in spared
        ]
        if len(pinned) < len(set(question.pinned)):
            gone = [item_id for item_id in dict.fromkeys(question.pinned) if codes.get(item_id, -1) not in pinned]
            notes.append(f"pinned: these items cannot be recommended ({', '.join(gone[:MAX_NAMED])})")
            notes += refused_notes(gone, refused)
        boosts = {codes[item_id]: gain for item_id, gain in question.boosts.items() if item_id in codes}
        if unknown := [item_id for item_id in question.boosts if item_id not in codes]:
            notes.append(f"boosts: the run does not know these items ({', '.join(unknown[:MAX_NAMED])})")
        if not (pinned or boosts or question.max_per_category or question.one_per_product):
            return NO_RULES
        groups = None if question.max_per_category is None else self.first_categories
        products = self.products if question.one_per_product else None
        return Arrangement(tuple(pinned), boosts, question.max_per_category, groups, products)
