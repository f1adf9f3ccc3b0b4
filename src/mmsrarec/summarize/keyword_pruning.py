"""Keywords put in order of what they tell, and those that do not pay for their tokens dropped [extension].

The information reward (`rewards.Information`, bounded) judges single lists here as it judges answers in tuning: what
keywords add to the title. So a rich item keeps more keywords than a poor one, whoever said them, and a later prompt
with little room cuts off what matters least.
"""

from collections.abc import Sequence

from mmsrarec.data.dataset import Item
from mmsrarec.summarize.prompts import item_text
from mmsrarec.summarize.tuning.rewards import Embed, Information

LETTERS = 4
"""Letters of a token, about, whoever counts them: keywords are the same for every tokenizer."""


def prune_keywords(
    items: Sequence[Item], keywords: Sequence[tuple[str, ...]], embed: Embed, keyword_cost: float, share: float = 0.0
) -> list[tuple[str, ...]]:
    """Of each item's text keywords those that pay, the most telling first.

    Greedily: each next keyword is the one that raises information less price x letters most, while any does. The best
    one always stays. embed: phi; price: information, a cosine, that four letters, about a token, must bring; share: of
    an item's information, what its categories make.
    """
    longest = max(map(len, keywords), default=0)
    information = Information(embed, {"text": longest}, share=share)
    kept: list[tuple[str, ...]] = [()] * len(items)
    best = [0.0] * len(items)
    left = [list(said) for said in keywords]
    going = [place for place, said in enumerate(left) if said]
    for _ in range(longest):
        asked = [(place, (*kept[place], keyword)) for place in going for keyword in left[place]]
        about = [items[place] for place, _ in asked]
        told = information(
            completions=[", ".join(said) for _, said in asked],
            modality=["text"] * len(asked),
            title=[" ".join(item.title.split()) for item in about],
            text=[item_text(item) for item in about],
            categories=[", ".join(item.categories) for item in about],
        )
        worth: dict[int, list[float]] = {}
        for (place, said), value in zip(asked, told, strict=True):
            paid = (value or 0.0) - keyword_cost * len(", ".join(said)) / LETTERS
            worth.setdefault(place, []).append(round(paid, 5))  # how a batch was rounded decides no tie
        going = []
        for place, values in worth.items():
            choice = max(range(len(values)), key=values.__getitem__)
            if kept[place] and values[choice] <= best[place]:
                continue
            best[place] = values[choice]
            kept[place] = (*kept[place], left[place].pop(choice))
            if left[place]:
                going.append(place)
    return kept
