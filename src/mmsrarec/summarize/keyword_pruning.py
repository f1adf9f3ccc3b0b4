"""Keyword pruning: keywords in order of their information, without those that are not worth their tokens [extension].

The bounded information reward (`rewards.Information`) scores keyword lists here as it scores answers in tuning: by what
they add to the title. So an item with more information keeps more keywords, whether a model or the fallback gave them,
and a later prompt with little room cuts off the least informative ones.
"""

from collections.abc import Sequence

from mmsrarec.data.dataset import Item
from mmsrarec.summarize.prompts import item_text
from mmsrarec.summarize.tuning.reward_parts import Embed
from mmsrarec.summarize.tuning.rewards import Information

LETTERS_PER_TOKEN = 4
"""Letters of a token, about. Letters are counted because keywords must not depend on a tokenizer."""


def prune_keywords(
    items: Sequence[Item], keywords: Sequence[tuple[str, ...]], embed: Embed, keyword_cost: float, share: float = 0.0
) -> list[tuple[str, ...]]:
    """Order each item's text keywords by information, and drop those that are not worth their letters.

    The choice is greedy: each next keyword is the one that raises information less cost most, while any does. The best
    keyword always stays.

    Args:
        items: n items.
        keywords: n lists of text keywords.
        embed: The sentence embedding phi.
        keyword_cost: Information, a cosine, that LETTERS_PER_TOKEN letters must bring.
        share: Share of an item's information that its categories make.

    Returns:
        n lists of keywords, the most informative first.
    """
    max_length = max(map(len, keywords), default=0)
    information = Information(embed, {"text": max_length}, share=share)
    pruned: list[tuple[str, ...]] = [()] * len(items)
    best_values = [0.0] * len(items)
    remaining = [list(row) for row in keywords]
    open_places = [place for place, row in enumerate(remaining) if row]
    for _ in range(max_length):
        candidates = [(place, (*pruned[place], keyword)) for place in open_places for keyword in remaining[place]]
        candidate_items = [items[place] for place, _ in candidates]
        rewards = information(
            completions=[", ".join(row) for _, row in candidates],
            modality=["text"] * len(candidates),
            title=[" ".join(item.title.split()) for item in candidate_items],
            text=[item_text(item) for item in candidate_items],
            categories=[", ".join(item.categories) for item in candidate_items],
        )
        values_of: dict[int, list[float]] = {}
        for (place, row), reward in zip(candidates, rewards, strict=True):
            value = (reward or 0.0) - keyword_cost * len(", ".join(row)) / LETTERS_PER_TOKEN
            values_of.setdefault(place, []).append(round(value, 5))  # the rounding of a batch decides no tie
        open_places: list[int] = []
        for place, values in values_of.items():
            choice = max(range(len(values)), key=values.__getitem__)
            if pruned[place] and values[choice] <= best_values[place]:
                continue
            best_values[place] = values[choice]
            pruned[place] = (*pruned[place], remaining[place].pop(choice))
            if remaining[place]:
                open_places.append(place)
    return pruned
